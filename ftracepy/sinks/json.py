"""Rows as JSON, one object a line; losses and notices are objects among them.

Everything outside printable ASCII is written as \\u escapes: valid JSON for any reader, and nothing in it can
reach a terminal as a control.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from ftracepy.analysis.layout import Cell, Layout
from ftracepy.sinks.base import Output
from ftracepy.tools.rows import Row


class JsonSink:
    """Keys are the column names; whole numbers stay whole numbers, None is null."""

    def __init__(self, row_type: type[Row], out: BinaryIO, *, timestamps: bool = False) -> None:
        self._lines = Output(out)
        self._names = [*(["ts_ns"] if timestamps else []), *(column.name for column in row_type.columns())]

    def row(self, row: Row) -> None:
        values = {name: getattr(row, name) for name in self._names}
        if row.block is not None:
            values = {"block": row.block, **values}
        self._object(values)

    def layout(self) -> Layout:
        heads = [f"{', ' if place else '{'}{json.dumps(name)}: ".encode() for place, name in enumerate(self._names)]
        cells = [Cell(name, head, b"null", whole=json.dumps) for name, head in zip(self._names, heads, strict=True)]
        return Layout(tuple(cells), b"}\n", b'"\\', self._lines.put_lines, quote=b'"')

    def notice(self, text: str) -> None:
        self._object({"notice": text})

    def loss(self, cpu: int, events: int | None) -> None:
        self._object({"loss": {"cpu": cpu, "events": events}})

    def flush(self) -> None:
        self._lines.flush()

    def close(self) -> None:
        self._lines.flush()

    def _object(self, values: dict[str, Any]) -> None:
        self._lines.put(json.dumps(values, default=plain) + "\n")


def plain(value: Any) -> Any:
    """What JSON has no word for: bytes as hexadecimal digits, sets in order."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
