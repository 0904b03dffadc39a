"""Reads and faults that go through the page cache, in pages, and what had to be added to it for them.

An access is a page that a read takes bytes from, once for each read, or that a fault asks for. A miss is a page added to
the cache, unless its own thread dirties it at once: that is a write, which needs no reading. What is read ahead counts
as missed when it is added, and as accessed when it is asked for; so hits are what accesses there were beyond the misses.
The kernel tells large folios as one: their order says how many pages they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, number, own_probes
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Event

_PAGE_BITS = 12
_RETRY = 0x400  # VM_FAULT_RETRY, include/linux/mm_types.h: the fault comes again
_ADDED_KEPT = 4096


@dataclass(slots=True)
class Usage:
    """Pages of one interval; `buffers_kb` and `cached_kb` are the last that were told of, None: not told."""

    read: int = 0
    faults: int = 0
    added: int = 0
    written: int = 0
    dirtied: int = 0
    removed: int = 0
    buffers_kb: int | None = None
    cached_kb: int | None = None

    @property
    def accesses(self) -> int:
        return self.read + self.faults

    @property
    def misses(self) -> int:
        return max(self.added - self.written, 0)

    @property
    def hits(self) -> int:
        return max(self.accesses - self.misses, 0)


@dataclass(slots=True)
class _Span:
    """One read as its lookups tell it: of `inode`, from page `first` on, last seen at `at`."""

    inode: int
    first: int
    at: int


class PageCache(Machine):
    """Adds up what the tasks that `admits(tid)` lets through do. `knows_reads`: whether this kernel told of accesses at all."""

    def __init__(self, schema: Schema, tasks: Tasks, admits: Callable[[int], bool]) -> None:
        self._tasks, self._admits = tasks, admits
        self._usage = Usage()
        self._reads: dict[int, int] = {}  # by thread: where in its file the read that it is in began
        self._spans: dict[int, _Span] = {}
        self._mapped: set[int] = set()  # threads in a fault that has looked around already
        self._asked: dict[int, tuple[int, int]] = {}  # by thread: inode and page of its last fault
        self._added: dict[tuple[int, int, int], int] = {}  # by thread, inode, page: pages added
        lookups = schema.event("filemap", "mm_filemap_get_pages")
        self.knows_reads = lookups is not None or bool(own_probes(schema, "cache_read"))

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        named: dict[tuple[str, str], Handler] = {
            ("filemap", "mm_filemap_add_to_page_cache"): self._add,
            ("filemap", "mm_filemap_delete_from_page_cache"): self._remove,
            ("writeback", "writeback_dirty_folio"): self._dirty,
            ("writeback", "writeback_dirty_page"): self._dirty,
        }
        probes: dict[str, Handler] = {
            "cache_splice": self._read_begins, "cache_read_end": self._read_ends, "cache_map": self._looks_around,
            "cache_fault_end": self._fault_ends,
        }  # fmt: skip
        begins = [one.id for one in schema.formats.values() if one.system.startswith("ftracepy_") and one.name == "cache_read"]
        if not begins:
            named |= {
                ("filemap", "mm_filemap_get_pages"): self._looks_up, ("filemap", "mm_filemap_map_pages"): self._looks_around,
                ("filemap", "mm_filemap_fault"): self._fault_begins,
            }  # fmt: skip
        found = {one.id: named[one.system, one.name] for one in schema.formats.values() if (one.system, one.name) in named}
        if not begins:
            exits = (one for one in schema.formats.values() if one.system == "syscalls" and one.name.startswith("sys_exit_"))
            found |= {one.id: self._call_ends for one in exits}
        found |= dict.fromkeys(begins, self._read_begins)
        return found | {ident: handler for name, handler in probes.items() for ident in own_probes(schema, name)}

    def _wanted(self, tid: int) -> bool:
        return tid not in self._tasks.own and self._admits(tid)

    def _read_begins(self, event: Event) -> None:
        self._reads[event.pid] = number(event, "pos")

    def _read_ends(self, event: Event) -> None:
        pos, size_bytes = self._reads.pop(event.pid, None), number(event, "bytes")
        if pos is not None and size_bytes > 0 and self._wanted(event.pid):
            self._usage.read += (pos + size_bytes - 1 >> _PAGE_BITS) - (pos >> _PAGE_BITS) + 1

    def _looks_up(self, event: Event) -> None:
        """One read looks up again from where it has come to; another file, or an earlier page, is another read."""
        tid, inode, index = event.pid, number(event, "i_ino"), number(event, "index")
        span = self._spans.get(tid)
        if span is not None and span.inode == inode and index > span.at:
            span.at = index
            return
        self._close(tid)
        self._spans[tid] = _Span(inode, index, index)

    def _close(self, tid: int, size_bytes: int = 1) -> None:
        if (span := self._spans.pop(tid, None)) is not None and self._wanted(tid):
            self._usage.read += max(span.at - span.first + 1, -(-size_bytes >> _PAGE_BITS))

    def _call_ends(self, event: Event) -> None:
        self._close(event.pid, number(event, "ret"))

    def _looks_around(self, event: Event) -> None:
        if self._wanted(event.pid):
            self._usage.faults += 1
            self._mapped.add(event.pid)

    def _fault_ends(self, event: Event) -> None:
        """One that comes again has looked around already, or has not."""
        if event.pid in self._mapped:
            self._mapped.discard(event.pid)
        elif not number(event, "ret") & _RETRY and self._wanted(event.pid):
            self._usage.faults += 1

    def _fault_begins(self, event: Event) -> None:
        page = number(event, "i_ino"), number(event, "index")
        again = self._asked.get(event.pid) == page
        self._asked[event.pid] = page
        if event.pid in self._mapped:
            self._mapped.discard(event.pid)
        elif not again and self._wanted(event.pid):
            self._usage.faults += 1

    def _add(self, event: Event) -> None:
        if self._wanted(event.pid):
            pages = 1 << number(event, "order")
            self._usage.added += pages
            self._added[event.pid, number(event, "i_ino"), number(event, "index")] = pages
            if len(self._added) > _ADDED_KEPT:
                del self._added[next(iter(self._added))]

    def _remove(self, event: Event) -> None:
        if self._wanted(event.pid):
            self._usage.removed += 1 << number(event, "order")

    def _dirty(self, event: Event) -> None:
        if self._wanted(event.pid):
            pages = self._added.pop((event.pid, number(event, "ino"), number(event, "index")), 0)
            self._usage.written += pages
            self._usage.dirtied += pages or 1

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is Kind.MEMORY:
            try:
                sizes = json.loads(fact.body)
                self._usage.buffers_kb, self._usage.cached_kb = int(sizes["Buffers"]), int(sizes["Cached"])
            except (ValueError, KeyError, TypeError):
                return

    def take(self, _start_ns: int, end_ns: int) -> tuple[int, Usage]:
        """What was added up since the last time, and when that ends. Reads still under way count when they end."""
        done = self._usage
        self._usage = Usage(buffers_kb=done.buffers_kb, cached_kb=done.cached_kb)
        return end_ns, done

    def lost(self) -> None:
        self._reads.clear()
        self._spans.clear()
        self._mapped.clear()
        self._asked.clear()
        self._added.clear()
