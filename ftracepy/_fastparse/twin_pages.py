"""The sub-buffer walk in plain Python: the readable specification of core/page.c and core/walk.h.

Sources: kernel/trace/ring_buffer.c (struct buffer_data_page, ring_buffer_read_page, rb_update_read_stamp,
rb_fix_abs_ts) and include/linux/ring_buffer.h (enum ring_buffer_type).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

UNKNOWN = -1
_MISSED_EVENTS, _MISSED_STORED, _COMMIT_BYTES = 1 << 31, 1 << 30, (1 << 30) - 1
_DATA_LONG, _DATA_MOST, _PADDING, _TIME_EXTEND = 0, 28, 29, 30
_TS_MASK = 2**64 - 1


class Layout(NamedTuple):
    """The first argument of Decoder: where things lie in a sub-buffer and in every record."""

    page_bytes: int
    commit_offset: int
    commit_bytes: int
    data_offset: int
    big_endian: bool
    type_offset: int
    flags_offset: int
    preempt_offset: int
    pid_offset: int

    @property
    def order(self) -> Literal["little", "big"]:
        return "big" if self.big_endian else "little"

    @property
    def common_bytes(self) -> int:
        return max(self.type_offset + 2, self.flags_offset + 1, self.preempt_offset + 1, self.pid_offset + 4)

    def check(self) -> None:
        """Raise ValueError where the numbers contradict each other."""
        if self.commit_bytes not in (4, 8):
            raise ValueError("layout: commit is neither 4 nor 8 bytes wide")
        if self.data_offset > 4096 or not self.data_offset < self.page_bytes <= 1 << 30:
            raise ValueError("layout: data lies outside the sub-buffer")
        if self.commit_offset + self.commit_bytes > self.data_offset or self.data_offset < 8:
            raise ValueError("layout: commit lies outside the header")
        if max(self[5:]) > 256:
            raise ValueError("layout: a common field lies outside the record")


class PageFault(Exception):
    """Bytes that are no sub-buffer or no event: where, counted from the sub-buffer's start, and why."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


@dataclass(slots=True)
class Page:
    """An opened sub-buffer; `missed` events were lost before its first one (UNKNOWN: some)."""

    layout: Layout
    data: memoryview
    ts: int
    missed: int
    size: int

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Yield (raw stamp, record) until the data ends; raises PageFault at an event that cannot be."""
        at, end, ts = self.layout.data_offset, self.layout.data_offset + self.size, self.ts
        while at < end:
            kind, delta = self._header(at, end)
            if kind == _PADDING and delta == 0:
                return
            if 0 < kind <= _DATA_MOST:
                start, length = at + 4, kind * 4
            else:
                extra = self._word(at, at + 4, end)
                start, length = at + 8, extra - 4
            if kind > _PADDING:
                stamp = (extra << 27) + delta
                ts = (ts + stamp) & _TS_MASK if kind == _TIME_EXTEND else _absolute(stamp, ts)
                at = start
                continue
            if length < 0:
                raise PageFault(at, "event length below 4")
            after = start + (length if kind == _PADDING else (length + 3) & ~3)
            if after > end:
                raise PageFault(at, "event overruns the commit")
            if kind != _PADDING:  # a discarded event's delta is not time
                if length < self.layout.common_bytes:
                    raise PageFault(at, "event shorter than its common fields")
                ts = (ts + delta) & _TS_MASK
                yield ts, bytes(self.data[start : start + length])
            at = after

    def _header(self, at: int, end: int) -> tuple[int, int]:
        """type_len and time_delta: a C bit-field, so they lie the other way round on big-endian machines."""
        word = self._word(at, at, end)
        return (word >> 27, word & 0x7FFFFFF) if self.layout.big_endian else (word & 31, word >> 5)

    def _word(self, event: int, at: int, end: int) -> int:
        if end - at < 4:
            raise PageFault(event, "event header cut short")
        return int.from_bytes(self.data[at : at + 4], self.layout.order)


def _absolute(stamp: int, running: int) -> int:
    """An absolute stamp has 59 bits: the rest comes from the running one, carried where time would go back."""
    high = running >> 59 << 59
    if high == 0:
        return stamp
    stamp |= high
    return (stamp + (1 << 59)) & _TS_MASK if stamp < running else stamp


def open_page(layout: Layout, data: memoryview) -> Page:
    """Read the header of the sub-buffer `data` (shorter than the layout says where a recording was cut)."""
    if len(data) < layout.data_offset:
        raise PageFault(0, "sub-buffer cut short")
    commit = _long(layout, data, layout.commit_offset) & 0xFFFFFFFF  # sign-extended when a flag is set
    size = commit & _COMMIT_BYTES
    if size > len(data) - layout.data_offset:
        raise PageFault(0, "sub-buffer cut short" if len(data) < layout.page_bytes else "commit exceeds the sub-buffer")
    ts = int.from_bytes(data[:8], layout.order)
    return Page(layout, data, ts, _missed(layout, data, commit, layout.data_offset + size), size)


def _missed(layout: Layout, data: memoryview, commit: int, after: int) -> int:
    """The number of lost events follows the data, as one long, where there was room for it."""
    if not commit & _MISSED_EVENTS:
        return 0
    if not commit & _MISSED_STORED or len(data) - after < layout.commit_bytes:
        return UNKNOWN
    count = _long(layout, data, after)
    return count if 0 < count < 1 << 63 else UNKNOWN


def _long(layout: Layout, data: memoryview, at: int) -> int:
    return int.from_bytes(data[at : at + layout.commit_bytes], layout.order)
