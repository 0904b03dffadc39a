"""System calls counted and timed by columns, for rates at which an object per event would be too slow.

Works on raw_syscalls events, or on the syscalls:* ones where only those were recorded. A call is counted in the
interval in which it entered, its time and error in the one in which it left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from ftracepy._fastparse import call_counter
from ftracepy.analysis.intervals import Cuts
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, Route, number, to_ns
from ftracepy.schema import Schema
from ftracepy.system import syscalls
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, CallCounter, Event
    from ftracepy.analysis.feed import Feed

_FIRST_KEY = -(1 << 40)  # beyond any number that a program can ask for
_RENAMES = {("sched", "sched_process_exec"), ("sched", "sched_process_fork"), ("task", "task_rename"), ("task", "task_newtask")}


@dataclass(slots=True)
class Tally:
    """What one task did with one system call: calls entered, errors, and the time of calls that left (nanoseconds)."""

    calls: int = 0
    errors: int = 0
    total: int = 0
    longest: int = 0

    def add(self, other: Tally) -> None:
        """Take another's calls in."""
        self.calls += other.calls
        self.errors += other.errors
        self.total += other.total
        self.longest = max(self.longest, other.longest)


@dataclass(frozen=True, slots=True)
class Counted:
    """One task's calls of one system call under one name."""

    tid: int
    pid: int
    comm: str
    name: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened between two stamps (nanoseconds), in no particular order."""

    start_ns: int
    end_ns: int
    counted: list[Counted]


def counts(feed: Feed, *, interval_ns: int | None = None, tasks: Tasks | None = None) -> Iterator[Interval]:
    """The calls of each interval as soon as it has passed; of the whole run where no interval is given."""
    tasks = tasks or Tasks(feed.schema)
    counter = Counter(feed.schema, tasks)
    route = Route(feed, (counter, tasks))
    cuts = Cuts(interval_ns, feed.schema.time)
    for batch in feed.batches:
        route.begin(batch)
        reader = counter.reader(batch, route)
        for cut in cuts.of(batch):
            reader(cut.index)
            if cut.end is not None:
                yield counter.take(cut.start, cut.end)
        route.end(batch)
    if (rest := cuts.rest()) is not None:
        yield counter.take(*rest)


class Counter(Machine):
    """Tallies by task and call. Pairs entry and exit by task and number; a loss forgets what is open."""

    def __init__(self, schema: Schema, tasks: Tasks) -> None:
        self._tasks = tasks
        self._ns = to_ns(schema.time)
        self._abi = syscalls.native_abi(schema.arch)
        self._counted: list[Counted] = []
        self._names: dict[int, str] = {}  # of the keys of syscalls:* events; those of raw ones are the call's number
        self._enters: dict[int, int] = {}  # event id to key
        self._exits: dict[int, int] = {}
        self._raw_seen = False
        enter, leave = schema.event("raw_syscalls", "sys_enter"), schema.event("raw_syscalls", "sys_exit")
        self._raw_enter, self._raw_exit = enter.id if enter else -1, leave.id if leave else -1
        self._map_named(schema)
        self._calls: CallCounter | None = None
        self._left_out = 0

    def _map_named(self, schema: Schema) -> None:
        keys: dict[str, int] = {}
        for one in schema.formats.values():
            way, _, event_name = one.name.removeprefix("sys_").partition("_")
            if one.system == "syscalls":
                key = keys.setdefault(event_name, _FIRST_KEY - len(keys))
                self._names[key] = syscalls.known_as(event_name)
                (self._enters if way == "enter" else self._exits)[one.id] = key

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        """What renames a task: its calls until then belong to the old name. This runs before Tasks hears of it."""
        return {one.id: self._renamed for one in schema.formats.values() if (one.system, one.name) in _RENAMES}

    def _renamed(self, event: Event) -> None:
        for field in ("pid", "old_pid", "child_pid"):
            self._fold(number(event, field, -1))

    def reader(self, batch: Batch, route: Route) -> Callable[[int], None]:
        """A function that counts the batch's events up to an index, from where it stopped before."""
        if self._calls is None:
            self._calls = call_counter(batch)(self._raw_enter, self._raw_exit, self._enters, self._exits, route.handlers)
        self._raw_seen = self._raw_seen or self._raw_enter in batch.id
        at = 0

        def read(upto: int) -> None:
            nonlocal at
            for stop in [*sorted(one for one in route.losses if at <= one < upto), upto]:
                self._count(batch, route, at, stop)
                at = stop
                if stop < upto:
                    route.lose(stop)

        return read

    def _count(self, batch: Batch, route: Route, at: int, stop: int) -> None:
        """Count by columns, and hand on what changes the tasks."""
        assert self._calls
        while at < stop:
            if len(self._tasks.own) != self._left_out:
                self._left_out = len(self._tasks.own)
                self._calls.leave_out(self._tasks.own)
            at = self._calls.count(batch, at, stop, self._raw_seen)
            if at < stop:
                for handler in route.handlers.get(batch.id[at], ()):
                    handler(batch[at])
                at += 1

    def _fold(self, tid: int) -> None:
        """Give the task's calls until now the name it has until now."""
        if self._calls is None or not (tallies := self._calls.take(tid)):
            return
        task = self._tasks.get(tid)
        for key, calls, errors, total, longest in tallies:
            name = self._names.get(key) or syscalls.name_of(key, self._abi)
            tally = Tally(calls, errors, self._span(total), self._span(longest))
            self._counted.append(Counted(tid, task.tgid, task.comm, name, tally))

    def _span(self, raw: int) -> int:
        return self._ns(raw) - self._ns(0)

    def take(self, start: int, end: int) -> Interval:
        """Everything counted since the last time."""
        for tid in self._calls.tids() if self._calls else ():
            self._fold(tid)
        if self._calls:
            self._calls.trim()
        counted, self._counted = self._counted, []
        return Interval(self._ns(start), self._ns(end), counted)

    def lost(self) -> None:
        if self._calls:
            self._calls.lost()
