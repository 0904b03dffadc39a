"""What the system does now: a tile for each of several tools, each a run of its own over an instance of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from ftracepy.pipeline.watch import WatchRequest
from ftracepy.sinks.escape import escape
from ftracepy.tools.rows import Column, Row
from ftracepy.tui.model.engine import Engine, State
from ftracepy.tui.model.looks import RowLook, style_of
from ftracepy.tui.model.page import Page, Spare
from ftracepy.tui.model.run import Run
from ftracepy.tui.model.spans import Line, cell

_LINES = 5


class Tile:
    """One tool's run, and the few lines that are shown of it."""

    def __init__(self, title: str, request: WatchRequest) -> None:
        self.title = title
        self.engine = Engine(request, keep=100_000)
        self._run: Run | None = None

    @property
    def run(self) -> Run | None:
        """To be looked at in full, once it runs."""
        if self._run is None and self.engine.opened:
            self._run = Run(self.engine)
        return self._run

    def lines(self) -> list[Line]:
        """The title and the latest rows, or why there are none."""
        engine = self.engine
        head: Line = [(f"━━ {self.title} ", "head")]
        if engine.state is State.FAILED and engine.error:
            why = "; ".join(part for part in (engine.error.what, engine.error.why, engine.error.hint) if part)
            return [[*head, ("not here: ", "error"), (escape(why), "dim")]]
        if engine.state is State.STARTING or engine.rows is None or engine.request.tool is None:
            return [[*head, ("starting", "dim")]]
        tool, options = engine.request.tool
        look = RowLook(tool.row_for(options))
        recent = engine.rows.items(max(engine.rows.end - _LINES, engine.rows.first), _LINES)
        rows = engine.rows.latest or [one for one in recent if isinstance(one, Row)]
        titles: Line = [(_cell(one, one.title), "dim") for one in look.columns]
        body = [_row(look, row) for row in islice(rows, _LINES)]
        lost = sum(engine.events.lost.values())
        head.append((f"{engine.events.end:,} events", "dim"))
        if lost:
            head.append((f"  LOST {lost:,}", "loss"))
        return [head, titles, *body] if body else [head]


class Overview(Page):
    """All tiles, one under the other."""

    title = "overview"

    def __init__(self, tiles: Sequence[Tile]) -> None:
        self.tiles = list(tiles)
        self._lines: list[tuple[Tile, Line]] = []

    @property
    def engines(self) -> list[Engine]:
        return [one.engine for one in self.tiles]

    def start(self) -> None:
        """Begin every run."""
        for engine in self.engines:
            engine.start()

    @property
    def end(self) -> int:
        return len(self._lines)

    def tick(self, spare: Spare, width: int) -> bool:
        before, self._lines = self._lines, [(tile, line) for tile in self.tiles for line in tile.lines()]
        return before != self._lines

    def line(self, place: int, width: int) -> Line:
        return self._lines[place][1]

    def run_at(self, place: int) -> Run | None:
        """The run whose tile has this line."""
        return self._lines[place][0].run

    def hints(self) -> str:
        return "Enter opens a tile"


def _row(look: RowLook, row: Row) -> Line:
    return [(_cell(one, text), style_of(one)) for one, text in zip(look.columns, look.cells(row), strict=True)]


def _cell(column: Column, text: str) -> str:
    return cell(text, column.width, column.align == "right") + " " if column.width else text
