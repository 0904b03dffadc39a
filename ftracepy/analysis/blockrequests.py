"""Block requests from being made to being done.

What shaped it (kernel: block/blk-mq.c, blk-merge.c, blk-flush.c, include/trace/events/block.h):
a request is made for a bio (block_getrq) and may grow at either end while it waits, or be taken into its neighbour; what
the driver is given (block_rq_issue) stays as it is until it is done or put back (block_rq_requeue). It may be done in
parts, each from where the last one ended. A request is known by nothing but device, place, size and kind, and of equal
ones under way at once the one issued first is taken to be done first. A flush is one request made for all that wait for
it; its end tells place -1, and each that waited ends then without having been issued. Since 5.12 what is told of bios
names the partition, what is told of requests the disk. After a loss nothing that was under way is known any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ftracepy.analysis.block import SECTOR_BYTES, Devices, Places, Request, direction, sector_of
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, number, text
from ftracepy.schema import Schema

if TYPE_CHECKING:
    from ftracepy._fastparse import Event


_Place = tuple[int, int, int, str]  # disk, first sector, sector behind the last, letters


class _Waiting:
    """Requests made and not yet issued, by where they begin and where they end."""

    def __init__(self) -> None:
        self._starts, self._ends = Places(), Places()

    def add(self, one: Request) -> None:
        self._starts.put(one.dev, one.start, one)
        self._ends.put(one.dev, one.end, one)

    def remove(self, one: Request) -> None:
        self._starts.drop(one.dev, one.start, one)
        self._ends.drop(one.dev, one.end, one)

    def beginning(self, dev: int, place: int, kind: str) -> Request | None:
        return next((one for one in self._starts.at(dev, place) if direction(one.rwbs) == kind), None)

    def ending(self, dev: int, place: int, kind: str) -> Request | None:
        return next((one for one in self._ends.at(dev, place) if direction(one.rwbs) == kind), None)

    def reach(self, one: Request, *, start: int | None = None, end: int | None = None) -> None:
        """It has grown."""
        self.remove(one)
        one.start, one.end = one.start if start is None else start, one.end if end is None else end
        self.add(one)

    def within(self, dev: int, start: int, end: int, kind: str) -> Iterator[Request]:
        """Those that follow each other from `start` to `end` at most."""
        while start < end and (one := self.beginning(dev, start, kind)) is not None and one.end <= end and one.end > start:
            yield one
            start = one.end

    def clear(self) -> None:
        self._starts.clear()
        self._ends.clear()


class Requests(Machine):
    """Puts each request into `out` when it is done; with `issued` when it is given to the driver."""

    def __init__(self, tasks: Tasks, devices: Devices, *, issued: bool = False) -> None:
        self.out: deque[Request] = deque()
        self._tasks, self._devices, self._at_issue = tasks, devices, issued
        self._waiting = _Waiting()
        self._under_way = Places()
        self._doubts = 0
        self._flushes: dict[int, Request] = {}  # by disk: the first that waits for the next flush

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        wanted: dict[str, Handler] = {
            "block_getrq": self._made, "block_bio_backmerge": self._grown_behind, "block_bio_frontmerge": self._grown_before,
            "block_rq_merge": self._taken_in, "block_rq_issue": self._issued, "block_rq_requeue": self._put_back,
            "block_rq_complete": self._done,
        }  # fmt: skip
        return {form.id: wanted[form.name] for form in schema.formats.values() if form.system == "block" and form.name in wanted}

    def _place(self, event: Event) -> _Place:
        start = sector_of(event)
        return self._devices.disk(number(event, "dev")), start, start + number(event, "nr_sector"), text(event, "rwbs")

    def _new(self, event: Event) -> Request:
        dev, start, end, rwbs = self._place(event)
        tid = event.pid
        return Request(dev, start, rwbs, tid, self._tasks.get(tid).tgid, text(event, "comm"), start, end)

    def _made(self, event: Event) -> None:
        one = self._new(event)
        one.made = event.ts
        if one.start != one.end:
            self._waiting.add(one)
        elif one.rwbs[:1] == "F":
            self._flushes.setdefault(one.dev, one)

    def _grown_behind(self, event: Event) -> None:
        dev, start, end, rwbs = self._place(event)
        if (one := self._waiting.ending(dev, start, direction(rwbs))) is not None:
            self._waiting.reach(one, end=end)

    def _grown_before(self, event: Event) -> None:
        dev, start, end, rwbs = self._place(event)
        if (one := self._waiting.beginning(dev, end, direction(rwbs))) is not None:
            self._waiting.reach(one, start=start)

    def _taken_in(self, event: Event) -> None:
        """The event tells of the request that goes; the one in front of it stays."""
        dev, start, end, rwbs = self._place(event)
        kind = direction(rwbs)
        if (one := self._waiting.beginning(dev, start, kind)) is not None:
            self._waiting.remove(one)
        if (front := self._waiting.ending(dev, start, kind)) is not None:
            self._waiting.reach(front, end=end)
            if one is not None and one.made is not None and front.made is not None:
                front.made = min(front.made, one.made)

    def _issued(self, event: Event) -> None:
        one = self._new(event)
        one.size_bytes = number(event, "bytes", (one.end - one.start) * SECTOR_BYTES)
        one.end = one.start + one.size_bytes // SECTOR_BYTES
        one.issued = event.ts
        self._learn_origin(one)
        self._under_way.put(one.dev, one.start, one)
        if self._at_issue and one.tid not in self._tasks.own:
            self.out.append(one)

    def _learn_origin(self, one: Request) -> None:
        """Who made it and when; what else waits within it was merged into it, told (5.11 and later) or not."""
        kind = direction(one.rwbs)
        if kind == "F":
            origin = self._flushes.pop(one.dev, None)
        else:
            parts = list(self._waiting.within(one.dev, one.start, one.end, kind))
            for part in parts:
                self._waiting.remove(part)
            origin = parts[0] if parts else None
        if origin is None:
            return
        one.tid, one.pid, one.comm, one.made = origin.tid, origin.pid, origin.comm, origin.made
        if origin.size_bytes:  # it was put back
            one.sector, one.size_bytes = origin.sector, origin.size_bytes

    def _put_back(self, event: Event) -> None:
        """What is left of it waits again; the driver's time begins anew with the next issue."""
        if (one := self._find(self._place(event))) is not None:
            self._under_way.drop(one.dev, one.start, one)
            one.made = one.issued if one.made is None else one.made
            if one.start != one.end:
                self._waiting.add(one)
            else:
                self._flushes.setdefault(one.dev, one)

    def _done(self, event: Event) -> None:
        told = self._place(event)
        one = self._find(told)
        if one is None:
            return
        sectors = told[2] - told[1]
        self._under_way.drop(one.dev, one.start, one)
        one.error = one.error or number(event, "error")
        if sectors < one.end - one.start:
            one.start += sectors
            self._under_way.put(one.dev, one.start, one)
            return
        one.done = event.ts
        if not self._at_issue and not self._doubts and one.tid not in self._tasks.own:
            self.out.append(one)

    def _find(self, told: _Place) -> Request | None:
        """What is told ends it whole or, if it says anything, in part."""
        dev, start, end, rwbs = told
        sectors = end - start
        here = [one for one in self._under_way.at(dev, start) if one.rwbs == rwbs]
        whole = next((one for one in here if one.end - one.start == sectors), None)
        return whole or next((one for one in here if 0 < sectors < one.end - one.start), None)

    def doubt(self) -> None:
        """An end may be missing, or an end and the next beginning at its place: until the loss is over nothing is believed."""
        self._doubts += 1
        self._forget()

    def lost(self) -> None:
        self._doubts = max(self._doubts - 1, 0)
        self._forget()

    def _forget(self) -> None:
        self._waiting.clear()
        self._under_way.clear()
        self._flushes.clear()
