"""The integrity of a recording: every section and page where it should be, time running forward, counts that agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from ftracepy.recording.contents import CpuData
from ftracepy.recording.options import OptionId
from ftracepy.recording.reader import Recording
from ftracepy.source import CpuStats, Pages
from ftracepy.values import dataclass, field

Decode = Callable[[Pages], "PageEvents"]


@dataclass(frozen=True, slots=True)
class PageEvents:
    """What one page decodes to: raw stamps in its order, ids, events lost before it (-1: unknown count), faults."""

    stamps: list[int]
    ids: list[int]
    losses: list[int]
    faults: list[tuple[int, str]]


@dataclass(slots=True)
class CpuResult:
    """What was found on one CPU of one instance; `faults` say where and what."""

    instance: str
    cpu: int
    pages: int = 0
    events: int = 0
    lost: int = 0
    losses: int = 0
    first: int | None = None
    last: int | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"instance '{self.instance}', CPU {self.cpu}" if self.instance else f"CPU {self.cpu}"


def check_places(found: Recording) -> Iterator[str]:
    """Faults of where sections and page data lie: outside the file or a section, over each other, off the page grid."""
    end = found.size_bytes
    sections = found.sections()
    last = sections[-1].end if sections else end
    if last < end and not found.is_unfinished:
        yield f"byte {last}: the {end - last} bytes from here on are no section"
    spans = []
    for buffer in found.buffers:
        page = buffer.page_bytes or found.contents.page_bytes
        for data in buffer.cpus:
            name = f"the data of {CpuResult(buffer.name, data.cpu).place}"
            if data.size and not data.path:
                spans.append((data.offset, data.offset + data.size, name))
                yield from _outside(data, name, end, page)
    for (_, before_end, before), (start, _, name) in pairwise(sorted(spans)):
        if start < before_end:
            yield f"byte {start}: {name} begin inside {before}, which end at byte {before_end}"


def _outside(data: CpuData, name: str, end: int, page_bytes: int) -> Iterator[str]:
    if data.offset + data.size > end:
        yield f"byte {data.offset}: {name} should end at byte {data.offset + data.size}, but the file ends at byte {end}"
    if data.offset % page_bytes:
        yield f"byte {data.offset}: {name} do not begin at a multiple of the page size {page_bytes}"


def check_cpu(found: Recording, data: CpuData, decode: Decode) -> CpuResult:
    """Read all pages of one CPU."""
    result = CpuResult(found.instance, data.cpu)
    size, known, unknown = found.schema.page.size_bytes, found.schema.formats.keys(), set[int]()
    for piece in found.reader(data).pieces():
        view = memoryview(piece.pages.data)
        for start in range(0, len(view), size):
            offset = piece.pages.offset_bytes + start
            events = decode(Pages(data.cpu, view[start : start + size], offset))
            _take(result, events, offset)
            unknown |= set(events.ids) - known
    for number in sorted(unknown):
        result.faults.append(f"events of type {number} have no format")
    return result


def _take(result: CpuResult, events: PageEvents, offset: int) -> None:
    result.pages += 1
    result.events += len(events.ids)
    result.losses += len(events.losses)
    result.lost += sum(max(count, 0) for count in events.losses)
    result.faults += [f"byte {at}: {reason}" for at, reason in events.faults]
    before = result.last
    for stamp in events.stamps:
        if before is not None and stamp < before:
            result.faults.append(f"byte {offset}: in this page time goes back by {before - stamp}, from {before} to {stamp}")
        before = stamp
    if events.stamps:
        result.first = events.stamps[0] if result.first is None else result.first
        result.last = before


def check_counts(events: int, stats: CpuStats) -> str:
    """What disagrees with the kernel's counts, or nothing.

    `read` counts what was taken while recording, `entries` what was left in the buffer at the end: a
    recorder that asked before it took the rest wrote both, one that asked afterwards has nothing left.
    """
    if events in (stats.read, stats.read + stats.entries):
        return ""
    return f"{events} events are here, but the kernel counted {stats.read} read and {stats.entries} left at the end"


def may_be_fewer(found: Recording, events: int, stats: CpuStats) -> str:
    """Why fewer events than the kernel counted are no fault of this file; "" where they are, or are not fewer.

    Our recorder keeps all that is read of its own instance.
    """
    writer = next((option.text for option in found.contents.options if option.id == OptionId.VERSION), "")
    if events > stats.read + stats.entries or writer.startswith("ftracepy"):
        return ""
    return "trace-cmd drops the oldest with -m, and counts what it read before, or another program did"
