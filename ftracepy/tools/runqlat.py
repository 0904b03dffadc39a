"""runqlat: show how long tasks waited for a CPU when they could have run.

    COMM                 WAITS      TOTAL        AVG        MAX
    cc1                   2210      1.93s   873.31us    24.01ms
    postgres              9120    96.14ms    10.54us     2.22ms
    kworker/1:2            377     1.02ms     2.71us    18.00us

A wait begins when a task is woken, or is pushed off its CPU though it could go on, and ends when it runs.
-v tells processes of one name apart, -t shows the N that waited longest in all. With -i there is a table for each
interval, otherwise one at the end; a wait counts where it ended. Lost events make the waits that they fall into unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftracepy.analysis.intervals import intervals
from ftracepy.analysis.runqueue import Key, RunQueue, Waits
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.errors import UsageFault
from ftracepy.probes import Tasks, Tracepoint
from ftracepy.tools.kit import Feed, Filters, Row, col, flag, option, tool

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us"))
_WAKES = (Tracepoint("sched", "sched_wakeup"), Tracepoint("sched", "sched_wakeup_new"), Tracepoint("sched", "sched_switch"))


def _time(ns: int) -> str:
    size, unit = next(((size, unit) for size, unit in _UNITS if ns >= size), (1, "ns"))
    return f"{ns / size:.2f}{unit}" if size > 1 else f"{ns}ns"


class Options(Filters):
    verbose: bool = flag("-v", help="count each process id apart")
    top: int | None = option("-t", type=int, metavar="N", help="only the N that waited longest in all")
    interval: float | None = option("-i", type=float, metavar="SECONDS", help="a table every so many seconds")

    def check(self) -> None:
        if self.interval is not None and self.interval <= 0:
            raise UsageFault(f"an interval of {self.interval} seconds cannot be counted", hint="-i 1")
        if self.top is not None and self.top <= 0:
            raise UsageFault(f"the {self.top} longest waits cannot be shown", hint="-t 10")


class _Pid(Row):
    pid: int = col(width=7, help="process")


class ByComm(Row):
    comm: str = col(width=16, help="name of the tasks then")
    count: int = col(width=9, title="WAITS", help="times that they waited")
    total_ns: int = col(width=10, title="TOTAL", show=_time, help="how long in all")
    average_ns: int = col(width=10, title="AVG", show=_time, help="how long on average")
    max_ns: int = col(width=10, title="MAX", show=_time, help="longest of them")


class ByPid(ByComm, _Pid):
    pass


def _row_for(options: Options) -> type[ByComm]:
    return ByPid if options.verbose else ByComm


@tool(wishes=(*_WAKES, Tasks()), options=Options, row=(ByComm, ByPid), row_for=_row_for)
def runqlat(feed: Feed, options: Options) -> Iterator[ByComm]:
    tasks = TaskTable(feed.schema)
    queue = RunQueue(feed.schema, tasks)
    interval_ns = None if options.interval is None else int(options.interval * 1e9)
    for block, (end_ns, waits) in enumerate(intervals(feed, (queue, tasks), queue.take, interval_ns)):
        yield from _table(waits, options, end_ns, None if interval_ns is None else block)


def _table(waits: dict[Key, Waits], options: Options, end_ns: int, block: int | None) -> Iterator[ByComm]:
    """Who waited longest in all first; equal ones in the order of their names."""
    sums: dict[tuple[str, int], Waits] = {}
    for (tid, pid, comm), one in waits.items():
        if options.admits(pid=pid, tid=tid, comm=comm):
            found = sums.setdefault((comm, pid if options.verbose else 0), Waits())
            found.count, found.total = found.count + one.count, found.total + one.total
            found.longest = max(found.longest, one.longest)
    for (comm, pid), one in sorted(sums.items(), key=lambda item: (-item[1].total, item[0]))[: options.top]:
        values: dict[str, Any] = {
            "ts_ns": end_ns, "block": block, "comm": comm, "count": one.count, "total_ns": one.total,
            "average_ns": one.total // one.count, "max_ns": one.longest,
        }  # fmt: skip
        yield ByPid(pid=pid, **values) if options.verbose else ByComm(**values)
