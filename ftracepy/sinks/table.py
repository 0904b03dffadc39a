"""Rows as columns of text, for people and for awk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, BinaryIO, TextIO

from ftracepy.analysis.layout import Cell, Layout
from ftracepy.sinks.base import Messages, Output, is_terminal
from ftracepy.sinks.escape import escape
from ftracepy.tools.rows import Column, Row, cell

_INDENT = " " * 8
_TIME = Column(name="ts_ns", title="TIMEs", width=16, align="left", help="", show=lambda ns: seconds(ns), escape=False)


def seconds(ns: int) -> str:
    """Nanoseconds as seconds with the microseconds that the kernel's own text shows."""
    return f"{ns // 1_000_000_000}.{ns // 1000 % 1_000_000:06d}"


class TableSink(Messages):
    """Fixed column widths, the last column as long as it is; a value wider than its column pushes, and is never cut.

    The heading comes with the first row or flush (so a run that fails at its start shows none); blocks are
    set apart by an empty line, on a terminal with the heading again.
    """

    def __init__(self, row_type: type[Row], out: BinaryIO, *, timestamps: bool = False, messages: TextIO | None = None) -> None:
        self._lines = Output(out)
        super().__init__(self._lines, messages)
        columns = (*((_TIME,) if timestamps else ()), *(one for one in row_type.columns() if one.place == "cell"))
        self._columns = columns
        self._below = [one for one in row_type.columns() if one.place == "below"]
        last = len(columns) - 1
        self._cells = [_cell(column, place == last) for place, column in enumerate(columns)]
        self._values = _values([column.name for column in columns])
        self._plain = _line_maker(columns)
        self._heading = " ".join([_padder(column, place == last)(column.title) for place, column in enumerate(columns)]) + "\n"
        self._repeat = is_terminal(out)
        self._headed = False
        self._block: int | None = None

    def row(self, row: Row) -> None:
        if row.block != self._block or not self._headed:
            self._begin_block(row.block)
        line = self._plain(row)
        if not line.isprintable() or "\\" in line:
            line = " ".join([cell(value) for cell, value in zip(self._cells, self._values(row), strict=True)])
        self._lines.put(line + "\n")
        for column in self._below:
            for item in getattr(row, column.name) or ():
                self._lines.put(f"{_INDENT}{escape(column.show(item) if column.show else str(item))}\n")

    def layout(self) -> Layout:
        last = len(self._columns) - 1
        cells = [_laid_out(column, b" " if place else b"", place == last) for place, column in enumerate(self._columns)]
        return Layout(tuple(cells), b"\n", b"\\", self._put_lines)

    def _put_lines(self, lines: bytes) -> None:
        if not self._headed:
            self._begin_block(None)
        self._lines.put_lines(lines)

    def flush(self) -> None:
        self._head()
        self._lines.flush()

    def close(self) -> None:
        self._lines.flush()

    def _begin_block(self, block: int | None) -> None:
        if self._block is not None:
            self._lines.put("\n" + self._heading if self._repeat else "\n")
        self._head()
        self._block = block

    def _head(self) -> None:
        if not self._headed:
            self._headed = True
            if self._heading.strip():  # columns without titles are plain text
                self._lines.put(self._heading)


def _laid_out(column: Column, before: bytes, last: bool) -> Cell:
    right = column.align == "right"
    width = column.width if right or not last else 0
    return Cell(column.name, before, column.none.encode(), width, right, partial(cell, column), _cell(column, last))


def _line_maker(columns: Sequence[Column]) -> Callable[[Row], str]:
    """The line of a row in which nothing needs an escape: one expression for all cells, compiled for these columns."""
    scope: dict[str, Any] = {}
    layout, cells = [], []
    for place, column in enumerate(columns):
        last = column.align == "left" and place == len(columns) - 1
        layout.append("%s" if last else f"%{'' if column.align == 'right' else '-'}{column.width}s")
        scope |= {f"show{place}": column.show, f"none{place}": column.none}
        value = f"show{place}(value{place})" if column.show else f"value{place}"
        cells.append(f"none{place} if (value{place} := row.{column.name}) is None else {value}")
    scope["layout"] = " ".join(layout)
    made: Callable[[Row], str] = eval(f"lambda row: layout % ({', '.join(cells)},)", scope)
    return made


def _values(names: list[str]) -> Callable[[Row], tuple[Any, ...]]:
    """Several attributes at once; attrgetter of a single name would give it bare."""
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda row: (only(row),)
    return attrgetter(*names)


def _cell(column: Column, last: bool) -> Callable[[Any], str]:
    """What makes the padded text of one column's value."""
    pad, show, safe = _padder(column, last), column.show, not column.escape
    if show is None:
        return lambda value: pad(column.none if value is None else escape(str(value)))
    if safe:
        return lambda value: pad(cell(column, value))
    return lambda value: pad(escape(cell(column, value)))


def _padder(column: Column, last: bool) -> Callable[[str], str]:
    width = column.width
    if column.align == "right":
        return lambda text: text.rjust(width)
    return str if last else lambda text: text.ljust(width)
