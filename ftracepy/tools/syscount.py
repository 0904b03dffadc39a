"""syscount: count system calls by process or by call, with errors and times.

    COMM                 COUNT    ERRORS      TOTAL        MAX
    postgres             48210        12   812.44ms    31.90ms
    node                 20933      1187      9.81s      1.00s
    sshd                   412         0     3.12ms   102.40us

-c counts by system call instead, -v by process id, too. TOTAL and MAX are the time spent in calls that have returned;
sleeping in them counts. With -i there is a table for each interval, otherwise one at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ftracepy.analysis.counts import Counted, Interval, Tally, counts
from ftracepy.errors import UsageFault
from ftracepy.probes import Syscalls, Tasks
from ftracepy.tools.kit import Feed, Filters, Row, col, flag, option, tool

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us"))


def _time(ns: int) -> str:
    size, unit = next(((size, unit) for size, unit in _UNITS if ns >= size), (1, "ns"))
    return f"{ns / size:.2f}{unit}" if size > 1 else f"{ns}ns"


class Options(Filters):
    by_call: bool = flag("-c", "--by-call", help="count by system call instead of by process name")
    verbose: bool = flag("-v", help="count each process id apart")
    top: int | None = option("-t", type=int, metavar="N", help="only the N largest counts")
    interval: float | None = option("-i", type=float, metavar="SECONDS", help="a table every so many seconds")

    def check(self) -> None:
        if self.interval is not None and self.interval <= 0:
            raise UsageFault(f"an interval of {self.interval} seconds cannot be counted", hint="-i 1")
        if self.top is not None and self.top <= 0:
            raise UsageFault(f"the {self.top} largest counts cannot be shown", hint="-t 10")


class _Pid(Row):
    pid: int = col(width=7, help="process")


class _Comm(Row):
    comm: str = col(width=16, help="name of the tasks then")


class _Call(Row):
    syscall: str = col(width=18, help="system call")


class _Counts(Row):
    count: int = col(width=9, help="calls made")
    errors: int = col(width=9, help="calls that failed")
    total_ns: int = col(width=10, title="TOTAL", show=_time, help="time in them")
    max_ns: int = col(width=10, title="MAX", show=_time, help="longest of them")


# Columns stand in the order of the bases from right to left: what is counted, then the counts.
class ByComm(_Counts, _Comm):
    pass


class ByPid(_Counts, _Comm, _Pid):
    pass


class ByCall(_Counts, _Call):
    pass


class ByPidAndCall(_Counts, _Call, _Comm, _Pid):
    pass


def _row_for(options: Options) -> type[_Counts]:
    if options.by_call:
        return ByPidAndCall if options.verbose else ByCall
    return ByPid if options.verbose else ByComm


@tool(wishes=(Syscalls(), Tasks()), options=Options, row=(ByComm, ByPid, ByCall, ByPidAndCall), row_for=_row_for)
def syscount(feed: Feed, options: Options) -> Iterator[_Counts]:
    interval_ns = None if options.interval is None else int(options.interval * 1e9)
    for block, interval in enumerate(counts(feed, interval_ns=interval_ns)):
        yield from _table(interval, options, None if interval_ns is None else block)


def _table(interval: Interval, options: Options, block: int | None) -> list[_Counts]:
    """The largest first; equal ones in the order of their names."""
    row = _row_for(options)
    keys = [one.name for one in row.columns() if one.name in {"pid", "comm", "syscall"}]
    wanted = (one for one in interval.counted if options.admits(pid=one.pid, tid=one.tid, comm=one.comm))
    sums = sorted(_sums(wanted, keys).items(), key=lambda item: (-item[1].calls, item[0]))
    return [
        row(ts_ns=interval.end_ns, block=block, count=sum_.calls, errors=sum_.errors, total_ns=sum_.total, max_ns=sum_.longest,
            **dict(zip(keys, key, strict=True)))
        for key, sum_ in sums[: options.top]
    ]  # fmt: skip


def _sums(counted: Iterable[Counted], keys: list[str]) -> dict[tuple[object, ...], Tally]:
    sums: dict[tuple[object, ...], Tally] = {}
    for one in counted:
        values = {"pid": one.pid, "comm": one.comm, "syscall": one.name}
        sums.setdefault(tuple(values[key] for key in keys), Tally()).add(one.tally)
    return sums
