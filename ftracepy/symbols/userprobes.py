"""A user probe's definition made ready for tracefs: the events, and for each place the words that the kernel is given."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ftracepy.symbols import definition, spots, userargs
from ftracepy.symbols.definition import Definition
from ftracepy.symbols.elf import EM_AARCH64, EM_X86_64
from ftracepy.values import dataclass

_WORD = re.compile(r'"[^"]*"|[A-Za-z_]\w*')
_FETCHES = re.compile(r"(?:\w+=)?[%$@+\\-]\S+(?:\s+(?:\w+=)?[%$@+\\-]\S+)*")
CALLER = "caller__at"
_CALLERS = {EM_X86_64: "+0(%sp)", EM_AARCH64: "%x30"}


@dataclass(frozen=True, slots=True)
class Probe:
    """One place of an event: `place` and `words` are what the kernel is given, `columns` where it stands in what was typed."""

    event: spots.Event
    spot: spots.Spot
    place: str
    words: tuple[str, ...]
    columns: tuple[int, ...]
    texts: dict[str, str]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """What a definition comes to; `notes` are for the user."""

    asked: Definition
    filter: str
    events: tuple[spots.Event, ...]
    probes: tuple[Probe, ...]
    notes: tuple[str, ...]

    def of(self, event: spots.Event) -> list[Probe]:
        return [one for one in self.probes if one.event is event]


def split(text: str, filter_: str) -> tuple[str, str]:
    """Definition and filter; what stands in a filter's place and can be none is an argument that the shell has cut off."""
    return (f"{text} {filter_}".strip(), "") if _FETCHES.fullmatch(filter_.strip()) else (text.strip(), filter_)


def ready(text: str, filter_: str = "", *, pid: int | None = None, stacks: bool = False, force: bool = False) -> Ready:
    """Raises UsageFault for what cannot be meant or probed. With `stacks` the caller's address is fetched where it is known."""
    text, filter_ = split(text, filter_)
    asked = definition.parse(text)
    search = spots.Search(asked, pid, force)
    events = search.events()
    keep = tuple(_WORD.findall(filter_))
    made, notes = [], list(search.notes)
    for event in events:
        for spot in event.spots:
            fetched = userargs.fetched(asked, spot, event.image.elf, keep=keep, force=force)
            notes += fetched.notes
            made.append(_probe(asked, event, spot, fetched, stacks=stacks))
    return Ready(asked, filter_, tuple(events), tuple(made), tuple(dict.fromkeys(notes)))


def _probe(asked: Definition, event: spots.Event, spot: spots.Spot, fetched: userargs.Fetched, *, stacks: bool) -> Probe:
    semaphore = f"({spot.semaphore:#x})" if spot.semaphore is not None else ""
    words, columns, names = list(fetched.words), list(fetched.columns), tuple(fetched.names)
    if stacks and asked.kind == "p" and _all_entries(event.spots) and (caller := _CALLERS.get(event.image.elf.machine)):
        words.append(f"{CALLER}={caller}:x64")
        columns.append(asked.place.at)
    return Probe(
        event, spot, f"{_path(asked, event)}:{spot.offset:#x}{semaphore}", tuple(words), tuple(columns), fetched.texts, names
    )


def _all_entries(found: Sequence[spots.Spot]) -> bool:
    return all(one.entry for one in found)


def _path(asked: Definition, event: spots.Event) -> str:
    """The kernel splits a definition at blanks, and the place at its last colon."""
    path = event.image.path
    if re.search(r"\s", path):
        why = "the kernel's probe syntax has no way to write a blank"
        raise asked.fault(f"'{path}' cannot be named", asked.place.target_at, why=why, hint=f"ln -s '{path}' /tmp/probed")
    return path
