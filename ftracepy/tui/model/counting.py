"""Pages that count what a list shows: how often each value of a field occurs, and how its numbers are spread over time."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ftracepy.analysis.histogram import Histogram, Powers
from ftracepy.tui.model.listing import Listing
from ftracepy.tui.model.listpage import condition
from ftracepy.tui.model.page import Pace, Page, Spare
from ftracepy.tui.model.spans import Line, cell, duration
from ftracepy.tui.model.store import Aside

_PIECE = 2000
_MOST_VALUES = 10_000
_OTHERS = "(others)"
_SHADES = " .:-=+*#%@"


class Counting(Page):
    """Goes through a listing's lines, as far as it has come and on while more arrive."""

    _news = False

    def __init__(self, listing: Listing, field: str) -> None:
        self.listing, self.field = listing, field
        self._at = listing.first
        self._pace = Pace()

    def tick(self, spare: Spare, width: int) -> bool:
        listing = self.listing
        all_seen = listing.tick(spare)
        before, self._at = self._at, max(self._at, listing.first)
        while self._at < listing.end and spare():
            stop = min(self._at + _PIECE, listing.end)
            for place in range(self._at, stop):
                item = listing.item(place)
                if item is not None and not isinstance(item, Aside):
                    self.take(item, listing.look.value(item, self.field))
            self._at = stop
        self.behind = not all_seen or self._at < listing.end
        self._news |= before != self._at
        if self._news and self._pace.run(self.sum_up):
            self._news = False
            return True
        return False

    def take(self, item: Any, value: Any) -> None:
        """One more item and its value (None: it has none)."""

    def sum_up(self) -> None:
        """Make the lines anew."""


class Top(Counting):
    """The values of one field, the most frequent first."""

    def __init__(self, listing: Listing, field: str) -> None:
        super().__init__(listing, field)
        self.title = f"count by {field}"
        self._counts: Counter[Any] = Counter()
        self._lines: list[tuple[Any, int]] = []

    def take(self, item: Any, value: Any) -> None:
        if value is None:
            return
        value = str(value) if isinstance(value, list | tuple | bytes | dict) else value
        self._counts[value if value in self._counts or len(self._counts) < _MOST_VALUES else _OTHERS] += 1

    def sum_up(self) -> None:
        self._lines = sorted(self._counts.items(), key=lambda one: (-one[1], str(one[0])))

    @property
    def end(self) -> int:
        return len(self._lines)

    def heading(self, width: int) -> list[Line]:
        return [[(f"{'COUNT':>10} {'SHARE':>6} {cell(self.field.upper(), _name_width(width), False)} ", "head")]]

    def line(self, place: int, width: int) -> Line:
        value, count = self._lines[place]
        share = count / max(self._counts.total(), 1)
        name = _name_width(width)
        bar = "█" * max(round((width - name - 22) * count / self._lines[0][1]), 1)
        text = visible_value(value)
        text = "…" + text[-(name - 1) :] if text.startswith("/") and len(text) > name else cell(text, name, False)
        return [(f"{count:>10,} ", "number"), (f"{share:6.1%} ", "dim"), (cell(text, name, False) + " ", ""), (bar, "bar")]

    def condition(self, place: int) -> str | None:
        """A filter for the value on a line."""
        return condition(self.field, self._lines[place][0]) if self._lines[place][0] != _OTHERS else None

    def hints(self) -> str:
        return "Enter only this value  Esc back"


class Spread(Counting):
    """The numbers of one field: how many of each size, and a heat map of sizes over time, the newest on the right.

    A column of the map is a second, or what makes `span_ns` (of a recording) fit.
    """

    def __init__(self, listing: Listing, field: str, *, columns: int = 40, span_ns: int | None = None) -> None:
        super().__init__(listing, field)
        column = next((one for one in listing.look.columns if one.name == field), None)
        self._show = column.show if column else None
        self._unit = column.title if column and column.show else ""
        self.title = f"spread of {field}"
        self._scale = Powers()
        self._all = Histogram(self._scale)
        self._slices: dict[int, Counter[int]] = {}
        self._slice_ns, self._columns = 1_000_000_000 if span_ns is None else _round(span_ns // columns + 1), columns
        self._lines: list[tuple[int, int]] = []
        self._latest = 0

    def take(self, item: Any, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return
        self._all.add(int(value))
        at = self.listing.look.ts(item) // self._slice_ns
        self._slices.setdefault(at, Counter())[self._scale.place(int(value))] += 1
        self._latest = max(self._latest, at)

    def sum_up(self) -> None:
        for old in [at for at in self._slices if at <= self._latest - self._columns]:
            del self._slices[old]
        self._lines = [
            (self._scale.place(span.low if span.low is not None else -1), count) for span, count in self._all.buckets()
        ]

    @property
    def end(self) -> int:
        return len(self._lines)

    def heading(self, width: int) -> list[Line]:
        heat = self._heat_width(width)
        return [
            [
                (
                    f"{f'FROM {self._unit}':>12} {'COUNT':>9} {cell('', width - 24 - heat, False)} "
                    f"{cell(f'a column is {duration(self._slice_ns)}', heat, True)}",
                    "head",
                )
            ]
        ]

    def _heat_width(self, width: int) -> int:
        return max(min(self._columns, width - 24 - 10), 0)

    def line(self, place: int, width: int) -> Line:
        bucket, count = self._lines[place]
        low = self._scale.span(bucket).low
        heat = self._heat_width(width)
        bars = max(width - 24 - heat, 1)
        bar = "█" * (max(round(bars * count / max(self._all.largest, 1)), 1) if count else 0)
        name = "below 0" if low is None else self._show(low) if self._show else f"{low:,}"
        return [
            (f"{name:>12} ", "number"), (f"{count:>9,} ", ""), (f"{bar:<{bars}} ", "bar"),
            (self._heat(bucket, heat), "good"),
        ]  # fmt: skip

    def _heat(self, bucket: int, width: int) -> str:
        most = max((max(one.values()) for one in self._slices.values() if one), default=1)
        found = [self._slices.get(at, Counter())[bucket] for at in range(self._latest - width + 1, self._latest + 1)]
        return "".join(_SHADES[-(-count * (len(_SHADES) - 1) // most)] for count in found)

    def hints(self) -> str:
        return "the darker, the more  Esc back"


def visible_value(value: Any) -> str:
    """A value as text that is safe to show."""
    from ftracepy.sinks.escape import escape

    return escape(str(value))


def _name_width(width: int) -> int:
    """Columns for the values: paths are long, and a bar says enough with a quarter of the screen."""
    return max(20, width - 20 - max(width // 4, 10))


def _round(ns: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 … nanoseconds."""
    power: int = 10 ** (len(str(ns)) - 1)
    return next(step * power for step in (1, 2, 5, 10) if step * power >= ns)
