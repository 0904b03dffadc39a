"""Any event, whatever its fields, as a JSON object or CSV line: what `report` writes where its reader is a program.

    {"ts_ns": 81512345678, "cpu": 1, "pid": 711, "comm": "sh", "event": "sched:sched_wakeup", "fields": {"pid": 712, ...}}

`ts_ns` is on the recording's clock as shown (nanoseconds, or ticks of a clock that counts something else);
`comm` is what the recording's table of names says, null where it does not know the thread.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from ftracepy.sinks.base import Messages, Output
from ftracepy.sinks.escape import escape

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, Event
    from ftracepy.schema import Schema

_NAMES = ["ts_ns", "cpu", "pid", "comm", "event", "fields"]


def writer(format: str, schema: Schema, out: BinaryIO, messages: TextIO | None = None) -> Callable[[Batch], None]:
    """What writes one batch after the other; each is on its way when the call returns."""
    lines = Output(out)
    if format == "json":
        return _json(schema, lines)
    if format == "csv":
        return _csv(schema, lines, Messages(lines, messages))
    raise ValueError(f"no sink writes events as {format!r}")


def _json(schema: Schema, lines: Output) -> Callable[[Batch], None]:
    def write(batch: Batch) -> None:
        for one in _in_order(batch):
            if isinstance(one, tuple):
                values: dict[str, Any] = {"loss": {"cpu": one[0], "events": one[1]}}
            else:
                values = dict(zip(_NAMES, _values(one, schema), strict=True))
            lines.put(json.dumps(values) + "\n")
        lines.flush()

    return write


def _csv(schema: Schema, lines: Output, messages: Messages) -> Callable[[Batch], None]:
    table = csv.writer(lines.as_file(), lineterminator="\n")
    table.writerow(_NAMES)

    def write(batch: Batch) -> None:
        for one in _in_order(batch):
            if isinstance(one, tuple):
                messages.loss(*one)
            else:
                *values, comm, name, fields = _values(one, schema)
                table.writerow([*values, None if comm is None else escape(comm), escape(name), json.dumps(fields)])
        lines.flush()

    return write


def _in_order(batch: Batch) -> Iterator[Event | tuple[int, int | None]]:
    """Events, and losses as (cpu, count) where they happened."""
    losses = iter([*batch.losses, (len(batch), -1, 0)])
    place, cpu, count = next(losses)
    for index, event in enumerate(batch):
        while place <= index:
            yield cpu, None if count < 0 else count
            place, cpu, count = next(losses)
        yield event
    while cpu >= 0:
        yield cpu, None if count < 0 else count
        place, cpu, count = next(losses)


def _values(event: Event, schema: Schema) -> list[Any]:
    time = schema.time
    fields = {name: _plain(event[name]) for name in event.keys()}  # noqa: SIM118 - an event is no mapping
    comm = "<idle>" if event.pid == 0 else schema.cmdlines.get(event.pid)
    shown_ns = (event.ts * time.mult >> time.shift) + time.offset_ns
    return [shown_ns, event.cpu, event.pid, comm, f"{event.system}:{event.name}", fields]


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
