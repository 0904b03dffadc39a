"""report --check: whether a recording is sound, and where it is not."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Literal

from ftracepy import recording
from ftracepy.batch import decoder_for
from ftracepy.errors import ExitCode
from ftracepy.recording.check import CpuResult, PageEvents, check_counts, check_cpu, check_places, may_be_fewer

if TYPE_CHECKING:
    from ftracepy.pipeline.requests import Stop
    from ftracepy.recording import Recording
    from ftracepy.schema import TimeScale
    from ftracepy.source import CpuStats, Pages

_BYTE = re.compile(r"\bbyte (\d+)")
_MOST_FAULTS = 20  # of one CPU: more of them say nothing new


def check(path: str, out: BinaryIO, stop: Stop, format: Literal["text", "json"] = "text") -> ExitCode:
    """Write what the recording holds and what is wrong with it; FAILED where anything is.

    As "json", an object a line: what it is, each CPU's counts, each fault, and last their number.
    Raises RecordingFault where it cannot be opened at all.
    """
    found = recording.open(path, stopped=lambda: stop.asked)
    told = (_Json if format == "json" else _Text)(out)
    told.head(path, found)
    for text in check_places(found):
        told.fault(text)
    notices = list[str]()
    for one in found.every_instance():
        events = Counter[int]()
        counted = {stats.cpu: stats for stats in one.health().stats}
        for data in one.buffer.cpus:
            if stop.asked:
                return ExitCode.FAILED
            result = check_cpu(one, data, _decoder(one, data.cpu))
            events[data.cpu] += result.events
            told.cpu(one, result, counted.get(data.cpu))
            for text in _some(result.faults):
                told.fault(text, result)
        for stats in counted.values():
            if text := check_counts(events[stats.cpu], stats):
                told.counts(text, may_be_fewer(one, events[stats.cpu], stats), CpuResult(one.instance, stats.cpu))
        notices += [notice for notice in one.health().notices if notice not in one.contents.remarks]
    for notice in dict.fromkeys(notices):
        told.fault(notice)
    told.end()
    out.flush()
    return ExitCode.FAILED if told.faults else ExitCode.DONE


def _some(faults: list[str]) -> Iterator[str]:
    yield from faults[:_MOST_FAULTS]
    if len(faults) > _MOST_FAULTS:
        yield f"{len(faults) - _MOST_FAULTS} more like these"


class _Text:
    """Lines for people."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.faults = 0

    def _line(self, text: str) -> None:
        self._out.write(_escaped(text) + b"\n")

    def head(self, path: str, found: Recording) -> None:
        form = f"version {found.version}, compression {found.compression}" if found.version else "a folder of sub-buffers"
        self._line(f"{path}: {form}, {found.schema.uname or 'kernel unknown'}")

    def cpu(self, found: Recording, result: CpuResult, counted: CpuStats | None) -> None:
        lost = f"{result.lost} events lost in {result.losses} places, " if result.losses else ""
        if counted and counted.lost > result.lost:
            lost += f"{counted.lost} lost as the kernel counted, "
        self._line(f"{result.place}: {result.events} events in {result.pages} pages, {lost}{_span(result, found.schema.time)}")

    def fault(self, text: str, result: CpuResult | None = None) -> None:
        self.faults += 1
        self._line(f"FAULT {result.place}: {text}" if result else f"FAULT {text}")

    def counts(self, text: str, why: str, result: CpuResult) -> None:
        """What disagrees with the kernel's counts: a fault, unless there is a reason."""
        if why:
            self._line(f"NOTE {result.place}: {text}: {why}")
        else:
            self.fault(text, result)

    def end(self) -> None:
        self._line(f"{self.faults} faults" if self.faults != 1 else "1 fault")


class _Json(_Text):
    """The same for programs; `byte` is where a fault lies, null where it lies nowhere."""

    def _object(self, **values: object) -> None:
        self._out.write(json.dumps(values).encode() + b"\n")

    def head(self, path: str, found: Recording) -> None:
        self._object(file=path, version=found.version, compression=found.compression, uname=found.schema.uname)

    def cpu(self, found: Recording, result: CpuResult, counted: CpuStats | None) -> None:
        first, last = _shown(result, found.schema.time) or (None, None)
        self._object(
            instance=result.instance,
            cpu=result.cpu,
            events=result.events,
            pages=result.pages,
            losses=result.losses,
            lost=result.lost,
            lost_counted=counted.lost if counted else None,
            first=first,
            last=last,
        )

    def fault(self, text: str, result: CpuResult | None = None) -> None:
        self.faults += 1
        place = {"instance": result.instance, "cpu": result.cpu} if result else {}
        at = _BYTE.search(text)
        self._object(fault=text, byte=int(at[1]) if at else None, **place)

    def counts(self, text: str, why: str, result: CpuResult) -> None:
        if why:
            self._object(note=f"{text}: {why}", instance=result.instance, cpu=result.cpu)
        else:
            self.fault(text, result)

    def end(self) -> None:
        self._object(faults=self.faults)


def _shown(result: CpuResult, time: TimeScale) -> tuple[int, int] | None:
    if result.first is None or result.last is None:
        return None
    first, last = ((raw * time.mult >> time.shift) + time.offset_ns for raw in (result.first, result.last))
    return first, last


def _span(result: CpuResult, time: TimeScale) -> str:
    if (shown := _shown(result, time)) is None:
        return "no time"
    first, last = shown
    return f"{first / 1e9:.6f} to {last / 1e9:.6f} s" if time.is_ns else f"{first} to {last}"


def _decoder(found: Recording, cpu: int) -> Callable[[Pages], PageEvents]:
    decoder = decoder_for(found.schema, [cpu])

    def decode(pages: Pages) -> PageEvents:
        decoder.feed(cpu, pages.data, pages.offset_bytes)
        batch = decoder.batch(max_events=1 << 30)
        faults = [(offset, reason) for _, offset, reason in batch.faults]
        # What a fault skips is told as a loss too.
        losses = [count for _, _, count in batch.losses][: None if not faults else 0]
        return PageEvents(batch.ts.tolist(), batch.id.tolist(), losses, faults)

    return decode


def _escaped(text: str) -> bytes:
    from ftracepy.sinks.escape import visible

    return visible(text).encode("utf-8", "backslashreplace")
