"""Rows as comma-separated values: a line of column names, then values as JSON has them, one row a line."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any, BinaryIO, TextIO

from ftracepy.analysis.layout import Cell, Layout
from ftracepy.sinks.base import Messages, Output
from ftracepy.sinks.escape import escape
from ftracepy.tools.rows import Row


class CsvSink(Messages):
    """None is an empty field; text is escaped as in a table, so that a row is always one line."""

    def __init__(self, row_type: type[Row], out: BinaryIO, *, timestamps: bool = False, messages: TextIO | None = None) -> None:
        self._lines = Output(out)
        super().__init__(self._lines, messages)
        self._names = [*(["ts_ns"] if timestamps else []), *(column.name for column in row_type.columns())]
        self._writer = csv.writer(self._lines.as_file(), lineterminator="\n")
        self._headed = False

    def row(self, row: Row) -> None:
        self._head(row.block is not None)
        self._writer.writerow([_field(getattr(row, name)) for name in self._names])

    def layout(self) -> Layout:
        cells = [Cell(name, b"," if place else b"", b"", whole=_quoted) for place, name in enumerate(self._names)]
        return Layout(tuple(cells), b"\n", b',"\\', self._put_lines)

    def _put_lines(self, lines: bytes) -> None:
        self._head(False)
        self._lines.put_lines(lines)

    def flush(self) -> None:
        self._lines.flush()

    def close(self) -> None:
        self._head(False)
        self._lines.flush()

    def _head(self, blocks: bool) -> None:
        """The names, once; whether rows come in blocks (intervals) is known from the first row."""
        if not self._headed:
            self._headed = True
            self._names = [*(["block"] if blocks else []), *self._names]
            self._writer.writerow(self._names)


def _field(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list | tuple | dict):
        return escape(json.dumps(value))
    return value


def _quoted(value: Any) -> str:
    """A field as csv.writer has it."""
    line = StringIO()
    csv.writer(line, lineterminator="").writerow([_field(value), 0])
    return line.getvalue().removesuffix(",0")
