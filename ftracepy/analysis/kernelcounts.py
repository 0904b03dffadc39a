"""Hits counted by key: as the kernel counted them (COUNTS facts), or from the events themselves where those were recorded.

`readings` gives the same of both, for one probes.KernelCounts wish.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from ftracepy.analysis.filtering import kernels_alone, parse
from ftracepy.analysis.intervals import Cuts
from ftracepy.analysis.walk import OWN_SYSTEM, Machine, Route, to_ns
from ftracepy.errors import UsageFault
from ftracepy.probes import KernelCounts
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.values import dataclass, field

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, Event
    from ftracepy.analysis.feed import Feed

Key = tuple[int | str, ...]
PROBE = "count_"  # own probe events of functions that are counted here: PROBE + the function's name
THREAD = "common_pid"
_NEARLY = 0.9  # the kernel's tables are read a little late now and then, so an interval may be a little short


@dataclass(frozen=True, slots=True)
class Reading:
    """What was counted between two times (nanoseconds as shown), by key: values in the order of the wish's `keys`.

    A function's key is its name. `lost` hits found no room in the kernel's table.
    """

    start_ns: int
    end_ns: int
    counts: Counter[Key]
    lost: int = 0


def readings(
    feed: Feed, wish: KernelCounts, *, interval_ns: int | None = None, machines: Sequence[Machine] = (), filter_: str = "",
) -> Iterator[Reading]:  # fmt: skip
    """The counts of each interval, the last one shorter; of the whole run where no interval is given.

    What the kernel counted is cut where it was read: shorter intervals than were asked for then are not to be had.
    `machines` see the feed too (a table of tasks); `filter_` is tried on recorded events, which the kernel may not have
    filtered. Without any event or count there is no reading. Raises UsageFault where the kernel's counts cannot be had so.
    """
    facts = _Facts(wish, filter_, to_ns(feed.schema.time), interval_ns)
    events = _Events(feed.schema, wish, filter_)
    route = Route(feed, (facts, *machines))
    cuts, shown = Cuts(interval_ns, feed.schema.time), to_ns(feed.schema.time)
    for batch in feed.batches:
        _lead(batch, route)
        yield from facts.take()
        if facts.seen:
            continue
        read = events.reader(batch)
        for cut in cuts.of(batch):
            read(cut.index)
            if cut.end is not None:
                yield Reading(shown(cut.start), shown(cut.end), events.take())
    if facts.seen:
        yield from facts.rest()
    elif (rest := cuts.rest()) is not None:
        yield Reading(shown(rest[0]), shown(rest[1]), events.take())


def _lead(batch: Batch, route: Route) -> None:
    """Only the few events that machines want are looked at one by one."""
    route.begin(batch)
    for event in batch.select(ids=list(route.handlers)):
        for handler in route.handlers[event.id]:
            handler(event)
    route.end(batch)


@dataclass(slots=True)
class _Open:
    """The interval that runs now."""

    start: int
    counts: Counter[Key] = field(default_factory=Counter)
    lost: int = 0


class _Facts(Machine):
    """Differences of the totals that COUNTS facts of one name tell; of a wish without a name the first there is."""

    def __init__(self, wish: KernelCounts, filter_: str, ns: Callable[[int], int], interval_ns: int | None) -> None:
        self._name, self._wish, self._filter = wish.name, wish, filter_
        self._ns, self._interval_ns = ns, interval_ns
        self._totals: dict[Key, int] = {}
        self._lost = 0
        self._now: _Open | None = None
        self._latest = 0
        self._done: list[Reading] = []

    @property
    def seen(self) -> bool:
        return self._now is not None

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is not Kind.COUNTS or (told := _told(fact)) is None or told.name != (self._name or told.name):
            return
        self._latest = self._ns(ts)
        if self._now is None:
            self._now = _Open(self._latest)
            self._name, self._places = told.name, _places(told, self._wish)
            _check_filter(told, self._filter)
        now = self._now
        for key, total in told.counts.items():
            now.counts[tuple(key[place] for place in self._places)] += total - self._totals.get(key, 0)
        self._totals |= told.counts
        now.lost, self._lost = now.lost + told.lost - self._lost, told.lost
        if self._interval_ns is not None and self._latest - now.start >= self._interval_ns * _NEARLY:
            self._done += self._cut()

    def _cut(self) -> Iterator[Reading]:
        if self._now is not None:
            yield Reading(self._now.start, self._latest, +self._now.counts, self._now.lost)
            self._now = _Open(self._latest)

    def take(self) -> list[Reading]:
        """The intervals that have ended."""
        done, self._done = self._done, []
        return done

    def rest(self) -> Iterator[Reading]:
        """What came after the last interval that was whole."""
        if self._now is not None and (self._interval_ns is None or self._now.counts or self._now.lost):
            yield from self._cut()


@dataclass(frozen=True, slots=True)
class _Told:
    name: str
    keys: tuple[str, ...]
    filter: str
    counts: dict[Key, int]
    lost: int


def _told(fact: SideFact) -> _Told | None:
    """The fact's content; None where it is damaged."""
    try:
        body = json.loads(fact.body)
        names = tuple(str(one) for one in body["keys"])
        counts = {tuple(key): int(total) for key, total in body["counts"]}
        if any(len(key) != len(names) or not all(isinstance(part, int | str) for part in key) for key in counts):
            return None
        return _Told(str(body["name"]), names, str(body["filter"]), counts, int(body["lost"]))
    except (ValueError, KeyError, TypeError):
        return None


