"""A recording's events as text, JSON or CSV, through the same stream that tools read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, BinaryIO

from ftracepy import recording
from ftracepy.errors import DataLost, ExitCode, UsageFault
from ftracepy.pipeline.merge import merge
from ftracepy.sinks.base import line_writer
from ftracepy.stream import ALL_NS, Stream
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.pipeline.requests import ReportRequest, Stop
    from ftracepy.recording import Following, Recording
    from ftracepy.schema import Schema, TimeScale
    from ftracepy.text import Formatter

    Shown = Recording | Following
_NS_PER_S = 1_000_000_000
Show = Callable[["Batch", int, int], object]


@dataclass(frozen=True, slots=True)
class _Buffer:
    """One ring buffer that is shown: of the how-manyth recording, and what its lines are marked with (None: nothing)."""

    source: Shown
    number: int = 0
    file: str | None = None
    instance: str | None = None

    @property
    def top(self) -> bool:
        return not self.source.instance

    def label(self, style: str) -> str:
        """What stands before its lines; trace-cmd does not say whose an instance is."""
        if style == "trace-cmd":
            return self.instance or self.file or ""
        return "/".join(one for one in (self.file, self.instance) if one)

    @property
    def place(self) -> str:
        """What stands before `CPU` in a message."""
        of_file = f"'{self.file}', " if self.file is not None else ""
        return of_file + (f"instance '{self.instance}', " if self.instance else "")


def report(request: ReportRequest, out: BinaryIO, say: Callable[[str], None], stop: Stop) -> ExitCode:
    """Write the chosen events to `out`, and losses in their place; faults and notices go to `say`.

    All instances of all recordings are shown together in one time order, unless `request.instance` names
    one. Raises RecordingFault for a file that cannot be read, UsageFault for an event or instance it
    does not have, DataLost where `request.strict` forbids losses.
    """
    buffers = _buffers(request, stop, say)
    if texts := [one.source for one in buffers if not isinstance(one.source, recording.Following) and one.source.is_text]:
        return _report_texts(texts, request, out, say)
    _give_types(request, buffers)
    streams = [Stream(one.source, on_idle=out.flush if request.follow else None) for one in buffers]
    chosen = [(_chosen(request, stream, streams), stream.schema.time) for stream in streams]
    shows = _shows(request, buffers, out)
    for number, batch, start, end in merge(chosen, lambda: stop.asked):
        shows[number](batch, start, end)
    for show in shows:
        if isinstance(show, _Lines):
            show.finish()
    out.flush()
    return _end(streams, [one.place for one in buffers], request, say)


def _give_types(request: ReportRequest, buffers: list[_Buffer]) -> None:
    """The types of `request.btf` in place of what the recordings hold."""
    if request.btf is not None:
        from ftracepy.symbols.btf_find import blob_in_file

        types = blob_in_file(request.btf)
        for one in buffers:
            one.source.schema.types = lambda: types


def _buffers(request: ReportRequest, stop: Stop, say: Callable[[str], None]) -> list[_Buffer]:
    """Every buffer that is shown: the top-level ones first, as trace-cmd orders what happened at one time."""
    if request.follow and request.others:
        raise UsageFault("only one recording can be followed", hint="report FILE --follow")
    paths = [request.path, *request.others]
    names = [os.path.basename(path) for path in paths]
    if len(set(names)) < len(names) and request.style != "trace-cmd":
        names = paths
    found = []
    for number, (path, name) in enumerate(zip(paths, names, strict=True)):
        sources = _sources(request, path, stop, say)
        file = name if request.others else None
        found += [_Buffer(one, number, file, one.instance if len(sources) > 1 or request.others else None) for one in sources]
    return sorted(found, key=lambda one: not one.top)


def _sources(request: ReportRequest, path: str, stop: Stop, say: Callable[[str], None]) -> list[Shown]:
    if request.follow:
        growing = recording.follow(path, request.instance, stopped=lambda: stop.asked, say=say)
        if isinstance(growing, recording.Following):
            stop.on_ask(growing.stop)
            return [growing]
    source = recording.open(path, instance=request.instance, stopped=lambda: stop.asked)
    return [source] if request.instance is not None or len(source.buffers) < 2 else [*source.every_instance()]


def _report_texts(sources: list[Recording], request: ReportRequest, out: BinaryIO, say: Callable[[str], None]) -> ExitCode:
    """What a latency tracer's recording holds: the kernel's own text, of which nothing can be chosen."""
    if request.format != "text":
        raise UsageFault("this recording holds a latency tracer's text, not events", hint="--format text")
    write = line_writer(out)
    for source in sources:
        if request.style == "trace-cmd":
            write(b"cpus=%d\n" % source.cpu_count)
        rest = b""
        for piece in source.text():
            *lines, rest = (rest + piece).split(b"\n")
            write(b"".join(line + b"\n" for line in lines))
        write(rest + b"\n" * (request.style == "trace-cmd" or bool(rest)))
        for notice in source.health().notices:
            say(notice)
    out.flush()
    return ExitCode.DONE


def _chosen(request: ReportRequest, stream: Stream, streams: list[Stream]) -> Iterator[Batch]:
    for pattern in request.events:
        if not any(matches_any(pattern, one.schema) for one in streams):
            raise no_such_event(pattern)
    select = Selection(request, stream.schema)
    return (select(batch) for batch in stream)


def _shows(request: ReportRequest, buffers: list[_Buffer], out: BinaryIO) -> list[Show]:
    """For each buffer what writes a run of its events."""
    several = len(buffers) > 1
    if request.format == "text":
        if not several:
            return [_Lines(request, buffers[0].source, out)]
        out.write(_headings(request, buffers))
        width = max(len(one.label(request.style)) for one in buffers)
        return [_marked(request, one.source, out, _mark(one.label(request.style), width)) for one in buffers]
    from ftracepy.sinks.events import writer

    return [
        writer(
            request.format,
            one.source.schema,
            out,
            file=one.file,
            instance=one.instance if several else None,
            heading=number == 0,
        )
        for number, one in enumerate(buffers)
    ]


def _mark(label: str, width: int) -> str:
    return f"{label:>{width}}{':' if label else ' '} "


def _headings(request: ReportRequest, buffers: list[_Buffer]) -> bytes:
    """What stands above all lines; of several recordings in trace-cmd's style a line each, marked as wide as known by then."""
    from ftracepy.sinks.escape import visible

    if request.style != "trace-cmd" or not request.others:
        return _formatter(request, buffers[0].source).heading(max(one.source.cpu_count for one in buffers))
    width, lines = max(len(one.file or "") for one in buffers), b""
    for number in range(1 + len(request.others)):
        here = [one for one in buffers if one.number == number]
        cpus = max(one.source.cpu_count for one in here)
        lines += visible(f"{_mark(here[0].file or '', width)}cpus={cpus}").encode() + b"\n"
        width = max([width, *(len(one.instance or "") for one in here)])
    return lines


