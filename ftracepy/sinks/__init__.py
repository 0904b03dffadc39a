"""Rows to bytes: `open` gives the sink of a format, and nothing of the others is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Literal, TextIO, get_args

if TYPE_CHECKING:
    from ftracepy.sinks.base import Sink
    from ftracepy.tools.rows import Row

__all__ = ["FORMATS", "Format", "Sink", "open"]

Format = Literal["table", "json", "csv"]
FORMATS: tuple[str, ...] = get_args(Format)


def open(format: str, row_type: type[Row], out: BinaryIO, *, timestamps: bool = False, messages: TextIO | None = None) -> Sink:
    """A sink that writes rows of `row_type` to `out`, which stays the caller's to close.

    `timestamps` adds when each row happened: seconds in a table, `ts_ns` in JSON and CSV. `messages` is where
    table and CSV put losses and notices (default: stderr); JSON keeps them among the rows.
    """
    if format == "json":
        from ftracepy.sinks.json import JsonSink

        return JsonSink(row_type, out, timestamps=timestamps)
    if format == "csv":
        from ftracepy.sinks.csv import CsvSink

        return CsvSink(row_type, out, timestamps=timestamps, messages=messages)
    if format == "table":
        from ftracepy.sinks.table import TableSink

        return TableSink(row_type, out, timestamps=timestamps, messages=messages)
    raise ValueError(f"no sink writes {format!r}")
