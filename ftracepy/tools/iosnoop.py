"""iosnoop: show each block I/O with its size, where it went, and how long it waited and was served.

    COMM                PID TYPE DEV           BLOCK    BYTES  QUEUEms    LATms ERR
    postgres           4711 WS   vda        29947720    16384    0.038    1.204 -
    jbd2/vda-8          211 FF   vda               0        0    0.151    4.872 -
    cat                4802 RA   nvme0n1      524288   131072        -    0.093 EIO

A line is one request to a driver, and COMM and PID are whose it was when it was made: QUEUEms is the time from then
until the driver was given it (- where it was not seen being made), LATms from then until it was done. With -Q LATms
holds both. TYPE: R read, W write, D discard, F flush, N none of these; then S sync, M metadata, A read ahead, F what is
written has to last; F before another letter: a flush before it. A request that was put back counts its last turn as LATms
and all before as QUEUEms. -B shows bios instead, of devices that make no requests of them: device-mapper, zram.

Of two equal requests under way at the same time, the one issued first is taken to be done first. What was under way when
events were lost, or when the tool started, is not shown; a disk that came later is shown by its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ftracepy.analysis.block import Devices, Request, meaning
from ftracepy.analysis.blockbios import Bios
from ftracepy.analysis.blockrequests import Requests
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.walk import to_ns, walk
from ftracepy.probes import Blocks, Tasks, Wish
from ftracepy.system import errnos
from ftracepy.tools.blockoptions import Wanted, admits
from ftracepy.tools.kit import Feed, Row, argument, col, flag, option, tool


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.3f}"


class Options(Wanted):
    device: str | None = option("-d", type=str, metavar="DEVICE", help="only this device: its name, or MAJOR,MINOR")
    queue: bool = flag("-Q", help="LATms from when the request was made, not from when it was issued")
    start: bool = flag("-s", help="show when each request was issued, with -Q made (seconds, trace clock)")
    bios: bool = flag("-B", help="show bios, of devices that have no requests")
    seconds: float | None = argument("duration", type=float, help="stop after so many seconds")

    def check(self) -> None:
        self.duration = self.duration if self.seconds is None else self.seconds


class _Start(Row):
    start_ns: int = col(width=16, align="left", title="STARTs", show=lambda ns: f"{ns / 1e9:.6f}", help="when LATms begins")


class _Io(Row):
    comm: str = col(width=15, help="name of the task that made the request, then")
    pid: int = col(width=7, help="process that made it")
    type: str = col(width=4, help="what it does, in the kernel's letters")
    dev: str = col(width=8, help="the disk")
    sector: int = col(width=10, title="BLOCK", help="where it begins: the disk's sector of 512 bytes")
    size_bytes: int = col(width=8, title="BYTES", help="how much of the disk it is about")
    queue_ns: int | None = col(width=8, title="QUEUEms", show=_ms, help="time from being made to being issued")
    lat_ns: int = col(width=8, title="LATms", show=_ms, help="time from being issued to being done; with -Q from being made")
    err: str | None = col(help="why it failed")
    tid: int = col(place="data", help="thread that made it")
    meaning: list[str] = col(place="data", help="the type in words")


class Io(_Io):
    pass


class IoWithStart(_Io, _Start):
    pass


def _wishes(options: Options) -> tuple[Wish, ...]:
    return Blocks(bios=options.bios, device=options.device), Tasks()


def _row_for(options: Options) -> type[_Io]:
    return IoWithStart if options.start else Io


@tool(wishes=_wishes, options=Options, row=(Io, IoWithStart), row_for=_row_for)
def iosnoop(feed: Feed, options: Options) -> Iterator[_Io]:
    tasks, devices, ns = TaskTable(feed.schema), Devices(), to_ns(feed.schema.time)
    source = Bios(tasks, devices) if options.bios else Requests(tasks, devices)
    chosen = devices.chooser(options.device)
    for one in walk(feed, (devices, source, tasks), source.out):
        if admits(options, chosen, one):
            yield _row(one, options, devices.name(one.dev), ns)


def _row(one: Request, options: Options, dev: str, ns: Callable[[int], int]) -> _Io:
    begun = one.begun(from_made=options.queue)
    values = {"start_ns": ns(begun)} if options.start else {}
    return _row_for(options)(
        ts_ns=ns(one.done), comm=one.comm, pid=one.pid, tid=one.tid, type=one.rwbs, dev=dev, sector=one.sector,
        size_bytes=one.size_bytes, queue_ns=None if one.queued is None else ns(one.queued) - ns(0),
        lat_ns=ns(one.done) - ns(begun), err=errnos.name(-one.error) if one.error else None,
        meaning=list(meaning(one.rwbs)), **values,
    )  # fmt: skip