def _formatter(request: ReportRequest, source: Shown) -> Formatter:
    from ftracepy.text import Formatter

    buffer = source.buffer
    return Formatter(
        source.schema,
        request.style,
        request.ns,
        form=request.form,
        cpus=source.cpu_count,
        options=(*buffer.options, *(["sym-userobj"] if request.user_files else [])),
        tracer=buffer.tracer,
    )


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


def _end(streams: list[Stream], places: list[str], request: ReportRequest, say: Callable[[str], None]) -> ExitCode:
    for notice in dict.fromkeys(notice for stream in streams for notice in stream.source.health().notices):
        say(notice)
    for stream, place in zip(streams, places, strict=True):
        if stream.late and request.follow:
            say(f"{stream.late} events came later than their turn and are shown out of order")
        for cpu, offset, reason in stream.faults:
            say(f"{place}CPU {cpu}: the sub-buffer at byte {offset} cannot be read: {reason}")
        for cpu, count in stream.unseen_losses().items():
            say(f"{place}CPU {cpu}: {count} more events were lost than the pages tell")
    if request.strict and (lost := sum(stream.lost() for stream in streams)):
        files = " and ".join(f"'{path}'" for path in (request.path, *request.others))
        raise DataLost(f"{lost} events were lost while {files} {'were' if request.others else 'was'} recorded")
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
        self._all = not (self._cpus or self._pids) and self._ids is None and (self._since_ns, self._until_ns) == (0, ALL_NS)

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
