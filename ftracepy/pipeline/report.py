"""A recording's events as text, JSON or CSV, through the same stream that tools read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, BinaryIO

from ftracepy import recording
from ftracepy.errors import DataLost, ExitCode, UsageFault
from ftracepy.pipeline.merge import merge
from ftracepy.sinks.base import line_writer
from ftracepy.stream import ALL_NS, Stream

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.pipeline.requests import ReportRequest, Stop
    from ftracepy.recording import Following, Recording
    from ftracepy.schema import Schema, TimeScale
    from ftracepy.text import Formatter

    Shown = Recording | Following
_NS_PER_S = 1_000_000_000
Show = Callable[["Batch", int, int], object]


def report(request: ReportRequest, out: BinaryIO, say: Callable[[str], None], stop: Stop) -> ExitCode:
    """Write the chosen events to `out`, and losses in their place; faults and notices go to `say`.

    All instances of a recording are shown together in one time order, unless `request.instance` names
    one. Raises RecordingFault for a file that cannot be read, UsageFault for an event or instance it
    does not have, DataLost where `request.strict` forbids losses.
    """
    sources = _sources(request, stop)
    if texts := [source for source in sources if not isinstance(source, recording.Following) and source.is_text]:
        return _report_texts(texts, request, out, say)
    streams = [Stream(source, on_idle=out.flush if request.follow else None) for source in sources]
    chosen = [(_chosen(request, stream), stream.schema.time) for stream in streams]
    shows = _shows(request, sources, out)
    for number, batch, start, end in merge(chosen, lambda: stop.asked):
        shows[number](batch, start, end)
    for show in shows:
        if isinstance(show, _Lines):
            show.finish()
    out.flush()
    return _end(streams, [source.instance if len(sources) > 1 else "" for source in sources], request, say)


def _sources(request: ReportRequest, stop: Stop) -> list[Shown]:
    if request.follow:
        growing = recording.follow(request.path)
        if isinstance(growing, recording.Following):
            stop.on_ask(growing.stop)
            return [growing]
    source = recording.open(request.path, instance=request.instance, stopped=lambda: stop.asked)
    return [source] if request.instance is not None or len(source.buffers) < 2 else [*source.every_instance()]


def _report_texts(sources: list[Recording], request: ReportRequest, out: BinaryIO, say: Callable[[str], None]) -> ExitCode:
    """What a latency tracer's recording holds: the kernel's own text, of which nothing can be chosen."""
    from ftracepy.sinks.escape import visible

    if request.format != "text":
        raise UsageFault("this recording holds a latency tracer's text, not events", hint="--format text")
    for source in sources:
        if request.style == "trace-cmd":
            out.write(b"cpus=%d\n" % source.cpu_count)
        rest = b""
        for piece in source.text():
            *lines, rest = (rest + piece).split(b"\n")
            out.write(b"".join(visible(line.decode("utf-8", "backslashreplace")).encode() + b"\n" for line in lines))
        out.write(
            visible(rest.decode("utf-8", "backslashreplace")).encode() + b"\n" * (request.style == "trace-cmd" or bool(rest))
        )
        for notice in source.health().notices:
            say(notice)
    out.flush()
    return ExitCode.DONE


def _chosen(request: ReportRequest, stream: Stream) -> Iterator[Batch]:
    select = Selection(request, stream.schema)
    return (select(batch) for batch in stream)


def _shows(request: ReportRequest, sources: list[Shown], out: BinaryIO) -> list[Show]:
    """For each source what writes a run of its events."""
    several = len(sources) > 1
    if request.format == "text":
        width = max(len(source.instance) for source in sources)
        marks = [f"{source.instance:>{width}}{':' if source.instance else ' '} " if several else "" for source in sources]
        if not several:
            return [_Lines(request, sources[0], out)]
        out.write(_formatter(request, sources[0]).heading(max(source.cpu_count for source in sources)))
        return [_marked(request, source, out, mark) for source, mark in zip(sources, marks, strict=True)]
    from ftracepy.sinks.events import writer

    names = [source.instance if several else None for source in sources]
    return [
        writer(request.format, source.schema, out, instance=name, heading=number == 0)
        for number, (source, name) in enumerate(zip(sources, names, strict=True))
    ]


def _formatter(request: ReportRequest, source: Shown) -> Formatter:
    from ftracepy.text import Formatter

    return Formatter(source.schema, request.style, request.ns, form=request.form, cpus=source.cpu_count)


class _Lines:
    """All lines of the only buffer; what the first batch holds decides the heading, a call may end in the next one."""

    def __init__(self, request: ReportRequest, source: Shown, out: BinaryIO) -> None:
        self._formatter = _formatter(request, source)
        self._cpus, self._write, self._more = source.cpu_count, line_writer(out), not request.follow
        self._headed = False

    def __call__(self, batch: Batch, start: int, end: int) -> None:
        self._head(batch)
        self._write(self._formatter.lines(batch, start, end, more=self._more))

    def _head(self, batch: Batch | None) -> None:
        if not self._headed:
            self._headed = True
            self._write(self._formatter.heading(self._cpus, batch))

    def finish(self) -> None:
        self._head(None)
        self._write(self._formatter.rest())


def _marked(request: ReportRequest, source: Shown, out: BinaryIO, mark: str) -> Show:
    from ftracepy.sinks.escape import visible

    formatter = _formatter(request, source)
    shown, put = visible(mark).encode(), line_writer(out)

    def write(batch: Batch, start: int, end: int) -> None:
        if start == end:
            put(shown + formatter.lines(batch, start, end))
        for at in range(start, end):  # one by one: an event's own text may have lines of its own
            put(shown + formatter.lines(batch, at, at + 1))

    return write


def _end(streams: list[Stream], names: list[str], request: ReportRequest, say: Callable[[str], None]) -> ExitCode:
    for notice in dict.fromkeys(notice for stream in streams for notice in stream.source.health().notices):
        say(notice)
    for stream, name in zip(streams, names, strict=True):
        place = f"instance '{name}', CPU" if name else "CPU"
        for cpu, offset, reason in stream.faults:
            say(f"{place} {cpu}: the sub-buffer at byte {offset} cannot be read: {reason}")
        for cpu, count in stream.unseen_losses().items():
            say(f"{place} {cpu}: {count} more events were lost than the pages tell")
    if request.strict and (lost := sum(stream.lost() for stream in streams)):
        raise DataLost(f"{lost} events were lost while '{request.path}' was recorded")
    return ExitCode.FAILED if any(stream.faults for stream in streams) else ExitCode.DONE


class Selection:
    """The request's choice of CPUs, events, pids and times, by the columns."""

    def __init__(self, request: ReportRequest, schema: Schema) -> None:
        self._time = schema.time
        self._cpus = request.cpus or None
        self._pids = request.pids or None
        self._ids = frozenset(_ids(request.events, schema)) if request.events else None
        self._since_ns = _raw_ns(request.since_s, schema, 0)
        self._until_ns = _raw_ns(request.until_s, schema, ALL_NS)
        self._all = not (self._cpus or self._pids or self._ids) and (self._since_ns, self._until_ns) == (0, ALL_NS)

    def within(self, since_ns: int | None, until_ns: int | None) -> Selection:
        """Only what lies in this span of shown nanoseconds too; None is no bound."""
        self._since_ns = max(self._since_ns, 0 if since_ns is None else to_raw(since_ns, self._time))
        self._until_ns = min(self._until_ns, ALL_NS if until_ns is None else to_raw(until_ns, self._time))
        self._all = self._all and (self._since_ns, self._until_ns) == (0, ALL_NS)
        return self

    def __call__(self, batch: Batch) -> Batch:
        if self._all:
            return batch
        return batch.select(cpus=self._cpus, ids=self._ids, pids=self._pids, since_ns=self._since_ns, until_ns=self._until_ns)


