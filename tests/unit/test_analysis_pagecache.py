"""The page cache: accesses, misses and what writes add, in pages, by whichever events a kernel has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ftracepy.analysis.intervals import intervals
from ftracepy.analysis.pagecache import PageCache, Usage
from ftracepy.analysis.tasks import Tasks
from ftracepy.live.aides.memory import sizes_kb
from ftracepy.schema import EventFormat, Field, FieldKind
from ftracepy.sidefacts import Kind
from tests.support.events import Trace

_PROBES = {
    "cache_read": ("pos",),
    "cache_splice": ("pos",),
    "cache_read_end": ("bytes",),
    "cache_map": (),
    "cache_fault_end": ("ret",),
}
_ALWAYS = {
    ("filemap", "mm_filemap_add_to_page_cache"): ("i_ino", "index", "order"),
    ("filemap", "mm_filemap_delete_from_page_cache"): ("i_ino", "index", "order"),
    ("writeback", "writeback_dirty_folio"): ("ino", "index"),
}
_LOOKUPS = {
    ("filemap", "mm_filemap_get_pages"): ("i_ino", "index", "last_index"),
    ("filemap", "mm_filemap_map_pages"): ("i_ino", "index", "last_index"),
    ("filemap", "mm_filemap_fault"): ("i_ino", "index"),
}


class Cache(Trace):
    """What a kernel tells that has the probes, the lookups, or neither."""

    def __init__(self, *, probes: bool = False, lookups: bool = False) -> None:
        super().__init__(probes=_PROBES if probes else {})
        for ident, (key, fields) in enumerate({**_ALWAYS, **(_LOOKUPS if lookups else {})}.items(), 900):
            made = tuple(Field(one, "long", 8 + 8 * at, 8, True, FieldKind.FIXED, 8, None) for at, one in enumerate(fields))
            self.schema.add([EventFormat(*key, ident, (), made, "", "")])

    def add(self, index: int, pages_log2: int = 0, *, tid: int = 7) -> None:
        self.event(tid, "filemap", "mm_filemap_add_to_page_cache", i_ino=5, index=index, order=pages_log2)

    def dirty(self, index: int, *, tid: int = 7) -> None:
        self.event(tid, "writeback", "writeback_dirty_folio", ino=5, index=index)

    def look(self, what: str, index: int, *, inode: int = 5, tid: int = 7) -> None:
        last = {} if what == "fault" else {"last_index": index + 31}
        self.event(tid, "filemap", f"mm_filemap_{what}", i_ino=inode, index=index, **last)

    def read(self, pos: int, size: int, *, begin: str = "cache_read") -> None:
        self.probe(7, begin, pos=pos)
        self.probe(7, "cache_read_end", bytes=size)

    def usage(self, admits: Callable[[int], bool] = lambda _tid: True) -> tuple[Usage, bool]:
        tasks = Tasks(self.schema)
        cache = PageCache(self.schema, tasks, admits)
        ((_end, usage),) = intervals(self.feed(), [cache, tasks], cache.take, None)
        return usage, cache.knows_reads


@pytest.mark.parametrize(
    ("pos", "size", "pages"), [(0, 4096, 1), (0, 4097, 2), (4095, 2, 2), (8191, 1, 1), (0, 0, 0), (0, -14, 0)]
)
def test_a_read_accesses_the_pages_that_its_bytes_come_from(pos: int, size: int, pages: int) -> None:
    cache = Cache(probes=True)
    cache.read(pos, size)
    cache.read(pos, size, begin="cache_splice")
    usage, knows = cache.usage()
    assert (usage.read, knows) == (2 * pages, True)


def test_large_folios_count_as_the_pages_they_are() -> None:
    cache = Cache(probes=True)
    cache.add(0, 4)
    cache.add(16, 0)
    cache.read(0, 17 * 4096)
    cache.read(0, 17 * 4096)
    usage, _ = cache.usage()
    assert (usage.misses, usage.hits, usage.accesses) == (17, 17, 34)


def test_what_a_write_adds_is_no_miss() -> None:
    cache = Cache()
    cache.add(0, 2)
    cache.dirty(0)
    cache.add(4)
    cache.dirty(4, tid=8)
    usage, knows = cache.usage()
    assert (usage.added, usage.written, usage.misses, usage.dirtied, knows) == (5, 4, 1, 5, False)


def test_what_is_read_ahead_in_vain_is_missed_and_makes_no_hits() -> None:
    cache = Cache(probes=True)
    cache.add(0, 5)
    cache.read(0, 4096)
    usage, _ = cache.usage()
    assert (usage.misses, usage.hits) == (32, 0)


def test_faults_count_once_however_they_are_served() -> None:
    """Found around it; not found; come again."""
    cache = Cache(probes=True)
    cache.probe(7, "cache_map")
    cache.probe(7, "cache_map")
    cache.probe(7, "cache_fault_end", ret=0x204)
    cache.probe(7, "cache_fault_end", ret=0x400)
    cache.probe(7, "cache_fault_end", ret=0x200)
    assert cache.usage()[0].faults == 3


def test_lookups_of_one_read_are_one_access_of_each_page() -> None:
    """A read asks for 32 pages of a small file, again from where it has come to, and is told how much it got."""
    cache = Cache(lookups=True)
    cache.look("get_pages", 0)
    cache.look("get_pages", 15)
    cache.leave(7, "read", 20 * 4096)
    cache.look("get_pages", 0)
    cache.leave(7, "read", 100)
    usage, knows = cache.usage()
    assert (usage.read, knows) == (21, True)


def test_reads_without_a_call_end_where_the_next_begins() -> None:
    cache = Cache(lookups=True)
    cache.look("get_pages", 0)
    cache.look("get_pages", 3)
    cache.look("get_pages", 0, inode=6)
    cache.look("get_pages", 0, inode=7)
    assert cache.usage()[0].read == 4 + 1


def test_faults_by_tracepoints() -> None:
    cache = Cache(lookups=True)
    cache.look("map_pages", 0)
    cache.look("fault", 8)
    cache.look("fault", 9)
    cache.look("fault", 9)
    assert cache.usage()[0].faults == 2


def test_only_those_asked_for_and_never_ourselves() -> None:
    cache = Cache()
    cache.header(own=[9])
    for tid in (7, 8, 9):
        cache.add(tid, tid=tid)
        cache.dirty(100 + tid, tid=tid)
    usage, _ = cache.usage(lambda tid: tid != 8)
    assert (usage.added, usage.dirtied) == (1, 1)


def test_a_loss_forgets_what_was_under_way() -> None:
    cache = Cache(probes=True)
    cache.probe(7, "cache_read", pos=0)
    cache.add(0)
    cache.lose()
    cache.probe(7, "cache_read_end", bytes=4096)
    cache.dirty(0)
    usage, _ = cache.usage()
    assert (usage.read, usage.misses, usage.dirtied) == (0, 1, 1)


@pytest.mark.parametrize("body", [{"Buffers": 2048, "Cached": 4096}, None, {"Buffers": 1}, [1]])
def test_sizes(body: Any) -> None:
    cache = Cache()
    cache.fact(Kind.MEMORY, 0, json.dumps(body).encode())
    usage, _ = cache.usage()
    known = isinstance(body, dict) and len(body) == 2
    assert (usage.buffers_kb, usage.cached_kb) == ((2048, 4096) if known else (None, None))


def test_meminfo() -> None:
    assert sizes_kb("MemTotal: 7 kB\nBuffers:   12 kB\nCached:  34 kB\nSwapCached: 9 kB\n") == {"Buffers": 12, "Cached": 34}
