"""System calls counted and timed by columns, for rates at which an object per event would be too slow.

Works on raw_syscalls events, or on the syscalls:* ones where only those were recorded. A call is counted in the
interval in which it entered, its time and error in the one in which it left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from ftracepy.analysis.intervals import Cuts
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, Route, number, to_ns
from ftracepy.schema import Schema
from ftracepy.system import syscalls
from ftracepy.system.errnos import MAX_ERRNO, RESTARTS
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, Event
    from ftracepy.analysis.feed import Feed

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
        self._open: dict[int, tuple[int, int]] = {}  # by tid: key and start of the call it is in
        self._tallies: dict[int, dict[int, list[int]]] = {}  # by tid, then key: calls, errors, total, longest
        self._counted: list[Counted] = []
        self._names: dict[int, str] = {}  # keys of syscalls:* events are negative, those of raw ones the call's number
        self._enters: dict[int, int] = {}  # event id to key
        self._exits: dict[int, int] = {}
        self._raw_seen = False
        enter, leave = schema.event("raw_syscalls", "sys_enter"), schema.event("raw_syscalls", "sys_exit")
        self._raw_enter, self._raw_exit = enter.id if enter else -1, leave.id if leave else -1
        self._map_named(schema)

    def _map_named(self, schema: Schema) -> None:
        keys: dict[str, int] = {}
        for one in schema.formats.values():
            way, _, event_name = one.name.removeprefix("sys_").partition("_")
            if one.system == "syscalls":
                key = keys.setdefault(event_name, -2 - len(keys))
                self._names[key] = syscalls.known_as(event_name)
                (self._enters if way == "enter" else self._exits)[one.id] = key

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        """What renames a task: its calls until then belong to the old name. This runs before Tasks hears of it."""
        return {one.id: self._renamed for one in schema.formats.values() if (one.system, one.name) in _RENAMES}

    def _renamed(self, event: Event) -> None:
        for field in ("pid", "old_pid", "child_pid"):
            tid = number(event, field, -1)
            if tid in self._tallies:
                task = self._tasks.get(tid)
                self._fold(tid, task.tgid, task.comm)

    def reader(self, batch: Batch, route: Route) -> Callable[[int], None]:
        """A function that counts the batch's events up to an index, from where it stopped before."""
        ids = batch.id.tolist()
        present = set(ids)
        self._raw_seen = self._raw_seen or self._raw_enter in present
        columns = _Columns(batch, present, self._raw_enter, self._raw_exit, {} if self._raw_seen else self._exits)
        events = zip(range(len(ids)), ids, batch.pid.tolist(), batch.ts.tolist(), strict=True)
        done = 0

        def read(upto: int) -> None:
            nonlocal done
            self._count(batch, route, islice(events, upto - done), columns)
            done = upto

        return read

    def _count(self, batch: Batch, route: Route, events: Iterable[tuple[int, int, int, int]], columns: _Columns) -> None:
        """The hot loop: local names only, and the rarest case last."""
        raw_enter, raw_exit, opened, tallies = self._raw_enter, self._raw_exit, self._open, self._tallies
        enters, exits = ({}, {}) if self._raw_seen else (self._enters, self._exits)
        handlers, losses, own = route.handlers, route.losses, self._tasks.own
        entered, left, returned, rets = columns.entered, columns.left, columns.returned, columns.rets
        for at, ident, tid, ts in events:
            if losses and at in losses:
                route.lose(at)
            if ident == raw_enter:
                key = entered()
            elif ident == raw_exit:
                key, ret = left(), returned()
                if (start := opened.pop(tid, None)) is not None and start[0] == key:
                    _leave(_tally(tallies, tid, key), ts - start[1], ret)
                continue
            elif ident in enters:
                key = enters[ident]
            elif ident in exits:
                key, ret = exits[ident], rets[ident]()
                if (start := opened.pop(tid, None)) is not None and start[0] == key:
                    _leave(_tally(tallies, tid, key), ts - start[1], ret)
                continue
            else:
                for handler in handlers.get(ident, ()):
                    handler(batch[at])
                continue
            if tid not in own:
                opened[tid] = key, ts
                _tally(tallies, tid, key)[0] += 1

    def _fold(self, tid: int, pid: int, comm: str) -> None:
        """Give the task's calls until now the name it has until now."""
        for key, (calls, errors, total, longest) in self._tallies.pop(tid).items():
            name = self._names[key] if key < -1 else syscalls.name_of(key, self._abi)
            self._counted.append(Counted(tid, pid, comm, name, Tally(calls, errors, self._span(total), self._span(longest))))

    def _span(self, raw: int) -> int:
        return self._ns(raw) - self._ns(0)

    def take(self, start: int, end: int) -> Interval:
        """Everything counted since the last time."""
        for tid in list(self._tallies):
            task = self._tasks.get(tid)
            self._fold(tid, task.tgid, task.comm)
        counted, self._counted = self._counted, []
        return Interval(self._ns(start), self._ns(end), counted)

    def lost(self) -> None:
        self._open.clear()


class _Columns:
    """The values of one batch's system call events, each a function that gives the next one."""

    def __init__(self, batch: Batch, present: set[int], raw_enter: int, raw_exit: int, exits: Iterable[int]) -> None:
        self._batch = batch
        self._present = present
        self.entered = self._next(raw_enter, "id")
        self.left = self._next(raw_exit, "id")
        self.returned = self._next(raw_exit, "ret")
        self.rets = {ident: self._next(ident, "ret") for ident in exits if ident in present}

    def _next(self, ident: int, field: str) -> Callable[[], int]:
        values = self._batch.column(ident, field)[1].tolist() if ident in self._present else []
        return iter(values).__next__


def _tally(tallies: dict[int, dict[int, list[int]]], tid: int, key: int) -> list[int]:
    mine = tallies.get(tid)
    if mine is None:
        mine = tallies[tid] = {}
    tally = mine.get(key)
    if tally is None:
        tally = mine[key] = [0, 0, 0, 0]
    return tally


def _leave(tally: list[int], took: int, ret: int) -> None:
    tally[2] += took
    if took > tally[3]:
        tally[3] = took
    if -MAX_ERRNO <= ret < 0 and ret not in RESTARTS:
        tally[1] += 1
