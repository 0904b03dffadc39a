"""report --check: whether a recording is sound, and where it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from ftracepy import recording
from ftracepy.batch import decoder_for
from ftracepy.errors import ExitCode
from ftracepy.recording.check import CpuResult, PageEvents, check_counts, check_cpu, check_places

if TYPE_CHECKING:
    from ftracepy.pipeline.requests import Stop
    from ftracepy.recording import Recording
    from ftracepy.schema import TimeScale
    from ftracepy.source import Pages

_MOST_FAULTS = 20  # of one CPU: more of them say nothing new


def check(path: str, out: BinaryIO, stop: Stop) -> ExitCode:
    """Write what the recording holds and what is wrong with it; FAILED where anything is.

    Raises RecordingFault where it cannot be opened at all.
    """
    found = recording.open(path, stopped=lambda: stop.asked)
    faults = 0

    def line(text: str) -> None:
        out.write(_escaped(text) + b"\n")

    def fault(text: str) -> None:
        nonlocal faults
        faults += 1
        line(f"FAULT {text}")

    form = f"version {found.version}, compression {found.compression}" if found.version else "a folder of sub-buffers"
    line(f"{path}: {form}, {found.schema.uname or 'kernel unknown'}")
    for text in check_places(found):
        fault(text)
    told = list[str]()
    for one in found.every_instance():
        events = Counter[int]()
        for data in one.buffer.cpus:
            if stop.asked:
                return ExitCode.FAILED
            result = check_cpu(one, data, _decoder(one, data.cpu))
            events[data.cpu] += result.events
            _tell(one, result, line, fault)
        for stats in one.health().stats:
            if text := check_counts(events[stats.cpu], stats):
                fault(f"{CpuResult(one.instance, stats.cpu).place}: {text}")
        told += one.health().notices
    for notice in dict.fromkeys(told):
        fault(notice)
    line(f"{faults} faults" if faults != 1 else "1 fault")
    out.flush()
    return ExitCode.FAILED if faults else ExitCode.DONE


def _tell(found: Recording, result: CpuResult, line: Callable[[str], None], fault: Callable[[str], None]) -> None:
    lost = f"{result.lost} events lost in {result.losses} places, " if result.losses else ""
    line(f"{result.place}: {result.events} events in {result.pages} pages, {lost}{_span(result, found.schema.time)}")
    for text in result.faults[:_MOST_FAULTS]:
        fault(f"{result.place}: {text}")
    if len(result.faults) > _MOST_FAULTS:
        fault(f"{result.place}: {len(result.faults) - _MOST_FAULTS} more like these")


def _span(result: CpuResult, time: TimeScale) -> str:
    if result.first is None or result.last is None:
        return "no time"
    first, last = ((raw * time.mult >> time.shift) + time.offset_ns for raw in (result.first, result.last))
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
