"""Facts learned outside the ring buffer, written into it: one small typed record per trace_marker_raw write.

The kernel wraps each in a `raw_data` event (ftrace/raw_data: u32 id, then the bytes), so that facts lie
in the same pages, in order, and in every recording. A raw_data event does not store its exact length
(it is rounded up to 4), hence the length in our header. All numbers are in the machine's byte order.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from enum import IntEnum

from ftracepy.values import dataclass

MAGIC = 0x59505446  # "FTPY" in memory on a little-endian machine: the raw_data event's `id`
# Older kernels keep 1024 bytes of a write, id included, and answer with that count (6.1: TRACE_BUF_SIZE in
# kernel/trace/trace.c, tracing_mark_raw_write); ours has 20 bytes in front of the body.
MAX_BODY_BYTES = 1000
_HEADER = "BBHiQ"
_WRITTEN = struct.Struct("=I" + _HEADER)


class Kind(IntEnum):
    """What a fact is about; `tid` and `when_ns` (trace clock) of the record say of which thread and time."""

    HEADER = 1  # body: JSON object about the run: tool, ways, kernel, command line
    TASKS = 2  # body: task lines, see system/processes.py: threads that were there at start
    PATH = 3  # body: bytes of the absolute path of a file that thread `tid` opened
    ARGV = 4  # body: NUL-terminated arguments of the program that `tid` started
    CAUGHT_UP = 5  # body: name of the aide; it has reported everything that happened before `when_ns`
    NOTICE = 6  # body: UTF-8 text that every reader of this recording must be shown
    # body: JSON object. "name" of the count; "keys": what each key is made of; "filter": what hits had to pass; "counts":
    # [[key, ...], total] of the keys hit since the fact before of that name, of every key where "last" is true; "lost":
    # total of hits that found no room. Totals are since the first fact of the name, which has none: a fact that is lost
    # costs an interval, no count.
    COUNTS = 7
    # body: JSON object about one user probe: "event", its name; "typed", what was asked for; "filter"; "kind", p, r or u
    # (USDT); "file"; "identity" of the file (see symbols/usercode.py); "spots": [[file offset, "symbol+0x..."], ...]; "code":
    # [[file offset, bytes], ...]; "texts": {field: field of its pointer} captured as words; "arguments": the fields in order.
    USER_PROBE = 8
    # body: what process `tid` may run, a line each: start, end, file offset in hex, identity of the file or "-" (see
    # symbols/usercode.py), path as the process sees it; all as they were at `when_ns`.
    MAPS = 9
    DEVICES = 10  # body: device lines, see system/devices.py: block devices that were there at start
    # body: JSON object about one kernel probe: "event", its name; "typed", what was asked for; "place"; "filter" as typed;
    # "fields": what the event's format does not say of a field: "c", its type in C; "names" by value; "signed_bits".
    KERNEL_PROBE = 11
    MEMORY = 12  # body: JSON object of /proc/meminfo's Buffers and Cached at that moment, in kB
    CGROUPS = 13  # body: lines of system/cgroups.py: control groups of the processes that were there at start
    FOLDERS = 14  # body: the folders that threads work in, as they were at `when_ns`: "TID PATH" each, NUL between
    FILTER = 15  # body: UTF-8 text: which hits the kernel records from `when_ns` on; to be shown, at its place where there is one
    SILENT = 16  # body: name of the aide; of what ends after `when_ns` it tells nothing; said again each second
    TELLS = 17  # body: name of the aide; it tells again, of what begins after `when_ns`


@dataclass(frozen=True, slots=True)
class SideFact:
    kind: Kind
    tid: int
    when_ns: int
    body: bytes


def pack(fact: SideFact) -> list[bytes]:
    """The trace_marker_raw writes for one fact: several where the body is long (all but the last flagged `more`)."""
    if len(fact.body) <= MAX_BODY_BYTES:
        return [_WRITTEN.pack(MAGIC, fact.kind, 0, len(fact.body), fact.tid, fact.when_ns) + fact.body]
    starts = range(0, len(fact.body), MAX_BODY_BYTES)
    pieces = [fact.body[at : at + MAX_BODY_BYTES] for at in starts]
    return [
        _WRITTEN.pack(MAGIC, fact.kind, left > 0, len(piece), fact.tid, fact.when_ns) + piece
        for left, piece in zip(range(len(pieces) - 1, -1, -1), pieces, strict=True)
    ]


_KINDS = {int(kind): kind for kind in Kind}


class Unpacker:
    """Turns raw_data payloads back into facts, joining long ones. One per stream."""

    def __init__(self, big_endian: bool = sys.byteorder == "big") -> None:
        self._header = struct.Struct((">" if big_endian else "<") + _HEADER)
        self._parts: dict[tuple[int, int, int], bytes] = {}

    def has_parts(self) -> bool:
        """Whether a fact of several pieces is not whole yet."""
        return bool(self._parts)

    def unpack(self, identity: int, payload: bytes) -> Iterator[SideFact]:
        """Yield the fact that `payload` (what follows the event's `id`) completes, if it is one of ours."""
        if identity != MAGIC or len(payload) < self._header.size:
            return
        kind, more, length, tid, when_ns = self._header.unpack_from(payload)
        body = payload[self._header.size : self._header.size + length]
        key = (kind, tid, when_ns)
        if self._parts:
            body = self._parts.pop(key, b"") + body
        if more:
            self._parts[key] = body
        elif (known := _KINDS.get(kind)) is not None:
            yield SideFact(known, tid, when_ns, body)
