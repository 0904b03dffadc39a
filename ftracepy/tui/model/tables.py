"""The latest table of a tool that makes one each interval, with a history of how many rows each had."""

from __future__ import annotations

from ftracepy.tools.rows import Row
from ftracepy.tui.model.looks import RowLook, style_of
from ftracepy.tui.model.page import Page, Spare
from ftracepy.tui.model.rowstore import RowStore
from ftracepy.tui.model.spans import Line, cell


class Tables(Page):
    """Replaced as a whole when the next table is there."""

    def __init__(self, title: str, store: RowStore, row: type[Row]) -> None:
        self.title = f"{title}: latest table"
        self._store, self._look = store, RowLook(row)
        self._rows: list[Row] = []

    @property
    def end(self) -> int:
        return len(self._rows) or 1

    def heading(self, width: int) -> list[Line]:
        line: Line = []
        for one in self._look.columns:
            line.append((cell(one.title, one.width, one.align == "right") + " " if one.width else one.title, "head"))
        return [line]

    def tick(self, spare: Spare, width: int) -> bool:
        before, self._rows = self._rows, self._store.latest
        return before is not self._rows

    def line(self, place: int, width: int) -> Line:
        if not self._rows:
            return [("no table yet", "dim")]
        line: Line = []
        for one, text in zip(self._look.columns, self._look.cells(self._rows[place]), strict=True):
            line.append((cell(text, one.width, one.align == "right") + " " if one.width else text, style_of(one)))
        return line