def _raw_ns(seconds: float | None, schema: Schema, default: int) -> int:
    """Seconds as shown, back on the raw clock."""
    if seconds is None:
        return default
    return to_raw(round(seconds * _NS_PER_S) if schema.time.is_ns else round(seconds), schema.time)


def to_raw(shown_ns: int, time: TimeScale) -> int:
    """The first raw stamp that is shown as `shown_ns` or later."""
    return max(0, -(-((shown_ns - time.offset_ns) << time.shift) // (time.mult or 1)))


def _ids(patterns: tuple[str, ...], schema: Schema) -> Iterator[int]:
    for pattern in patterns:
        if not matches_any(pattern, schema):
            raise no_such_event(pattern)
        yield from (one.id for one in schema.formats.values() if _matches(pattern, one.system, one.name))


def matches_any(pattern: str, schema: Schema) -> bool:
    """Whether SYSTEM:EVENT, EVENT or SYSTEM, with globs, names an event of this recording."""
    return any(_matches(pattern, one.system, one.name) for one in schema.formats.values())


def no_such_event(pattern: str) -> UsageFault:
    return UsageFault(f"the recording knows no event '{pattern}'", hint="SYSTEM:EVENT, EVENT or SYSTEM; * and ? match")


def _matches(pattern: str, system: str, name: str) -> bool:
    wanted_system, colon, wanted_name = pattern.rpartition(":")
    if colon:
        return fnmatchcase(system, wanted_system) and fnmatchcase(name, wanted_name)
    return fnmatchcase(name, pattern) or fnmatchcase(system, pattern)
