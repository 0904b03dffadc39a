"""Bios of devices that make no requests of them, from being queued to being done.

Every bio is told when it is queued (block_bio_queue). One that becomes a request, or a part of one, ends with the request and
is not told again; the others are (block_bio_complete). A split leaves a front that goes on by itself; of a device without
requests the rest ends last, at its own place. A bio that md passes on to a disk as it is ends there, and is not seen to end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ftracepy.analysis.block import SECTOR_BYTES, Devices, Places, Request, sector_of
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, number, text
from ftracepy.schema import Schema

if TYPE_CHECKING:
    from ftracepy._fastparse import Event


class Bios(Machine):
    """Puts each bio that ends as one into `out`: those of devices that make requests of them end as requests."""

    def __init__(self, tasks: Tasks, devices: Devices) -> None:
        self.out: deque[Request] = deque()
        self._tasks, self._devices = tasks, devices
        self._doubts = 0
        self._under_way = Places()

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        wanted: dict[str, Handler] = {
            "block_bio_queue": self._queued, "block_bio_complete": self._done, "block_split": self._split,
            "block_getrq": self._gone, "block_bio_backmerge": self._gone, "block_bio_frontmerge": self._gone,
        }  # fmt: skip
        return {form.id: wanted[form.name] for form in schema.formats.values() if form.system == "block" and form.name in wanted}

    def _queued(self, event: Event) -> None:
        dev, start, tid = self._devices.disk(number(event, "dev")), sector_of(event), event.pid
        sectors = number(event, "nr_sector")
        one = Request(
            dev, start, text(event, "rwbs"), tid, self._tasks.get(tid).tgid, text(event, "comm"), start, start + sectors,
            size_bytes=sectors * SECTOR_BYTES, issued=event.ts,
        )  # fmt: skip
        self._under_way.put(dev, start, one)

    def _find(self, event: Event, sectors: int | None) -> Request | None:
        dev, rwbs = self._devices.disk(number(event, "dev")), text(event, "rwbs")
        here = self._under_way.at(dev, sector_of(event))
        return next((one for one in here if one.rwbs == rwbs and sectors in (None, one.end - one.start)), None)

    def _split(self, event: Event) -> None:
        """Its front goes on by itself; what ends last is the rest of it."""
        if (one := self._find(event, None)) is not None:
            self._under_way.drop(one.dev, one.start, one)
            one.start = number(event, "new_sector")
            self._under_way.put(one.dev, one.start, one)

    def _gone(self, event: Event) -> None:
        if (one := self._find(event, None)) is not None:
            self._under_way.drop(one.dev, one.start, one)

    def _done(self, event: Event) -> None:
        if (one := self._find(event, number(event, "nr_sector"))) is not None:
            self._under_way.drop(one.dev, one.start, one)
            one.done, one.error = event.ts, number(event, "error")
            if not self._doubts and one.tid not in self._tasks.own:
                self.out.append(one)

    def doubt(self) -> None:
        self._doubts += 1
        self._under_way.clear()

    def lost(self) -> None:
        self._doubts = max(self._doubts - 1, 0)
        self._under_way.clear()
