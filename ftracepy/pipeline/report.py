"""A recording's events as text, JSON or CSV, through the same stream that tools read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, BinaryIO

from ftracepy import recording
from ftracepy.errors import DataLost, ExitCode, UsageFault
from ftracepy.stream import ALL_NS, Stream

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.pipeline.requests import ReportRequest, Stop
    from ftracepy.recording import Recording
    from ftracepy.schema import Schema

_NS_PER_S = 1_000_000_000


def report(request: ReportRequest, out: BinaryIO, say: Callable[[str], None], stop: Stop) -> ExitCode:
    """Write the chosen events to `out`, and losses in their place; faults and notices go to `say`.

    Raises RecordingFault for a file that cannot be read, UsageFault for an event or instance it does
    not have, DataLost where `request.strict` forbids losses.
    """
    with recording.open(request.path, instance=request.instance) as source:
        stream = Stream(source)
        select = _Selection(request, stream.schema)
        write = _writer(request, source, out)
        for batch in stream:
            if stop.asked:
                break
            write(select(batch))
        out.flush()
        return _end(stream, request, say)


def _writer(request: ReportRequest, source: Recording, out: BinaryIO) -> Callable[[Batch], object]:
    if request.format == "text":
        from ftracepy.text import Formatter

        formatter = Formatter(source.schema, request.style)
        out.write(formatter.heading(len(source.cpus)))
        return lambda batch: out.write(formatter.lines(batch))
    from ftracepy.sinks.events import writer

    return writer(request.format, source.schema, out)


def _end(stream: Stream, request: ReportRequest, say: Callable[[str], None]) -> ExitCode:
    for notice in stream.source.health().notices:
        say(notice)
    for cpu, offset, reason in stream.faults:
        say(f"CPU {cpu}: the sub-buffer at byte {offset} cannot be read: {reason}")
    for cpu, count in stream.unseen_losses().items():
        say(f"CPU {cpu}: {count} more events were lost than the pages tell")
    if request.strict and (lost := stream.lost()):
        raise DataLost(f"{lost} events were lost while '{request.path}' was recorded")
    return ExitCode.FAILED if stream.faults else ExitCode.DONE


class _Selection:
    """The request's choice of CPUs, events, pids and times, by the columns."""

    def __init__(self, request: ReportRequest, schema: Schema) -> None:
        self._cpus = request.cpus or None
        self._pids = request.pids or None
        self._ids = frozenset(_ids(request.events, schema)) if request.events else None
        self._since_ns = _raw_ns(request.since_s, schema, 0)
        self._until_ns = _raw_ns(request.until_s, schema, ALL_NS)
        self._all = not (self._cpus or self._pids or self._ids) and (self._since_ns, self._until_ns) == (0, ALL_NS)

    def __call__(self, batch: Batch) -> Batch:
        if self._all:
            return batch
        return batch.select(cpus=self._cpus, ids=self._ids, pids=self._pids, since_ns=self._since_ns, until_ns=self._until_ns)


def _raw_ns(seconds: float | None, schema: Schema, default: int) -> int:
    """Seconds as shown, back on the raw clock."""
    if seconds is None:
        return default
    shown_ns = round(seconds * _NS_PER_S) if schema.time.is_ns else round(seconds)
    return max(0, ((shown_ns - schema.time.offset_ns) << schema.time.shift) // schema.time.mult)


def _ids(patterns: tuple[str, ...], schema: Schema) -> Iterator[int]:
    for pattern in patterns:
        found = [one.id for one in schema.formats.values() if _matches(pattern, one.system, one.name)]
        if not found:
            raise UsageFault(f"the recording knows no event '{pattern}'", hint="SYSTEM:EVENT, EVENT or SYSTEM; * and ? match")
        yield from found


def _matches(pattern: str, system: str, name: str) -> bool:
    wanted_system, colon, wanted_name = pattern.rpartition(":")
    if colon:
        return fnmatchcase(system, wanted_system) and fnmatchcase(name, wanted_name)
    return fnmatchcase(name, pattern) or fnmatchcase(system, pattern)
