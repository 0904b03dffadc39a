"""What a line can be narrowed to: only its process, thread, CPU, file, control group and so on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftracepy.sinks.escape import escape
from ftracepy.tui.model.listpage import ListPage, condition
from ftracepy.tui.model.page import Page
from ftracepy.tui.model.spans import Line

if TYPE_CHECKING:
    from ftracepy.tui.model.listing import Listing

# What is offered, in this order, where a line has it: name of the value, and what it is called.
_OFFERED = (
    ("pid", "process"), ("tid", "thread"), ("comm", "programs of this name"), ("cpu", "CPU"), ("file", "file"),
    ("cgroup", "control group"), ("event", "event"), ("dev", "device"), ("err", "error"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to narrow a list; `condition` None says that nobody knows the value."""

    what: str
    shown: str
    condition: str | None


class Only(Page):
    """The ways to narrow `listing` to one of its lines, numbered."""

    title = "only what has the same …"

    def __init__(self, listing: Listing, number: int, choices: Sequence[Choice]) -> None:
        self.listing, self.number, self.choices = listing, number, list(choices)

    @property
    def end(self) -> int:
        return len(self.choices)

    def heading(self, width: int) -> list[Line]:
        return [[("show only what has the same", "head")]]

    def line(self, place: int, width: int) -> Line:
        one = self.choices[place]
        return [(f" {place + 1} ", "key"), (f"{one.what:<22} ", ""), (one.shown, "comm" if one.condition else "dim")]

    def hints(self) -> str:
        return "a number or Enter chooses  Esc back"


def narrowings(page: ListPage, place: int) -> Only | None:
    """What the list of `page` can be narrowed to by a line; None where no event or row stands there."""
    item, look = page.item(place), page.listing.look
    if item is None:
        return None
    choices = []
    for name, what in _OFFERED:
        value = look.value(item, name)
        text = condition(name, value)
        if text is not None:
            comm = look.value(item, "comm") if name in ("pid", "tid") else None
            choices.append(Choice(what, escape(f"{value} {comm}" if isinstance(comm, str) else str(value)), text))
        elif name == "cgroup":
            choices.append(Choice(what, "not known: told by live runs, and by recordings made of them", None))
    return Only(page.listing, page.listing.number(place), choices)
