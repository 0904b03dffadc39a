"""funclatency: show how long calls of kernel functions take, as a histogram.

          >=ns        <ns     COUNT DISTRIBUTION
           512      1,024       211 ####
         1,024      2,048      1834 ######################################
         2,048      4,096       402 ########
     1,048,576  2,097,152         3 #

FUNCTIONS are names, globs and MODULE:GLOB; -F makes a histogram for each, all bars of an interval drawn to one measure.
-u and -m count microseconds and milliseconds. A call is counted in the interval in which it returns, a recursive one each
time. -C leaves out the time asleep. Calls around a loss of events are forgotten, not guessed. With -F:

    FUNCTION                       >=ns        <ns     COUNT DISTRIBUTION
    vfs_read                        512      1,024       211 ####
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftracepy.analysis.histogram import Histogram, Powers, Scaled
from ftracepy.analysis.intervals import intervals
from ftracepy.analysis.spans import Span, Spans
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.wallclock import WallClock
from ftracepy.errors import UsageFault
from ftracepy.probes import Functions, Tasks, Wish
from ftracepy.tools.functionoptions import MANY, FunctionOptions, all_patterns, positive
from ftracepy.tools.histograms import Bucket, bucket_rows, bucket_type
from ftracepy.tools.kit import Feed, argument, flag, option, tool

_UNITS = {"ns": 1, "us": 1000, "ms": 1_000_000}


class Options(FunctionOptions):
    functions: tuple[str, ...] = argument("functions", many=True, help=MANY)
    interval: float | None = option("-i", type=float, metavar="SECONDS", help="histograms every so many seconds")
    by_function: bool = flag("-F", "--by-function", help="a histogram for each function")
    microseconds: bool = flag("-u", help="classes of microseconds instead of nanoseconds")
    milliseconds: bool = flag("-m", help="classes of milliseconds")
    time: bool = flag("-T", "--time", help="show the time of day of each interval's end")
    on_cpu: bool = flag("-C", "--on-cpu", help="the time on the CPU alone: time asleep is left out")
    no_irq: bool = flag("--no-irq", help="leave out calls that interrupts make")

    def check(self) -> None:
        positive(self.interval, "an interval", "-i 1")
        if self.microseconds and self.milliseconds:
            raise UsageFault("both microseconds and milliseconds are asked for", hint="-u or -m")

    @property
    def unit(self) -> str:
        return "ms" if self.milliseconds else "us" if self.microseconds else "ns"


def _in_ns(ns: int) -> str:
    return f"{ns:,}"


def _in_us(ns: int) -> str:
    return f"{ns // 1000:,}"


def _in_ms(ns: int) -> str:
    return f"{ns // 1_000_000:,}"


_SHOWN = {"ns": _in_ns, "us": _in_us, "ms": _in_ms}


def _row_for(options: Options) -> type[Bucket]:
    front = (*(("time",) if options.time else ()), *(("function",) if options.by_function else ()))
    return bucket_type(options.unit, _SHOWN[options.unit], front)


def _wishes(options: Options) -> tuple[Wish, ...]:
    named = all_patterns(options.functions)
    return Functions(named, "spans", options.exclude, irqs=not options.no_irq, on_cpu=options.on_cpu), Tasks()


class _Histograms:
    """One for each function, or one in all, since the last time they were taken."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._found: dict[str, Histogram] = {}

    def add(self, one: Span) -> None:
        if self._options.admits(pid=one.pid, tid=one.tid, comm=one.comm):
            name = one.function if self._options.by_function else ""
            if (histogram := self._found.get(name)) is None:
                histogram = self._found[name] = Histogram(Scaled(Powers(), _UNITS[self._options.unit]))
            histogram.add(one.took_ns)

    def take(self, _start_ns: int, end_ns: int) -> tuple[int, dict[str, Histogram]]:
        found, self._found = self._found, {}
        return end_ns, found


@tool(wishes=_wishes, options=Options, row=bucket_type("ns", _in_ns), row_for=_row_for)
def funclatency(feed: Feed, options: Options) -> Iterator[Bucket]:
    tasks, clock, found = TaskTable(feed.schema), WallClock(), _Histograms(options)
    spans = Spans(feed.schema, tasks, found.add, irqs=not options.no_irq)
    interval_ns = None if options.interval is None else int(options.interval * 1e9)
    every = intervals(feed, (clock, spans, tasks), found.take, interval_ns)
    for block, (end_ns, histograms) in enumerate(every):
        largest = max((one.largest for one in histograms.values()), default=0)
        time: dict[str, Any] = {"time": clock.show(end_ns)} if options.time else {}
        for name, histogram in sorted(histograms.items()):
            values = time | ({"function": name} if options.by_function else {})
            at = None if interval_ns is None else block
            yield from bucket_rows(histogram, ts_ns=end_ns, block=at, row=_row_for(options), largest=largest, **values)
