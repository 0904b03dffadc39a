"""The page of a list: lines as they come or sorted, with a column that commands are about."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from ftracepy.sinks.escape import escape
from ftracepy.sinks.table import seconds
from ftracepy.tools.rows import Column
from ftracepy.tui.model.listing import Listing
from ftracepy.tui.model.page import Page, Spare
from ftracepy.tui.model.spans import Line, length
from ftracepy.tui.model.store import Aside

if TYPE_CHECKING:
    from ftracepy.pipeline.kernelfilter import KernelFilter

_WIDE = 100
_LAST = 12  # of a last column, which takes the rest of the line
_FEW = 4
_NEWEST = 20
_LEAST = 8  # of the names of events
_NARROW = {"time": 12, "comm": 12, "flags": 10}


class ListPage(Page):
    """A Listing as a page. `column` is the chosen one: what is sorted, hidden, counted and narrowed by.

    `kernel` is the filter in the kernel of what is listed, where it can have one.
    """

    def __init__(self, title: str, listing: Listing) -> None:
        self.title, self.listing = title, listing
        self.kernel: KernelFilter | None = None
        self._chosen = listing.look.columns[0].name
        self._seen = (-1, -1)
        self._longest = _LEAST
        self._goal: int | None = None

    @property
    def grows(self) -> bool:  # type: ignore[override]
        return self.listing.sorted_by is None

    @property
    def first(self) -> int:
        return self.listing.first

    @property
    def end(self) -> int:
        return self.listing.end

    @property
    def column(self) -> Column:
        """The chosen column; the first one where it was hidden."""
        columns = self.listing.columns
        return next((one for one in columns if one.name == self._chosen), columns[0])

    def move_column(self, step: int) -> bool:
        """Choose the next column to the right or left, left of the first the last; False where there is none."""
        columns = self.listing.columns
        at = columns.index(self.column) + step
        at = len(columns) - 1 if at < 0 else at
        if 0 <= at < len(columns):
            self._chosen = columns[at].name
        return 0 <= at < len(columns)

    def choose_column(self, number: int) -> None:
        """Choose the column `number`, from 1."""
        if 0 < number <= len(self.listing.columns):
            self._chosen = self.listing.columns[number - 1].name

    def point(self, x: int) -> bool:
        ends = list(accumulate(length([title]) for title in self.listing.heading()))
        self.choose_column(min(bisect_right(ends, x) + 1, len(ends)))  # the last column takes the rest of the line
        return True

    def heading(self, width: int) -> list[Line]:
        titles = self.listing.heading()
        chosen = self.listing.columns.index(self.column)
        line: Line = [(text, "chosen" if at == chosen else style) for at, (text, style) in enumerate(titles)]
        told = self._filtered()
        return [told, line] if told else [line]

    def _filtered(self) -> Line:
        """The filter, and where it works: what the kernel filters is recorded nowhere."""
        wanted = self.listing.filter.text if self.listing.filter else ""
        given = self.kernel.typed if self.kernel else ""
        line: Line = [("filter ", "key")] if wanted or given else []
        if given and self.kernel:
            line.append((f"{'partly ' if self.kernel.partly else ''}in the kernel since {self.kernel.since}: ", "key"))
            line.append((escape(given), ""))
        if wanted != given:
            line += [("; here: " if given else "", "key"), (escape(wanted or "none"), "")]
        if self.behind and wanted:
            line.append((f"  {self.listing.share_seen:.0%} looked through", "dim"))
        return line

    def line(self, place: int, width: int) -> Line:
        return self.listing.line(place)

    def _fit(self, width: int) -> bool:
        """On a narrow screen columns that are wider than most texts leave room for the last one; whether that has changed.

        Where that is not enough, the time is left out.
        """
        listing = self.listing
        before, listing.tight, listing.left_out = (listing.tight, listing.left_out), {}, set()
        if width < _WIDE:
            newest = self.item(self.end - 1)
            stamp = len(seconds(listing.look.ts(newest))) if newest is not None else 0
            listing.tight = {**_NARROW, "time": max(stamp, _NARROW["time"]), **self._of_events()}
            wanted = sum((listing.width(one) or _LAST) + 1 for one in listing.columns) - 1
            if wanted > width and len(listing.columns) > _FEW:
                listing.left_out = {"time"}
        return before != (listing.tight, listing.left_out)

    def _of_events(self) -> dict[str, int]:
        """Names of events are as long as they are: their own text, which tells more, comes behind them."""
        column = next((one for one in self.listing.look.columns if one.name == "event"), None)
        if column is None:
            return {}
        newest = (self.item(place) for place in range(max(self.end - _NEWEST, self.first), self.end))
        names = (self.listing.look.value(one, "event") for one in newest if one is not None)
        self._longest = max(self._longest, *(len(str(name)) for name in names), 0)
        return {"event": min(self._longest, column.width)}

    def tick(self, spare: Spare, width: int) -> bool:
        resized = self._fit(width)
        was_behind, self.behind = self.behind, not self.listing.tick(spare)
        if self._goal is not None and (self.listing.has_seen(self._goal) or not self.behind):
            self.jump, self._goal = self.listing.place_of(self._goal), None
        before, self._seen = self._seen, (self.first, self.end)
        return before != self._seen or was_behind or self.behind or resized

    def seek(self, number: int) -> None:
        """Let the cursor go to item `number`, or the next one that is shown, once the list has come so far."""
        self._goal = number

    def holds(self, place: int, wanted: str) -> bool:
        return self.listing.holds(place, wanted)

    def item(self, place: int) -> Any:
        """What stands there, None where nothing or a loss does."""
        item = self.listing.item(place)
        return None if isinstance(item, Aside) else item

    def value(self, place: int) -> Any:
        """The chosen column's value on a line."""
        item = self.item(place)
        return None if item is None else self.listing.look.value(item, self.column.name)

    def condition(self, place: int, unlike: bool) -> str | None:
        """A filter that lets pass what has this line's value in the chosen column (or has not); None: it has no value."""
        return condition(self.column.name, self.value(place), unlike)

    def hide(self) -> None:
        """Do not show the chosen column."""
        if len(self.listing.columns) > 1:
            self.listing.hidden.add(self.column.name)

    def show_all(self) -> None:
        """Show hidden columns again, at their own widths."""
        self.listing.hidden.clear()
        self.listing.widths.clear()

    def resize_column(self, by: int) -> None:
        """Make the chosen column wider or narrower."""
        column = self.column
        if width := self.listing.width(column):
            self.listing.widths[column.name] = max(3, width + by)

    def stamps(self, place: int) -> tuple[int, int, int]:
        """The times of the first line, of the last one, and of the one at `place` (nanoseconds; 0 where there is none)."""
        items = (self.item(one) for one in (self.first, self.end - 1, place))
        first, last, here = (0 if one is None else self.listing.look.ts(one) for one in items)
        return first, last, here

    def place_at(self, ts: int, stamp: Callable[[Any], int]) -> int:
        """The place of the first line not older than `ts`, `stamp` being an item's time; lines must be in order of time."""
        low, high = self.first, self.end
        while low < high:
            middle = (low + high) // 2
            item = self.item(middle)
            if item is not None and stamp(item) < ts:
                low = middle + 1
            else:
                high = middle
        return low

    def hints(self) -> str:
        return "Enter detail  w only …  f filter  t count  s sort  / search"


def condition(name: str, value: Any, unlike: bool = False) -> str | None:
    """`name == value` as a filter."""
    if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, str) and '"' in value):
        return None
    sign = "!=" if unlike else "=="
    return f'{name} {sign} "{value}"' if isinstance(value, str) else f"{name} {sign} {value}"
