"""TIME_SHIFT: how a guest's clock differs from its host's, so that both recordings show one time.

The recorder measured the difference again and again, on each virtual CPU. A stamp is corrected by the two measurements
around it (or the nearest two): scaled by the first one's ratio, moved by its offset or, where the flag says so, by what
lies between both offsets (trace-cmd.dat.v7(5), TRACECMD_OPTION_TIME_SHIFT; the form of trace-cmd 2.9 has one list for
all CPUs, no ratios, and lies between always).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from ftracepy._fastparse import Decoder
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.encode import PageEncoder
from ftracepy.recording.head import check_cpu_count
from ftracepy.schema import PageLayout
from ftracepy.source import Buffer
from ftracepy.values import dataclass, replace

_INTERPOLATE = 1
_MOST_STAMP = 2**64 - 1
_USUAL_COMMON_OFFSETS = (0, 2, 3, 4)  # of the header's fields: only stamps are changed here


@dataclass(frozen=True, slots=True)
class Sample:
    """At `time` of the guest's clock, host = guest * scaling >> fraction, plus `offset`."""

    time: int
    offset: int
    scaling: int = 1
    fraction: int = 0


@dataclass(frozen=True, slots=True)
class TimeShift:
    """The measurements of each CPU, by time, no two at one."""

    cpus: tuple[tuple[Sample, ...], ...]
    interpolate: bool
    same_for_all: bool = False

    def samples(self, cpu: int) -> tuple[Sample, ...]:
        """Those that count for a CPU; none: its stamps stay."""
        if self.same_for_all:
            return self.cpus[0]
        return self.cpus[cpu] if cpu < len(self.cpus) else ()

    def shifted(self, cpu: int, stamp: int) -> int:
        """The host's time."""
        samples = self.samples(cpu)
        if len(samples) < 2:
            return max(min(stamp + samples[0].offset, _MOST_STAMP), 0) if samples else stamp
        at = bisect_right(samples, stamp, key=lambda one: one.time)
        first, second = samples[min(max(at - 1, 0), len(samples) - 2) :][:2]
        offset = first.offset
        if self.interpolate:
            offset += _divided((stamp - first.time) * (second.offset - first.offset), second.time - first.time)
        return max(min((stamp * first.scaling >> first.fraction) + offset, _MOST_STAMP), 0)


def _divided(value: int, by: int) -> int:
    """Half of `by` added, then rounded towards zero, as the measuring program does."""
    value += by // 2
    return value // by if value >= 0 else -(-value // by)


def parse_time_shift(option: Cursor) -> TimeShift:
    """The option's data; raises RecordingFault where they say no measurements."""
    whole = option.copy()
    whole.take(8, "trace id of the host's recording")
    count = whole.copy().u32("number of measurements")
    if whole.left == 4 + 16 * count and count:
        whole.u32("number of measurements")
        return TimeShift((_ordered(_samples(whole, count, scaled=False)),), interpolate=True, same_for_all=True)
    flags = whole.u32("flags of the time synchronization")
    cpus = [_samples(whole, whole.u32("number of measurements"), scaled=True) for _ in range(_cpu_count(whole))]
    if whole.left:
        cpus = [[replace(one, fraction=min(whole.u64("fraction bits"), 63)) for one in samples] for samples in cpus]
    return TimeShift(tuple(map(_ordered, cpus)), bool(flags & _INTERPOLATE))


def _cpu_count(option: Cursor) -> int:
    return check_cpu_count(option, option.u32("number of CPUs"))


def _samples(option: Cursor, count: int, *, scaled: bool) -> list[Sample]:
    place = option.part(count * (24 if scaled else 16), "measurements")
    times = [_signed(place.u64("time")) for _ in range(count)]
    offsets = [_signed(place.u64("offset")) for _ in range(count)]
    ratios = [_signed(place.u64("ratio")) for _ in range(count)] if scaled else [1] * count
    return [Sample(*one) for one in zip(times, offsets, ratios, strict=True)]


def _signed(value: int) -> int:
    return value - 2**64 if value >> 63 else value


def _ordered(samples: list[Sample]) -> tuple[Sample, ...]:
    ordered = sorted(samples, key=lambda one: one.time)
    return (*ordered[:1], *(after for before, after in pairwise(ordered) if after.time != before.time))


def page_decoder(layout: PageLayout, cpu: int) -> Decoder:
    """What takes a CPU's sub-buffers apart into records that no format is known of."""
    sizes = (layout.size_bytes, layout.commit_offset, layout.commit_bytes, layout.data_offset)
    return Decoder((*sizes, layout.big_endian, *_USUAL_COMMON_OFFSETS), [], [cpu])


class Shifter:
    """One CPU's sub-buffers with every stamp moved: made anew of the same records, losses in their place."""

    def __init__(self, shift: TimeShift, cpu: int, layout: PageLayout) -> None:
        self._shift = shift
        self._cpu = cpu
        self._layout = layout
        self._decoder = page_decoder(layout, cpu)

    def pages(self, data: Buffer) -> Iterator[tuple[bytes, int]]:
        """Yield new sub-buffers for each in `data`, and where in `data` that was; one that is damaged is left as it is."""
        size = self._layout.size_bytes
        view = memoryview(data)
        for start in range(0, len(view), size):
            page = view[start : start + size]
            made: list[bytes] = []
            if not self._made_anew(page, PageEncoder(self._layout, made.append)):
                made = [bytes(page)]
            yield from ((one, start) for one in made)

    def _made_anew(self, page: memoryview, encoder: PageEncoder) -> bool:
        self._decoder.feed(self._cpu, page)
        batch = self._decoder.batch(max_events=1 << 30)
        if batch.faults or not len(batch):
            return False
        losses = dict[int, int]((index, count) for index, _, count in batch.losses)
        for index, event in enumerate(batch):
            if index in losses:
                encoder.lose(losses[index])
            encoder.add(self._shift.shifted(self._cpu, event.ts), event.raw)
        encoder.flush()
        return True
