"""What the system does now: a tile for each of several tools, each a run of its own over an instance of its own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from textwrap import wrap
from typing import Any

from ftracepy.sinks.escape import escape
from ftracepy.tools.rows import Column, Row
from ftracepy.tui.model.engine import Engine, State
from ftracepy.tui.model.looks import RowLook, style_of
from ftracepy.tui.model.page import Page, Spare
from ftracepy.tui.model.run import Run
from ftracepy.tui.model.spans import Line, cell, length, spark
from ftracepy.tui.model.vitals import Vitals, amount, together

_RECENT = 1000
_WIDE = 132  # from here on two tiles stand side by side
_LEAST_LINES = 3
_HISTORY = 12
_EACH_S = 0.5
Figure = Callable[[Sequence[Any]], str]


class Tile:
    """One tool's run, and the few lines that are shown of it.

    `sorted_by` is the column whose largest values come first, `figure` makes a few words of the rows of the latest table, or
    of the last thousand.
    """

    def __init__(self, title: str, engine: Engine, *, sorted_by: str = "", figure: Figure | None = None) -> None:
        self.title, self.engine = title, engine
        self._sorted_by, self._figure = sorted_by, figure
        self._run: Run | None = None
        self._second = (time.monotonic(), 0)
        self._rates: deque[float] = deque(maxlen=_HISTORY)

    @property
    def run(self) -> Run | None:
        """To be looked at in full, once it runs."""
        if self._run is None and self.engine.opened:
            self._run = Run(self.engine)
        return self._run

    def sample(self) -> None:
        """Take the rate, once a second: rows, or what the latest table counts."""
        now, rows = time.monotonic(), self.engine.rows
        then, before = self._second
        if rows is None or now - then < 1:
            return
        latest = [getattr(one, self._sorted_by or "count", None) for one in rows.latest]
        counted = [one for one in latest if isinstance(one, int)]
        self._rates.append(float(sum(counted)) if rows.latest and not self._is_time else (rows.end - before) / (now - then))
        self._second = (now, rows.end)

    @property
    def _is_time(self) -> bool:
        return self._sorted_by.endswith("_ns")

    def lines(self, most: int, width: int, chosen: bool) -> list[Line]:
        """The title and the latest rows, or why there are none."""
        engine = self.engine
        head: Line = [("▌" if chosen else " ", "key"), (self.title, "chosen" if chosen else "head")]
        if engine.state is State.FAILED and engine.error:
            why = "; ".join(part for part in (engine.error.what, engine.error.why, engine.error.hint) if part)
            told: list[Line] = [[(f"  {part}", "dim")] for part in wrap(escape(why), max(width - 3, 10), break_on_hyphens=False)]
            return [[*head, ("  not here", "error")], *told][:most]
        if engine.state is State.STARTING or engine.rows is None or engine.request.tool is None:
            return [[*head, ("  starting", "dim")]]
        tool, options = engine.request.tool
        look = RowLook(tool.row_for(options))
        rows = self._rows()
        shown = rows if engine.rows.latest else rows[-max(most - 2, 1) :]
        titles = _fitting([(f" {_cell(one, one.title)}" if not at else _cell(one, one.title), "dim")
                           for at, one in enumerate(look.columns)], width)  # fmt: skip
        body = [_fitting([(" ", ""), *_row(look, row)], width) for row in islice(shown, max(most - 2, 1))]
        head = _fitting([*head, *self._told(rows)], width)
        if not body:
            return [head, [("  nothing yet", "dim")]]
        return [head, titles, *body] if most > 2 else [head, *body]

    def _told(self, rows: Sequence[Row]) -> Line:
        """How much there is, how it was in the last seconds, the figure, losses."""
        rates = list(self._rates)
        told: Line = [(f"  {amount(rates[-1])}/s {spark(rates)}" if rates and not self._is_time else "", "number")]
        if self._figure and rows:
            told.append((f"  {self._figure(rows)}", ""))
        lost = sum(self.engine.events.lost.values())
        return [*told, (f"  LOST {lost:,}", "loss")] if lost else told

    def _rows(self) -> list[Row]:
        """Those of the latest table, the largest first, or the last ones of a list."""
        store = self.engine.rows
        if store is None:
            return []
        if not store.latest:
            recent = store.items(max(store.end - _RECENT, store.first), _RECENT)
            return [one for one in recent if isinstance(one, Row)]
        if not self._sorted_by:
            return list(store.latest)
        found = [one for one in store.latest if getattr(one, self._sorted_by, 0)]
        return sorted(found, key=lambda one: -getattr(one, self._sorted_by))


class Overview(Page):
    """All tiles on one screen, side by side where it is wide; arrows choose one."""

    title = "overview"

    def __init__(self, tiles: Sequence[Tile]) -> None:
        self.tiles = list(tiles)
        self.chosen = 0
        self._width = 80
        self._next_s = 0.0
        self._lines: list[Line] = []
        self._starts: list[int] = []

    @property
    def engines(self) -> list[Engine]:
        return list(dict.fromkeys(one.engine for one in self.tiles))

    @property
    def vitals(self) -> Vitals:
        """All runs together."""
        running = [one for one in self.engines if one.opened]
        return together([one.meter.take(one.events.lost) for one in running])

    def start(self) -> None:
        """Begin every run."""
        for engine in self.engines:
            engine.start()

    @property
    def end(self) -> int:
        return len(self._lines)

    @property
    def _columns(self) -> int:
        return 2 if self._width >= _WIDE else 1

    def _shown(self) -> list[Tile]:
        """As many as fit with a row each; the last ones of the list are left out first."""
        return self.tiles[: max(self.height // _LEAST_LINES, 1) * self._columns]

    def tick(self, spare: Spare, width: int) -> bool:
        if time.monotonic() < self._next_s and width == self._width:
            return False
        self._next_s = time.monotonic() + _EACH_S
        for tile in self.tiles:
            tile.sample()
        self._width = width
        before, self._lines = self._lines, self._drawn()
        return before != self._lines

    def _drawn(self) -> list[Line]:
        tiles, columns = self._shown(), self._columns
        each = max(self.height // -(-len(tiles) // columns), _LEAST_LINES)
        width = (self._width - columns + 1) // columns
        lines: list[Line] = []
        self._starts = []
        for at in range(0, len(tiles), columns):
            parts = [one.lines(each, width, at + number == self.chosen) for number, one in enumerate(tiles[at : at + columns])]
            self._starts.append(len(lines))
            for row in range(each):
                lines.append(_beside([part[row] if row < len(part) else [] for part in parts], width))
        return lines

    def line(self, place: int, width: int) -> Line:
        return self._lines[place]

    def steer(self, right: int, down: int) -> int | None:
        """To the tile there, as far as there is one."""
        columns, shown = self._columns, len(self._shown())
        wanted = self.chosen + right + down * columns
        if 0 <= wanted < shown and (not right or wanted // columns == self.chosen // columns):
            self.chosen = wanted
        self._lines = self._drawn()
        return self._starts[self.chosen // columns] if self._starts else 0

    def arrived(self, place: int) -> None:
        """A click, or another key than an arrow: the tile of the line, the left one of two."""
        row = sum(start <= place for start in self._starts) - 1
        if row >= 0 and self.chosen // self._columns != row:
            self.chosen = row * self._columns

    def run_at(self, place: int) -> Run | None:
        """The run of the chosen tile."""
        return self.tiles[self.chosen].run

    def hints(self) -> str:
        return "arrows choose a tile  Enter opens it  b probe builder"


def _beside(parts: Sequence[Line], width: int) -> Line:
    line: Line = []
    for at, part in enumerate(parts):
        line += part
        if at + 1 < len(parts):
            line.append((" " * (width + 1 - length(part)), ""))
    return line


def _row(look: RowLook, row: Row) -> Line:
    return [(_cell(one, text), style_of(one)) for one, text in zip(look.columns, look.cells(row), strict=True)]


def _cell(column: Column, text: str) -> str:
    return cell(text, column.width, column.align == "right") + " " if column.width else text


def _fitting(line: Line, width: int) -> Line:
    """As much of a line as has room."""
    kept: Line = []
    room = width
    for text, style in line:
        size = length([(text, style)])
        kept.append((text if size <= room else cell(text, max(room, 0), False), style))
        room -= size
        if room <= 0:
            break
    return kept
