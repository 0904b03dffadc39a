"""Whose event it was, by the name that the task had then, and in which control group: histories by thread and process."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ftracepy.analysis.cgroups import Cgroups
from ftracepy.analysis.tasks import UNNAMED, Tasks
from ftracepy.analysis.walk import Handler, Machine, Route, number, text
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact

if TYPE_CHECKING:
    from collections.abc import Callable

    from ftracepy._fastparse import Batch, Event
    from ftracepy.analysis.feed import Feed

_LATEST = 1 << 63


class Names(Machine):
    """Follows batches as they come (`see`) and tells afterwards who a thread was at a time.

    `tasks` is the table of tasks as it is now; `header` the run's own words about itself, {} where there are none.
    """

    def __init__(self, feed: Feed) -> None:
        self.tasks = Tasks(feed.schema)
        self.header: dict[str, Any] = {}
        self._said: list[tuple[int, str]] = []
        self._changes: dict[int, tuple[list[int], list[str]]] = {}
        heard: Callable[[dict[str, Any]], None] = self.header.update
        feed.header = heard
        self._cgroups = Cgroups(self.tasks)
        self._time = feed.schema.time
        self._route = Route(feed, (self, self.tasks, self._cgroups))
        self._ids = frozenset(self._route.handlers)
        marker = feed.schema.event("ftrace", "raw_data")
        self._marker = marker.id if marker else -1

    def see(self, batch: Batch) -> None:
        """Learn from a batch's task events and side facts."""
        for event in batch.select(ids=self._ids):
            for handler in self._route.handlers[event.id]:
                handler(event)

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is Kind.FILTER:
            self._said.append((ts, fact.body.decode("utf-8", "backslashreplace")))

    def said(self) -> list[tuple[int, str]]:
        """What has been said since the last call about what is recorded, and when (raw clock)."""
        said, self._said = self._said, []
        return said

    def is_own(self, event: Event) -> bool:
        """A fact that we wrote ourselves: no event of the kernel's."""
        return event.id == self._marker

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        """Before Tasks hears of a change, what the name was until then is still to be had."""
        rename, new = schema.event("task", "task_rename"), schema.event("task", "task_newtask")
        found = [(rename, self._rename), (new, self._newtask)]
        return {one.id: handler for one, handler in found if one}

    def _rename(self, event: Event) -> None:
        self._change(number(event, "pid", event.pid), event.ts, text(event, "newcomm"))

    def _newtask(self, event: Event) -> None:
        self._change(number(event, "pid"), event.ts, text(event, "comm"))

    def _change(self, tid: int, ts: int, comm: str) -> None:
        if tid not in self._changes:
            before = self.tasks.peek(tid)
            self._changes[tid] = ([0], [before.comm if before else UNNAMED])
        stamps, comms = self._changes[tid]
        stamps.append(ts)
        comms.append(comm)

    @property
    def learns_from(self) -> frozenset[int]:
        """Ids of the events that tell who and where tasks are."""
        return self._ids

    def comm(self, tid: int, ts: int) -> str:
        """The name of a thread at a time (raw clock)."""
        if tid in self._changes:
            stamps, comms = self._changes[tid]
            return comms[bisect_right(stamps, ts) - 1]
        return self.tasks.get(tid).comm

    def cgroup(self, tid: int, ts: int) -> str | None:
        """The control group of a thread's process at a time (raw clock); None where it is not known."""
        return self._cgroups.at(self.pid(tid), ts)

    def cgroup_now(self, pid: int) -> str | None:
        """The control group of a process as last known."""
        return self._cgroups.at(pid, _LATEST)

    def raw(self, ns: int) -> int:
        """The raw stamp of a time that is shown, to the clock's own precision."""
        return ((ns - self._time.offset_ns) << self._time.shift) // self._time.mult

    def pid(self, tid: int) -> int:
        """The process of a thread, as last known."""
        return self.tasks.get(tid).tgid
