"""cachestat: show for each interval how much of what was read was in the page cache.

        HITS   MISSES  DIRTIES   RATIO   BUFFERS_MB   CACHE_MB
        3201     3200        0   50.0%            4        118
         410        0      112  100.0%            4        118
           0        0        0       -            4        118

All in pages. An access is a page that a read takes bytes from, once for each read, or that a fault on a mapped file asks
for. MISSES are pages that were added to the cache to be read into, read ahead or not; HITS the accesses beyond them;
RATIO is HITS of both together. A page that a write adds is no miss. DIRTIES are pages that became dirty (of a large
folio that was there before, one). tmpfs is not counted, nor is what bypasses the cache.

Where this kernel cannot tell accesses, HITS and RATIO are -, and the way that is shown at the start says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftracepy.analysis.intervals import intervals
from ftracepy.analysis.pagecache import PageCache, Usage
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.wallclock import WallClock
from ftracepy.errors import UsageFault
from ftracepy.probes import PageCache as PageCacheWish
from ftracepy.probes import Tasks, Wish
from ftracepy.tools.kit import Feed, Filters, Row, argument, col, flag, tool


class Options(Filters):
    time: bool = flag("-t", "--time", help="show the time of day of each interval's end")
    detail: bool = flag("-D", "--detail", help="show what the figures are made of")
    interval: float = argument("interval", type=float, default=1.0, help="seconds from line to line (1)")

    def check(self) -> None:
        if self.interval <= 0:
            raise UsageFault(f"an interval of {self.interval} seconds cannot be counted", hint="ftracepy cachestat 1")


class _Time(Row):
    time: str | None = col(width=8, help="time of day at the end of the interval")


class _Ratio(Row):
    hits: int | None = col(width=8, help="pages accessed that were there")
    misses: int = col(width=8, help="pages added to be read into")
    dirties: int = col(width=8, help="pages that became dirty")
    ratio: float | None = col(width=7, show=lambda ratio: f"{ratio:.1%}", help="share of hits, from 0 to 1")
    buffers_mb: int | None = col(width=12, help="/proc/meminfo's Buffers: cached blocks of devices, in MB")
    cache_mb: int | None = col(width=10, help="/proc/meminfo's Cached: cached files, in MB")


class _Detail(Row):
    read: int | None = col(width=8, help="pages that reads took bytes from")
    faults: int | None = col(width=8, help="pages that faults on mapped files asked for")
    added: int = col(width=8, help="pages added to the cache")
    written: int = col(width=8, help="those of them that were added to be written")
    removed: int = col(width=8, help="pages removed from the cache")


class Cache(_Ratio):
    pass


class CacheAt(_Ratio, _Time):
    pass


class CacheDetail(_Detail, _Ratio):
    pass


class CacheDetailAt(_Detail, _Ratio, _Time):
    pass


def _row_for(options: Options) -> type[_Ratio]:
    if options.detail:
        return CacheDetailAt if options.time else CacheDetail
    return CacheAt if options.time else Cache


def _wishes(options: Options) -> tuple[Wish, ...]:
    return PageCacheWish(interval_s=options.interval), Tasks()


@tool(wishes=_wishes, options=Options, row=(Cache, CacheAt, CacheDetail, CacheDetailAt), row_for=_row_for)
def cachestat(feed: Feed, options: Options) -> Iterator[_Ratio]:
    tasks, clock = TaskTable(feed.schema), WallClock()

    def admits(tid: int) -> bool:
        task = tasks.get(tid)
        return options.admits(pid=task.tgid, tid=tid, comm=task.comm)

    cache = PageCache(feed.schema, tasks, admits)
    for end_ns, usage in intervals(feed, (clock, cache, tasks), cache.take, int(options.interval * 1e9)):
        more: dict[str, Any] = {"time": clock.show(end_ns)} if options.time else {}
        if options.detail:
            reads = (usage.read, usage.faults) if cache.knows_reads else (None, None)
            more |= {
                "read": reads[0],
                "faults": reads[1],
                "added": usage.added,
                "written": usage.written,
                "removed": usage.removed,
            }
        yield _row(_row_for(options), end_ns, usage, cache.knows_reads, more)


def _row(row: type[_Ratio], end_ns: int, usage: Usage, knows_reads: bool, more: dict[str, Any]) -> _Ratio:
    total = usage.hits + usage.misses
    return row(
        ts_ns=end_ns, hits=usage.hits if knows_reads else None, misses=usage.misses, dirties=usage.dirtied,
        ratio=round(usage.hits / total, 4) if knows_reads and total else None, buffers_mb=_mb(usage.buffers_kb),
        cache_mb=_mb(usage.cached_kb), **more,
    )  # fmt: skip


def _mb(kb: int | None) -> int | None:
    return None if kb is None else round(kb / 1024)
