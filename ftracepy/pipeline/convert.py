"""convert: recordings into another form, cut or whole, several into one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ftracepy import recording
from ftracepy.errors import ExitCode, FtracepyError, UsageFault
from ftracepy.pipeline.report import Selection, matches_any, no_such_event
from ftracepy.pipeline.requests import ReportRequest
from ftracepy.recording.encode import PageEncoder
from ftracepy.recording.options import EXTRA_SECTIONS, TIME_OPTIONS, OptionId, unknown_options
from ftracepy.recording.outputs import STDOUT
from ftracepy.recording.together import Change, Input, Joined, check_alike, named_inputs, together
from ftracepy.schematexts import clock_is_ns
from ftracepy.source import CpuStats, Pages
from ftracepy.stream import Stream
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.pipeline.requests import Stop
    from ftracepy.recording import Writer
    from ftracepy.schema import Schema


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """What goes into which form. Times are seconds as `report` shows them; `split` is the number of files to make."""

    inputs: tuple[str, ...]
    output: str
    version: int = 7
    compression: str = "none"
    cpus: frozenset[int] = frozenset()
    events: tuple[str, ...] = ()
    since_s: float | None = None
    until_s: float | None = None
    split: int = 1

    @property
    def selects_events(self) -> bool:
        """Whether pages must be made anew; otherwise they are copied as they are."""
        return bool(self.events) or self.since_s is not None or self.until_s is not None


def convert(request: ConvertRequest, say: Callable[[str], None], stop: Stop) -> ExitCode:
    """Write the new recording or recordings; what could not be read or kept goes to `say`.

    Raises RecordingFault for an input that cannot be read, UsageFault for what cannot be put into one
    file or into this version, FtracepyError where the disk refuses.
    """
    inputs = named_inputs([recording.open(path, stopped=lambda: stop.asked) for path in request.inputs])
    if texts := [one.source.path for one in inputs if one.source.is_text]:
        raise UsageFault(f"'{texts[0]}' holds a latency tracer's text, not events: there is nothing to convert")
    check_alike(inputs)
    _check_events(request, inputs)
    joined = together(inputs)
    for notice in [*joined.notices, *_dropped(request, inputs)]:
        say(notice)
    if request.split > 1 and request.output == STDOUT:
        raise UsageFault("several files cannot go into one pipe", hint="-o FILE.dat")
    parts = list(_parts(request, inputs))
    for output, _, _ in parts:
        _check_output(request, output)
    faults = 0
    for output, since_ns, until_ns in parts:
        faults += _write(request, inputs, joined, output, (since_ns, until_ns), stop)
    for notice in dict.fromkeys(notice for one in inputs for notice in one.source.health().notices):
        if not notice.startswith("this recording also holds"):
            say(notice)
    if faults:
        say(f"{faults} sub-buffers could not be read: what they held is not in the new recording")
    return ExitCode.FAILED if faults or stop.asked else ExitCode.DONE


def _dropped(request: ConvertRequest, inputs: Sequence[Input]) -> Iterator[str]:
    """What the inputs have and the new file will not."""
    for source in {one.source.path: one.source for one in inputs}.values():
        for number in unknown_options(source.options):
            yield f"'{source.path}': option {number} is not known and not kept"
        extra = [OptionId(number).name for number in EXTRA_SECTIONS if number in source.contents.extra_sections]
        if extra and (request.version == 6 or source is not inputs[0].source):
            where = "version 6 has no room for" if request.version == 6 else "only the first recording's are kept of"
            yield f"'{source.path}': {where} its {' and '.join(extra)}"


def _check_events(request: ConvertRequest, inputs: Sequence[Input]) -> None:
    """Every pattern must match an event of some input; raises UsageFault."""
    for pattern in request.events:
        if not any(matches_any(pattern, one.source.schema) for one in inputs):
            raise no_such_event(pattern)


def _check_output(request: ConvertRequest, output: str) -> None:
    for path in request.inputs:
        if path != "-" and os.path.exists(output) and os.path.exists(path) and os.path.samefile(path, output):
            raise UsageFault(f"'{output}' is the recording that is to be read", hint="-o another file")


def _parts(request: ConvertRequest, inputs: Sequence[Input]) -> Iterator[tuple[str, int | None, int | None]]:
    """Every file to write: its name, and the span of shown nanoseconds that belongs to it (None: no bound)."""
    if request.split == 1:
        yield request.output, None, None
        return
    spans = [span for one in inputs if (span := _span(one)) is not None]
    if not spans:
        raise UsageFault("a recording without events cannot be split")
    first, last = min(span[0] for span in spans), max(span[1] for span in spans) + 1
    bounds = [first + (last - first) * part // request.split for part in range(1, request.split)]
    stem, suffix = os.path.splitext(request.output)
    digits = len(str(request.split))
    for number, (since, until) in enumerate(zip([None, *bounds], [*bounds, None], strict=True), 1):
        yield f"{stem}.{number:0{digits}}{suffix}", since, until


def _span(one: Input) -> tuple[int, int] | None:
    """The first and last time as shown."""
    time, first, last = one.source.schema.time, None, None
    for batch in Stream(one.source.again()):
        if len(batch):
            first, last = batch.ts[0] if first is None else first, batch.ts[-1]
    if first is None or last is None:
        return None
    return (first * time.mult >> time.shift) + time.offset_ns, (last * time.mult >> time.shift) + time.offset_ns


def _write(
    request: ConvertRequest,
    inputs: Sequence[Input],
    joined: Joined,
    output: str,
    span: tuple[int | None, int | None],
    stop: Stop,
) -> int:
    """One output; the answer is the number of sub-buffers that could not be read."""
    faults = 0
    anew = request.selects_events or span != (None, None)
    with ExitStack() as undo:
        writer = undo.enter_context(_writer(request, inputs, joined, output))
        for one, change in zip(inputs, joined.changes, strict=True):
            if anew or change.any:
                counts, bad = _encode(request, one, change, writer, span, stop)
                faults += bad
                writer.count(one.name, counts)
            else:
                _copy(request, one, writer, stop)
                stats = [stats for stats in one.source.health().stats if _wants(request, stats.cpu)]
                writer.count(one.name, stats, one.source.contents.stats.texts_of(one.source.instance))
    return faults


def _writer(request: ConvertRequest, inputs: Sequence[Input], joined: Joined, output: str) -> Writer:
    from ftracepy.recording.writer6 import Writer6

    top = next((one for one in inputs if not one.name), inputs[0])
    make = Writer6 if request.version == 6 else recording.Writer
    cpus = [cpu for cpu in top.source.cpus if _wants(request, cpu)] if not top.name else []
    options = [one for one in top.source.options if not (joined.one_time and one[0] in TIME_OPTIONS)]
    made = make(
        output,
        joined.texts,
        cpus,
        _clock(top, joined),
        top.source.schema.page.size_bytes,
        request.compression,
        options=options,
        sections=top.source.extra_sections() if request.version != 6 else None,
    )
    for one in inputs:
        if one.name:
            wanted = [cpu for cpu in one.source.cpus if _wants(request, cpu)]
            made.add_instance(one.name, wanted, _clock(one, joined), one.source.schema.page.size_bytes)
    return made


def _clock(one: Input, joined: Joined) -> str:
    """The name of a buffer's clock; of one whose ticks became nanoseconds, what trace-cmd calls those."""
    schema = one.source.schema
    return "tsc2nsec" if joined.one_time and schema.time.is_ns and not clock_is_ns(schema.clock) else schema.clock


