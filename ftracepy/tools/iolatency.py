"""iolatency: show how long block I/O takes, as a histogram for each interval.

          >=us        <us     COUNT DISTRIBUTION
            32         64       211 ####
            64        128      1834 ######################################
           128        256       402 ########
         4,096      8,192         3 #

A request is counted in the interval in which it was done; its time counts from when the driver was given it, with -Q
from when it was made. What is done between two tables is in the later one: none is lost. -D, -F and --by-comm make a
histogram for each disk, type and task name; all bars of an interval are drawn to one measure. -m counts milliseconds.

--heatmap shows an interval as one line, time running down: each character is a class of twice the time of the one
before, from below 1 us to 2 s and more, and stands for 1, 4, 16, 64, 256, 1024, 4096, 16384 or 65536 requests and more:

        COUNT <1us.....256us...66ms.2s
         2450      .:=*=:.      .
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftracepy.analysis.block import Devices
from ftracepy.analysis.blockbios import Bios
from ftracepy.analysis.blockrequests import Requests
from ftracepy.analysis.histogram import Histogram, Powers, Scaled
from ftracepy.analysis.intervals import intervals
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.walk import to_ns
from ftracepy.analysis.wallclock import WallClock
from ftracepy.errors import UsageFault
from ftracepy.probes import Blocks, Tasks, Wish
from ftracepy.tools.blockoptions import Chosen, Histograms, Key, chosen_by
from ftracepy.tools.histograms import Bucket, bucket_rows, bucket_type
from ftracepy.tools.kit import Feed, Row, argument, col, flag, option, tool

_US, _MS = 1000, 1_000_000
_HEAT_CLASSES = 24
_SHADES = " .:-=+*#%@"
_RULER = "<1us.....256us...66ms.2s"  # a character for each class, a label where its class begins


class Options(Chosen):
    device: str | None = option("-d", type=str, metavar="DEVICE", help="only this device: its name, or MAJOR,MINOR")
    queue: bool = flag("-Q", help="times from when the request was made, not from when it was issued")
    time: bool = flag("-T", "--time", help="show the time of day of each interval's end")
    milliseconds: bool = flag("-m", help="classes of milliseconds instead of microseconds")
    heatmap: bool = flag("--heatmap", help="one line for each interval")
    bios: bool = flag("-B", help="bios, of devices that have no requests")
    interval: float = argument("interval", type=float, default=1.0, help="seconds from table to table (1)")
    count: int | None = argument("count", type=int, help="how many tables")

    def check(self) -> None:
        if self.interval <= 0:
            raise UsageFault(f"an interval of {self.interval} seconds cannot be counted", hint="ftracepy iolatency 1")
        if self.count is not None and self.count <= 0:
            raise UsageFault(f"{self.count} tables cannot be shown", hint="ftracepy iolatency 1 10")


def _in_us(ns: int) -> str:
    return f"{ns // _US:,}"


def _in_ms(ns: int) -> str:
    return f"{ns // _MS:,}"


def _shades(counts: list[int]) -> str:
    return "".join(_SHADES[min((count.bit_length() + 1) // 2, len(_SHADES) - 1)] for count in counts).rstrip()


Times = bucket_type("us", _in_us)


class Heat(Row):
    """`counts`: requests below 1 us, then of 1 us and more, of 2 us and more, and so on."""

    count: int = col(width=9, help="requests done in the interval")
    counts: list[int] = col(title=_RULER, show=_shades, escape=False, help="how many took less than 1 us, 2 us, 4 us and so on")


def _scale(options: Options) -> Scaled:
    """A heat map's lines have to stand in one scale, whatever falls into them."""
    if options.heatmap:
        return Scaled(Powers(2, (1 << _HEAT_CLASSES - 2) - 1), _US)
    return Scaled(Powers(), _MS if options.milliseconds else _US)


def _wishes(options: Options) -> tuple[Wish, ...]:
    return Blocks(bios=options.bios, device=options.device), Tasks()


def _row_for(options: Options) -> type[Row]:
    if options.heatmap:
        return Heat
    front = (*(("time",) if options.time else ()), *options.front)
    return bucket_type("ms", _in_ms, front) if options.milliseconds else bucket_type("us", _in_us, front)


@tool(wishes=_wishes, options=Options, row=(Times, Heat), row_for=_row_for)
def iolatency(feed: Feed, options: Options) -> Iterator[Row]:
    tasks, devices, clock, ns = TaskTable(feed.schema), Devices(), WallClock(), to_ns(feed.schema.time)
    source = Bios(tasks, devices) if options.bios else Requests(tasks, devices)
    found = Histograms(
        source.out, chosen_by(options, devices), lambda: _scale(options),
        lambda one: ns(one.done) - ns(one.begun(from_made=options.queue)),
    )  # fmt: skip
    every = intervals(feed, (clock, devices, source, found, tasks), found.take, int(options.interval * 1e9))
    for block, (end_ns, histograms) in enumerate(every):
        yield from _table(options, block, end_ns, histograms, clock)
        if block + 1 == options.count:
            return


def _table(options: Options, block: int, end_ns: int, found: dict[Key, Histogram], clock: WallClock) -> Iterator[Row]:
    if options.heatmap:
        all_ = Histogram(_scale(options))
        for one in found.values():
            all_.merge(one)
        yield Heat(ts_ns=end_ns, count=len(all_), counts=[count for _span, count in all_.buckets()])
        return
    row: type[Bucket] = _row_for(options)  # type: ignore[assignment]
    time: dict[str, Any] = {"time": clock.show(end_ns)} if options.time else {}
    largest = max((one.largest for one in found.values()), default=0)
    for key, histogram in sorted(found.items()):
        values = dict(zip(options.front, key, strict=True))
        yield from bucket_rows(histogram, ts_ns=end_ns, block=block, row=row, largest=largest, **time, **values)
