"""bitesize: show how large block I/O is, as a histogram.

          >=KB        <KB     COUNT DISTRIBUTION
             0          1         4 #
             1          8       911 ######################################
             8         64       120 #####
            64        128        37 #
           128          -         6 #

A request is counted when the driver is given it, with what it was merged with by then; one that is put back and given
again is counted once more. -b says where the classes begin, in Kbytes. --by-comm, -F and -D make a histogram for each
task name, type and disk, all bars drawn to one measure. There is one table at the end, or with --interval one for each
interval.
"""

from __future__ import annotations

from collections.abc import Iterator

from ftracepy.analysis.block import Devices
from ftracepy.analysis.blockrequests import Requests
from ftracepy.analysis.histogram import Bounds
from ftracepy.analysis.intervals import intervals
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.errors import UsageFault
from ftracepy.probes import Blocks, Tasks, Wish
from ftracepy.tools.blockoptions import Chosen, Histograms, chosen_by
from ftracepy.tools.histograms import Bucket, bucket_rows, bucket_type
from ftracepy.tools.kit import Feed, argument, option, tool

_KB = 1024


def _bounds(text: str) -> tuple[int, ...]:
    """Option type: growing numbers of Kbytes, as bytes. Raises UsageFault for anything else."""
    try:
        found = tuple(int(float(one) * _KB) for one in text.replace(",", " ").split())
        Bounds(found)
    except (ValueError, OverflowError):
        raise UsageFault(f"'{text}' are no classes", why="they have to be growing numbers", hint="-b '1 8 64 128'") from None
    return found


def _in_kb(size_bytes: int) -> str:
    return f"{size_bytes / _KB:g}"


class Options(Chosen):
    bounds: tuple[int, ...] = option(
        "-b", "--buckets", type=_bounds, default=(_KB, 8 * _KB, 64 * _KB, 128 * _KB), metavar="'A B C'",
        help="Kbytes at which classes begin (1 8 64 128)",
    )  # fmt: skip
    device: str | None = option("--device", type=str, help="only this device: its name, or MAJOR,MINOR")
    interval: float | None = option("--interval", type=float, metavar="SECONDS", help="a table every so many seconds")
    seconds: float | None = argument("seconds", type=float, help="stop after so many seconds")

    def check(self) -> None:
        self.duration = self.duration if self.seconds is None else self.seconds
        if self.interval is not None and self.interval <= 0:
            raise UsageFault(f"an interval of {self.interval} seconds cannot be counted", hint="--interval 1")


Sizes = bucket_type("KB", _in_kb)


def _wishes(options: Options) -> tuple[Wish, ...]:
    return Blocks(device=options.device), Tasks()


def _row_for(options: Options) -> type[Bucket]:
    return bucket_type("KB", _in_kb, options.front)


@tool(wishes=_wishes, options=Options, row=Sizes, row_for=_row_for)
def bitesize(feed: Feed, options: Options) -> Iterator[Bucket]:
    tasks, devices = TaskTable(feed.schema), Devices()
    source = Requests(tasks, devices, issued=True)
    found = Histograms(source.out, chosen_by(options, devices), lambda: Bounds(options.bounds), lambda one: one.size_bytes)
    interval_ns = None if options.interval is None else int(options.interval * 1e9)
    every = intervals(feed, (devices, source, found, tasks), found.take, interval_ns)
    for block, (end_ns, histograms) in enumerate(every):
        largest = max((one.largest for one in histograms.values()), default=0)
        for key, histogram in sorted(histograms.items()):
            values = dict(zip(options.front, key, strict=True))
            yield from bucket_rows(
                histogram, ts_ns=end_ns, block=None if interval_ns is None else block, row=_row_for(options), largest=largest,
                **values,
            )  # fmt: skip
