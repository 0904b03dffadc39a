"""Sub-buffers made of records: what is left of a kernel's pages when some of their events are (kernel: ring_buffer.h)."""

from __future__ import annotations

import struct
from collections.abc import Callable

from ftracepy.schema import PageLayout

_LARGEST_SHORT_BYTES = 28 * 4  # beyond that the length stands in a word of its own
_DELTA_BITS = 27
_TIME_EXTEND = 30
_MISSED, _MISSED_COUNT = 1 << 31, 1 << 30  # in commit: events were lost before this page; how many stands behind the data


class PageEncoder:
    """One CPU's records as sub-buffers, each handed to `emit` when it is full; `flush` hands over the last."""

    def __init__(self, layout: PageLayout, emit: Callable[[bytes], None]) -> None:
        self._layout = layout
        self._emit = emit
        order = ">" if layout.big_endian else "<"
        self._word = struct.Struct(order + "I")
        self._words = struct.Struct(order + "II")
        self._stamp = struct.Struct(order + "Q")
        self._long = struct.Struct(order + ("Q" if layout.long_bytes == 8 else "I"))
        self._room = layout.size_bytes - layout.data_offset
        self._big = layout.big_endian
        self._data = bytearray()
        self._start = self._last = self._lost = 0

    def lose(self, count: int) -> None:
        """Events were lost here, `count` of them; -1: unknown how many."""
        self.flush()
        self._lost = -1 if count < 0 or self._lost < 0 else self._lost + count

    def add(self, stamp: int, record: bytes) -> None:
        """The next event. Raises ValueError for a record that no sub-buffer of this size can hold."""
        record += bytes(-len(record) % 4)
        need = 4 + len(record) + (0 if 4 <= len(record) <= _LARGEST_SHORT_BYTES else 4)
        if need > self._room:
            raise ValueError(f"a record of {len(record)} bytes does not fit into a sub-buffer of {self._layout.size_bytes}")
        delta = stamp - self._last
        long = delta >> _DELTA_BITS
        kept = self._layout.long_bytes if self._lost > 0 else 0  # for the count of losses
        if not self._data or len(self._data) + need + 8 + kept > self._room or not 0 <= long < 1 << 32:
            self.flush()
            self._start, delta, long = stamp, 0, 0
        if long:
            self._data += self._words.pack(self._header(_TIME_EXTEND, delta & (1 << _DELTA_BITS) - 1), long)
            delta = 0
        if 4 <= len(record) <= _LARGEST_SHORT_BYTES:
            self._data += self._word.pack(self._header(len(record) // 4, delta))
        else:
            self._data += self._words.pack(self._header(0, delta), len(record) + 4)
        self._data += record
        self._last = stamp

    def _header(self, type_len: int, delta: int) -> int:
        return type_len << _DELTA_BITS | delta if self._big else delta << 5 | type_len

    def flush(self) -> None:
        """Hand over what is there."""
        if not self._data:
            return
        commit, behind = len(self._data), b""
        if self._lost:
            commit |= _MISSED
        if self._lost > 0 and len(self._data) + self._layout.long_bytes <= self._room:
            commit |= _MISSED_COUNT
            behind = self._long.pack(self._lost)
        page = bytearray(self._layout.size_bytes)
        self._stamp.pack_into(page, 0, self._start)
        self._long.pack_into(page, self._layout.commit_offset, commit)
        at = self._layout.data_offset
        page[at : at + len(self._data) + len(behind)] = self._data + behind
        self._emit(bytes(page))
        self._data.clear()
        self._lost = 0