def _wants(request: ConvertRequest, cpu: int) -> bool:
    return not request.cpus or cpu in request.cpus


def _copy(request: ConvertRequest, one: Input, writer: Writer, stop: Stop) -> None:
    """Pages as they are: nothing is decoded."""
    for round_ in one.source.rounds():
        if stop.asked:
            return
        for pages in round_.pages:
            if _wants(request, pages.cpu):
                writer.write(pages, one.name)


def _encode(
    request: ConvertRequest, one: Input, change: Change, writer: Writer, span: tuple[int | None, int | None], stop: Stop
) -> tuple[list[CpuStats], int]:
    """New pages of the chosen events; the answer is how many each CPU has, and how many sub-buffers could not be read."""
    stream = Stream(one.source.again())
    select = Selection(_as_report(request, stream.schema), stream.schema).within(*span)
    cpus = {cpu: _Cpu(one, cpu, writer) for cpu in one.source.cpus if _wants(request, cpu)}
    unknown = bool(request.events) and not any(matches_any(pattern, stream.schema) for pattern in request.events)
    for batch in stream:
        if stop.asked or unknown:
            break
        _put(select(batch), cpus, change)
    for cpu in cpus.values():
        cpu.encoder.flush()
    return [CpuStats(number, read=cpu.events) for number, cpu in cpus.items()], len(stream.faults)


def _as_report(request: ConvertRequest, schema: Schema) -> ReportRequest:
    events = tuple(pattern for pattern in request.events if matches_any(pattern, schema))
    return ReportRequest("", cpus=request.cpus, events=events, since_s=request.since_s, until_s=request.until_s)


class _Cpu:
    """One CPU's new pages on their way into the writer."""

    def __init__(self, one: Input, cpu: int, writer: Writer) -> None:
        self.encoder = PageEncoder(one.source.schema.page, lambda page: writer.write(Pages(cpu, page), one.name))
        self.events = 0

    def add(self, stamp: int, record: bytes) -> None:
        try:
            self.encoder.add(stamp, record)
        except ValueError as fault:
            raise FtracepyError("cannot write the chosen events", why=str(fault)) from None
        self.events += 1


def _put(batch: Batch, cpus: dict[int, _Cpu], change: Change) -> None:
    losses = iter([*batch.losses, (len(batch) + 1, -1, 0)])
    place, cpu, count = next(losses)
    for index, event in enumerate(batch):
        while place <= index:
            cpus[cpu].encoder.lose(count)
            place, cpu, count = next(losses)
        cpus[event.cpu].add(change.stamp(event.ts), change.record(event.id, event.raw))
    while place <= len(batch):
        cpus[cpu].encoder.lose(count)
        place, cpu, count = next(losses)