def _places(told: _Told, wish: KernelCounts) -> tuple[int, ...]:
    """Which parts of the keys are wished for. Raises UsageFault where the kernel was not asked to tell them apart."""
    wanted = told.keys if wish.functions else wish.keys or told.keys[:1]
    for key in wanted:
        if key not in told.keys:
            why = f"the kernel counted {told.name} by {' and '.join(told.keys)} alone"
            raise UsageFault(f"hits are not told apart by {key} in this recording", why=why)
    return tuple(told.keys.index(key) for key in wanted)


def _check_filter(told: _Told, filter_: str) -> None:
    if filter_ and filter_ != told.filter:
        why = f"the kernel counted with the filter {told.filter!r}" if told.filter else "the kernel counted every hit"
        raise UsageFault(f"the counts of this recording cannot be filtered by {filter_!r}", why=why)


class _Events:
    """Counts recorded events by columns, or one by one where there is a filter or a key is text."""

    def __init__(self, schema: Schema, wish: KernelCounts, filter_: str) -> None:
        self._keys = wish.keys
        event = wish.event and schema.event(wish.event.system, wish.event.name)
        self._test = _test(filter_, [one.name for one in event.fields] if event else []) if filter_ else None
        self._event = event.id if event else -1
        own = (one for one in schema.formats.values() if one.system.startswith(OWN_SYSTEM) and one.name.startswith(PROBE))
        self._functions = {one.id: one.name.removeprefix(PROBE) for one in own} if wish.functions else {}
        self._columns = event is not None and self._test is None
        self._counts: Counter[Key] = Counter()

    def take(self) -> Counter[Key]:
        """Everything counted since the last time."""
        counts, self._counts = self._counts, Counter()
        return counts

    def reader(self, batch: Batch) -> Callable[[int], None]:
        """A function that counts the batch's events up to an index, from where it stopped before."""
        where, values = self._functions_in(batch) if self._functions else self._keys_in(batch)
        done = 0

        def read(upto: int) -> None:
            nonlocal done
            end = bisect_left(where, upto)
            self._counts.update(values[done:end])
            done = end

        return read

    def _functions_in(self, batch: Batch) -> tuple[list[int], list[Key]]:
        found = [(at, (self._functions[one],)) for at, one in enumerate(batch.id) if one in self._functions]
        return [at for at, _key in found], [key for _at, key in found]

    def _keys_in(self, batch: Batch) -> tuple[list[int], list[Key]]:
        if self._event not in batch.id:
            return [], []
        if self._columns:
            try:
                return self._columns_of(batch)
            except TypeError:
                self._columns = False
        return self._one_by_one(batch)

    def _columns_of(self, batch: Batch) -> tuple[list[int], list[Key]]:
        """Raises TypeError where a key is no single number."""
        where = batch.column(self._event, THREAD)[0].tolist()
        columns = [batch.column(self._event, key)[1].tolist() for key in self._keys]
        return where, list(zip(*columns, strict=True)) if columns else [()] * len(where)

    def _one_by_one(self, batch: Batch) -> tuple[list[int], list[Key]]:
        found = [(at, event) for at, event in enumerate(batch) if event.id == self._event]
        passed = [(at, event) for at, event in found if self._test is None or self._test(event)]
        return [at for at, _ in passed], [tuple(_part(event[key]) for key in self._keys) for _, event in passed]


def untested(filter_: str, fields: Collection[str]) -> str:
    """What the filter names that the kernel alone can look at: events are counted as they were recorded."""
    parsed = parse(filter_)
    names = {"comm", "COMM"} & parsed.fields - set(fields)
    return kernels_alone(parsed) or next(iter(sorted(names)), "")


def _test(filter_: str, fields: Collection[str]) -> Callable[[Event], bool] | None:
    if untested(filter_, fields):
        return None
    parsed = parse(filter_)
    return lambda event: parsed.test(lambda name: _named(event, name))


def _named(event: Event, name: str) -> object:
    value = event.get(name)
    return event.cpu if value is None and name in {"cpu", "CPU"} else value


def _part(value: object) -> int | str:
    return value if isinstance(value, int | str) else str(value)
