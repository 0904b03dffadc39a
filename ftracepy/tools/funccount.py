"""funccount: count calls of kernel functions.

    FUNCTION                             COUNT
    vfs_read                              4210
    vfs_write                             1933
    vfs_open                               412

FUNCTIONS are names, globs and MODULE:GLOB. The kernel counts where it can, so that nothing is recorded; where it cannot
(very many functions), each call is. --by-process tells processes apart. With -i there is a table for each interval,
otherwise one at the end. How it is counted here stands in the first lines. By process:

        PID COMM            FUNCTION                             COUNT
       4711 cat             vfs_read                               205
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ftracepy.analysis.kernelcounts import Reading, readings
from ftracepy.analysis.stacks import Names
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.wallclock import WallClock
from ftracepy.probes import Functions, KernelCounts, Tasks, Tracepoint, Wish
from ftracepy.tools.functionoptions import MANY, FunctionOptions, all_patterns, positive
from ftracepy.tools.kit import Feed, Row, argument, col, flag, option, tool

_NAME, _IP, _THREAD = "functions", "ip", "common_pid"


class Options(FunctionOptions):
    functions: tuple[str, ...] = argument("functions", many=True, help=MANY)
    interval: float | None = option("-i", type=float, metavar="SECONDS", help="a table every so many seconds")
    top: int | None = option("-t", type=int, metavar="N", help="only the N largest counts")
    time: bool = flag("-T", "--time", help="show the time of day of each table's end")
    by_process: bool = flag("--by-process", help="count the calls of each process apart")

    def check(self) -> None:
        positive(self.interval, "an interval", "-i 1")
        positive(self.top, "a number of rows", "-t 10")

    @property
    def by_task(self) -> bool:
        """Whether it matters who called."""
        return self.by_process or any(one is not None for one in (self.pid, self.tid, self.comm))


class _Time(Row):
    time: str | None = col(width=8, help="time of day at the end of the interval")


class _Process(Row):
    pid: int = col(width=7, help="process that called")
    comm: str = col(width=15, help="name of the task, as it was last")


class _Counted(Row):
    function: str = col(width=32, help="the function")
    count: int = col(width=9, help="how often it was called")


class Counted(_Counted):
    pass


class ByProcess(_Counted, _Process):
    pass


class Timed(_Counted, _Time):
    pass


class TimedByProcess(_Counted, _Process, _Time):
    pass


def _row_for(options: Options) -> type[_Counted]:
    if options.by_process:
        return TimedByProcess if options.time else ByProcess
    return Timed if options.time else Counted


def _wishes(options: Options) -> tuple[Wish, ...]:
    named = all_patterns(options.functions)
    return Functions(named, "counts", options.exclude, by_task=options.by_task, interval_s=options.interval), Tasks()


@tool(wishes=_wishes, options=Options, row=(Counted, ByProcess, Timed, TimedByProcess), row_for=_row_for)
def funccount(feed: Feed, options: Options) -> Iterator[_Counted]:
    tasks, clock, names = TaskTable(feed.schema), WallClock(), Names(feed.schema)
    keys = (_IP, _THREAD) if options.by_task else (_IP,)
    wish = KernelCounts(_NAME, Tracepoint("ftrace", "function"), keys)
    interval_ns = None if options.interval is None else int(options.interval * 1e9)
    for block, reading in enumerate(readings(feed, wish, interval_ns=interval_ns, machines=(clock, tasks))):
        time = {"time": clock.show(reading.end_ns)} if options.time else {}
        if reading.lost:
            feed.notice(f"{reading.lost} calls found no room in the kernel's table and are not counted")
        sums = _sums(reading, options, tasks, names)
        for key, count in sorted(sums.items(), key=lambda item: (-item[1], item[0]))[: options.top]:
            values: dict[str, Any] = dict(zip(("function", "pid", "comm"), key, strict=False)) | time
            yield _row_for(options)(
                ts_ns=reading.end_ns, block=None if interval_ns is None else block, count=count, **values
            )  # fmt: skip


def _sums(reading: Reading, options: Options, tasks: TaskTable, names: Names) -> Counter[tuple[str | int, ...]]:
    sums: Counter[tuple[str | int, ...]] = Counter()
    for (function, *threads), count in reading.counts.items():
        name = function if isinstance(function, str) else names.name(function)
        who: tuple[str | int, ...] = ()
        if threads:
            task = tasks.get(int(threads[0]))
            if task.tid in tasks.own or not options.admits(pid=task.tgid, tid=task.tid, comm=task.comm):
                continue
            who = (task.tgid, task.comm) if options.by_process else ()
        sums[name, *who] += count
    return sums
