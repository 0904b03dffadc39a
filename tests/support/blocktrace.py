"""A disk with one partition: a test says what became of requests, in order."""

from __future__ import annotations

from typing import Any

from ftracepy.analysis.block import Devices, Request
from ftracepy.analysis.blockbios import Bios
from ftracepy.analysis.blockrequests import Requests
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import walk
from ftracepy.sidefacts import Kind
from ftracepy.system import devices
from ftracepy.system.devices import Device
from ftracepy.system.tasklines import TaskLine
from tests.support.events import Trace

DISK, PART = 8 << 20, 8 << 20 | 1
KNOWN = (Device(DISK, "sda", DISK, 0, 4096), Device(PART, "sda1", DISK, 1024, 2048), Device(9 << 20, "sdb", 9 << 20, 0, 4096))


class Disk(Trace):
    """What the kernel tells of one disk; every event comes a microsecond after the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.fact(Kind.DEVICES, 0, devices.pack(KNOWN))
        self.tasks(TaskLine(7, 7, 1, 0, "dd"), TaskLine(8, 7, 1, 0, "dd"))

    def tell(self, name: str, sector: int, sectors: int, rwbs: str = "R", *, tid: int = 7, dev: int = DISK, **more: Any) -> None:
        values: dict[str, Any] = {"dev": dev, "sector": sector, "nr_sector": sectors, "rwbs": rwbs, "comm": f"task{tid}", **more}
        self.event(tid, "block", f"block_{name}", **values)

    def made(self, sector: int, sectors: int = 8, rwbs: str = "R", *, tid: int = 7, dev: int = DISK) -> None:
        self.tell("getrq", sector, sectors, rwbs, tid=tid, dev=dev)

    def issued(self, sector: int, sectors: int = 8, rwbs: str = "R", *, tid: int = 99, **more: Any) -> None:
        self.tell("rq_issue", sector, sectors, rwbs, tid=tid, **{"bytes": sectors * 512, **more})

    def done(self, sector: int, sectors: int = 8, rwbs: str = "R", error: int = 0) -> None:
        self.tell("rq_complete", sector, sectors, rwbs, tid=0, error=error)

    def back(self, sector: int, sectors: int = 8, rwbs: str = "R") -> None:
        self.tell("rq_requeue", sector, sectors, rwbs, tid=0)

    def requests(self, *, issued: bool = False) -> list[Request]:
        tasks, devices = Tasks(self.schema), Devices()
        source = Requests(tasks, devices, issued=issued)
        return list(walk(self.feed(), (devices, source, tasks), source.out))

    def bios(self) -> list[Request]:
        tasks, devices = Tasks(self.schema), Devices()
        source = Bios(tasks, devices)
        return list(walk(self.feed(), (devices, source, tasks), source.out))
