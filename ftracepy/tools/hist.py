"""hist: count the values of any event's field, as a histogram.

              >=            <     COUNT DISTRIBUTION
               -            0       101 ######
               0            1         3 #
               1            2         0
               2            4        29 #
               4            8      1009 ######################################

EVENT is SYSTEM:EVENT and FIELD one of its number fields (ftracepy tpoint -l shows them): here syscalls:sys_exit_read and
ret. A bucket holds the values from >= on that are below <; those below 0, error returns mostly, have one of their own.
Buckets grow by powers of 2 unless -P, -s or -b says otherwise. --by gives a histogram for each process, or for each
value of another field.

The kernel counts, and nothing is recorded, where it has hist triggers; elsewhere, or with --every-event, each hit is
recorded and counted here, which costs more and keeps the texts of --by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ftracepy.analysis.histogram import Bounds, Histogram, Powers, Scale, Steps
from ftracepy.analysis.kernelcounts import THREAD, Reading, readings, untested
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.errors import UsageFault
from ftracepy.probes import KernelCounts, Tasks, Tracepoint, Wish
from ftracepy.tools.histograms import Bucket, bucket_rows
from ftracepy.tools.kit import Feed, Filters, Row, argument, col, flag, option, tool

if TYPE_CHECKING:
    from ftracepy.analysis.tasks import Task

_BY: dict[str, Callable[[Task], str]] = {
    "process": lambda task: f"{task.comm} {task.tgid}",
    "name": lambda task: task.comm,
}
_BAR_CHARS = 24


def _bounds(text: str) -> tuple[int, ...]:
    """Option type: whole numbers that grow, with blanks or commas between."""
    return tuple(int(word) for word in text.replace(",", " ").split())


class Options(Filters):
    event: str = argument("event", default="", help="SYSTEM:EVENT")
    field: str = argument("field", default="", help="a number field of it")
    seconds: float | None = argument("seconds", type=float, help="stop after so many seconds")
    bounds: tuple[int, ...] = option(
        "-b", "--buckets", type=_bounds, default=(), metavar='"N N..."', help="buckets from these values on"
    )
    power: int | None = option("-P", "--power", type=int, metavar="N", help="buckets that grow by powers of N (default: 2)")
    step: int | None = option("-s", "--step", type=int, metavar="N", help="buckets N wide")
    most: int | None = option("-m", "--max", type=int, metavar="N", help="all from this power on in one bucket")
    filter: str = option("-f", "--filter", default="", help="only hits that this lets through, in the kernel's filter language")
    by: str = option("-k", "--by", default="", metavar="KEY", help="one each: process, name (of tasks), or a field of the event")
    top: int | None = option("--top", type=int, metavar="N", help="with --by: only the N largest")
    interval: float | None = option("-i", "--interval", type=float, metavar="SECONDS", help="a histogram every so many seconds")
    every_event: bool = flag("--every-event", help="record each hit instead of counting in the kernel")

    def check(self) -> None:
        if self.event and not all(self.event.partition(":")):
            raise UsageFault(f"'{self.event}' is no event", hint="hist syscalls:sys_exit_read ret")
        if sum((bool(self.bounds), self.power is not None, self.step is not None)) > 1:
            raise UsageFault("buckets are given by one of -b, -P and -s")
        if self.interval is not None and self.interval <= 0:
            raise UsageFault(f"an interval of {self.interval} seconds cannot be counted", hint="-i 1")
        if self.seconds is not None:
            self.duration = self.seconds
        self.scale()

    def scale(self) -> Scale:
        """How values are put into buckets."""
        try:
            if self.bounds:
                return Bounds(self.bounds)
            return Steps(self.step) if self.step is not None else _powers(2 if self.power is None else self.power, self.most)
        except ValueError as fault:
            raise UsageFault("these buckets cannot be made", why=str(fault)) from None

    def counted(self) -> KernelCounts:
        """By the field's values, the threads where they matter, and the field of --by."""
        threads = self.by in _BY or not (self.pid is None and self.tid is None and self.comm is None)
        keys = (self.field, *([THREAD] if threads else []), *([self.by] if self.by and self.by not in _BY else []))
        system, _, name = self.event.partition(":")
        if not self.event or not self.field:
            return KernelCounts("", interval_s=self.interval)
        return KernelCounts(f"{self.event}.{self.field}", Tracepoint(system, name, self.filter), keys, interval_s=self.interval)


