"""Any event, whatever its fields, as a JSON object or CSV line: what `report` writes where its reader is a program.

    {"ts_ns": 81512345678, "cpu": 1, "pid": 711, "comm": "sh", "event": "sched:sched_wakeup", "fields": {"pid": 712, ...}}

`ts_ns` is on the recording's clock as shown (nanoseconds, or ticks of a clock that counts something else);
`comm` is what the recording's table of names says, null where it does not know the thread. Where several
instances are shown together, `instance` comes first ("" is the top-level buffer), and `file` before it where
several recordings are.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TextIO

from ftracepy.sinks.base import Messages, Output
from ftracepy.sinks.escape import escape

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, Event
    from ftracepy.schema import Schema

_NAMES = ["ts_ns", "cpu", "pid", "comm", "event", "fields"]


class Writer(Protocol):
    """Writes batch[start:stop], or all of it; what was written is on its way when the call returns."""

    def __call__(self, batch: Batch, start: int = 0, stop: int | None = None) -> None: ...


def writer(
    format: str,
    schema: Schema,
    out: BinaryIO,
    messages: TextIO | None = None,
    *,
    file: str | None = None,
    instance: str | None = None,
    heading: bool = True,
) -> Writer:
    """What writes one batch after the other, each with its losses in their place.

    `file` and `instance` mark every line; of several writers to one output only the first writes the `heading`.
    """
    lines = Output(out)
    mark = tuple((name, value) for name, value in (("file", file), ("instance", instance)) if value is not None)
    if format == "json":
        return _json(schema, lines, mark)
    if format == "csv":
        return _csv(schema, lines, Messages(lines, messages), mark, heading)
    raise ValueError(f"no sink writes events as {format!r}")


def _json(schema: Schema, lines: Output, mark: tuple[tuple[str, str], ...]) -> Writer:
    def write(batch: Batch, start: int = 0, stop: int | None = None) -> None:
        for one in _in_order(batch, start, stop):
            if isinstance(one, tuple):
                values: dict[str, Any] = {"loss": dict([*mark, ("cpu", one[0]), ("events", one[1])])}
            else:
                values = dict([*mark, *zip(_NAMES, _values(one, schema), strict=True)])
            lines.put(json.dumps(values) + "\n")
        lines.flush()

    return write


def _csv(schema: Schema, lines: Output, messages: Messages, mark: tuple[tuple[str, str], ...], heading: bool) -> Writer:
    table = csv.writer(lines.as_file(), lineterminator="\n")
    if heading:
        table.writerow([*(name for name, _ in mark), *_NAMES])
        lines.flush()  # the next line may be another writer's

    def write(batch: Batch, start: int = 0, stop: int | None = None) -> None:
        for one in _in_order(batch, start, stop):
            if isinstance(one, tuple):
                messages.loss(*one)
            else:
                *values, comm, name, fields = _values(one, schema)
                texts = [None if comm is None else escape(comm), escape(name), json.dumps(fields)]
                table.writerow([*(escape(value) for _, value in mark), *values, *texts])
        lines.flush()

    return write


def _in_order(batch: Batch, start: int, stop: int | None) -> Iterator[Event | tuple[int, int | None]]:
    """Events, and losses as (cpu, count) where they happened; those behind the last event belong to the batch's end."""
    stop = len(batch) if stop is None else stop
    here = [loss for loss in batch.losses if start <= loss[0] < stop or loss[0] == stop == len(batch)]
    losses = iter([*here, (len(batch), -1, 0)])
    place, cpu, count = next(losses)
    for index in range(start, stop):
        while place <= index:
            yield cpu, None if count < 0 else count
            place, cpu, count = next(losses)
        yield batch[index]
    while cpu >= 0:
        yield cpu, None if count < 0 else count
        place, cpu, count = next(losses)


def _values(event: Event, schema: Schema) -> list[Any]:
    time = schema.time
    fields = {name: _plain(event[name]) for name in event.keys()}  # noqa: SIM118 - an event is no mapping
    comm = "<idle>" if event.pid == 0 else schema.comm(event.pid)
    shown_ns = (event.ts * time.mult >> time.shift) + time.offset_ns
    return [shown_ns, event.cpu, event.pid, comm, f"{event.system}:{event.name}", fields]


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
