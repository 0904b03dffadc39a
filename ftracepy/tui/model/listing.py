"""A list of items on the screen: which of them, in what order, and the line that each one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftracepy.analysis.filtering import Filter, parse
from ftracepy.sinks.escape import escape
from ftracepy.tools.rows import Column
from ftracepy.tui.model.looks import Look, style_of
from ftracepy.tui.model.matches import All, Matches, Numbered, Sorted
from ftracepy.tui.model.spans import Line, cell
from ftracepy.tui.model.store import Aside, Loss

_SCAN_ITEMS = 1000


class Listing:
    """What a list shows of a store. Lines have places from `first` to `end`, which they keep while others come and go."""

    def __init__(self, store: Numbered, look: Look) -> None:
        self.store, self.look = store, look
        self.filter: Filter | None = None
        self.crumbs: list[str] = []
        self.hidden: set[str] = set()
        self.widths: dict[str, int] = {}
        self.tight: dict[str, int] = {}  # on a screen that has little room
        self.left_out: set[str] = set()  # on one that has less
        self.sorted_by: str | None = None
        self.backwards = True
        self._among: All | Matches = All(store)
        self._order: All | Matches | Sorted = self._among

    @property
    def first(self) -> int:
        return self._order.first

    @property
    def end(self) -> int:
        return self._order.end

    def tick(self, spare: Callable[[], bool]) -> bool:
        """Look for matches and put them in order while there is time to `spare`; whether that is done."""
        while more := self._order.scan(_SCAN_ITEMS):
            if not spare():
                break
        return not more

    def set_filter(self, text: str) -> None:
        """Show only what passes `text` ("" = everything). Raises UsageFault for a text that is no filter."""
        self.filter = parse(text) if text.strip() else None
        self._among = Matches(self.store, self._passes(self.filter)) if self.filter else All(self.store)
        self._reorder()

    def _passes(self, wanted: Filter) -> Callable[[Any], bool]:
        value, test = self.look.value, wanted.test

        def passes(item: Any) -> bool:
            return isinstance(item, Aside) or test(lambda name: value(item, name))

        return passes

    def narrow(self, condition: str) -> None:
        """One more condition that must hold, to be taken back by `widen`."""
        self.crumbs.append(self.filter.text if self.filter else "")
        self.set_filter(f"({self.filter.text}) && {condition}" if self.filter else condition)

    def widen(self) -> bool:
        """Take the latest condition back; False where there is none."""
        if not self.crumbs:
            return False
        self.set_filter(self.crumbs.pop())
        return True

    def sort(self, column: str | None) -> None:
        """Order by a column (None: as they came); the same once more turns the order round."""
        self.backwards = not self.backwards if column == self.sorted_by else True
        self.sorted_by = column
        self._reorder()

    def _reorder(self) -> None:
        name = self.sorted_by
        if name is None:
            self._order = self._among
            return

        def key(item: Any) -> Any:
            return None if isinstance(item, Aside) else self.look.value(item, name)

        self._order = Sorted(self.store, self._among, key, self.backwards)

    def resort(self) -> None:
        """Sort anew: the store's items have all been replaced."""
        if isinstance(self._order, Sorted):
            self._order.again()

    @property
    def share_seen(self) -> float:
        """How much of what is stored has been looked at for the filter, from 0 to 1."""
        among = self._among
        seen = among.scanned if isinstance(among, Matches) else among.end
        return (seen - self.store.first) / max(self.store.end - self.store.first, 1)

    def has_seen(self, number: int) -> bool:
        """Whether item `number` has been looked at."""
        return not isinstance(self._among, Matches) or self._among.scanned > number

    def item(self, place: int) -> Any:
        """What stands at a place; None where nothing does any more."""
        if not self.first <= place < self.end:
            return None
        found = self.store.items(self._order.number(place), 1)
        return found[0] if found else None

    def place_of(self, number: int) -> int:
        """Where item `number` stands, or the first one after it."""
        return self._order.place(number)

    def number(self, place: int) -> int:
        """The item's number at a place."""
        return self._order.number(place)

    @property
    def columns(self) -> list[Column]:
        """Those that are not hidden."""
        return [one for one in self.look.columns if one.name not in self.hidden and one.name not in self.left_out]

    def width(self, column: Column) -> int:
        """The columns of the screen that a column takes; 0: the rest of the line."""
        return self.widths.get(column.name, self.tight.get(column.name, column.width))

    def heading(self) -> Line:
        """The titles of the columns; an arrow at the one that orders the list."""
        line: Line = []
        for column in self.columns:
            arrow = ("▼" if self.backwards else "▲") if column.name == self.sorted_by else ""
            title = column.title + arrow
            width = self.width(column)
            line.append((cell(title, width, column.align == "right") + " " if width else title, "head"))
        return line

    def line(self, place: int) -> Line:
        """One line, as long as it is."""
        item = self.item(place)
        if item is None:
            return []
        if isinstance(item, Aside):
            return [(escape(f"── {item} ──"), "loss" if isinstance(item, Loss) else "key")]
        line: Line = []
        for column, text in zip(self.look.columns, self.look.cells(item), strict=True):
            if column.name not in self.hidden and column.name not in self.left_out:
                width = self.width(column)
                line.append((cell(text, width, column.align == "right") + " " if width else text, style_of(column)))
        return line

    def holds(self, place: int, wanted: str) -> bool:
        """Whether the line there holds `wanted`, which is casefolded."""
        item = self.item(place)
        return item is not None and not isinstance(item, Aside) and wanted in " ".join(self.look.cells(item)).casefold()