def _powers(base: int, most: int | None) -> Powers:
    """The last bucket begins at the largest power that is not above `most`. Raises ValueError where powers do not grow."""
    if most is None or base < 2:
        return Powers(base)
    last = 1
    while last * base <= most:
        last *= base
    return Powers(base, last - 1)


class Plain(Bucket):
    pass


class _Key(Row):
    key: str | None = col(width=20, help="whose values these are")


class ByKey(Bucket, _Key):
    share: float = col(
        align="left", title="DISTRIBUTION", show=lambda share: "#" * (max(1, int(share * _BAR_CHARS)) if share else 0),
        help="count beside the fullest bucket's, from 0 to 1",
    )  # fmt: skip


def _row_for(options: Options) -> type[Bucket]:
    return ByKey if options.by else Plain


def _wishes(options: Options) -> tuple[Wish, ...]:
    wish = options.counted()
    counted = wish.event if options.every_event and wish.event else wish
    return (counted, Tasks()) if THREAD in wish.keys else (counted,)


@tool(wishes=_wishes, options=Options, row=(Plain, ByKey), row_for=_row_for)
def hist(feed: Feed, options: Options) -> Iterator[Bucket]:
    tasks = TaskTable(feed.schema)
    interval_ns = None if options.interval is None else int(options.interval * 1e9)
    if options.filter:
        _tell_untested(feed, options)
    found = readings(feed, options.counted(), interval_ns=interval_ns, machines=(tasks,), filter_=options.filter)
    for block, reading in enumerate(found):
        yield from _table(reading, options, tasks, None if interval_ns is None else block)
        if reading.lost:
            feed.notice(
                f"{reading.lost} hits found no room in the kernel's table: they are in no bucket (--every-event has room)"
            )


def _tell_untested(feed: Feed, options: Options) -> None:
    event = options.counted().event
    form = event and feed.schema.event(event.system, event.name)
    if form and (alone := untested(options.filter, [one.name for one in form.fields])):
        feed.notice(f"{alone} is for the kernel alone: of a recording made without this filter every hit is counted")


def _table(reading: Reading, options: Options, tasks: TaskTable, block: int | None) -> Iterator[Bucket]:
    """The fullest histogram first."""
    keys = options.counted().keys
    histograms: dict[str | None, Histogram] = {}
    for values, count in reading.counts.items():
        named = dict(zip(keys or ("",), values, strict=True))
        if (value := _number(values[0])) is None:
            raise UsageFault(
                f"{options.field} is no single number: it falls into no bucket", hint=f"hist FIELD --by {options.field}"
            )
        if _admitted(named, options, tasks):
            key = _key(named, options, tasks)
            histograms.setdefault(key, Histogram(options.scale())).add(value, count)
    row = _row_for(options)
    for key, one in sorted(histograms.items(), key=lambda item: (-len(item[1]), item[0] or ""))[: options.top]:
        if row is ByKey:
            yield from bucket_rows(one, ts_ns=reading.end_ns, block=block, row=ByKey, key=key)
        else:
            yield from bucket_rows(one, ts_ns=reading.end_ns, block=block, row=row)


def _number(value: int | str) -> int | None:
    return value if isinstance(value, int) else None


def _task(named: dict[str, int | str], tasks: TaskTable) -> Task:
    return tasks.get(_number(named[THREAD]) or 0)


def _admitted(named: dict[str, int | str], options: Options, tasks: TaskTable) -> bool:
    if THREAD not in named:
        return True
    task = _task(named, tasks)
    return task.tid not in tasks.own and options.admits(pid=task.tgid, tid=task.tid, comm=task.comm)


def _key(named: dict[str, int | str], options: Options, tasks: TaskTable) -> str | None:
    if not options.by:
        return None
    return _BY[options.by](_task(named, tasks)) if options.by in _BY else str(named[options.by])
