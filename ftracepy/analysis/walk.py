"""Leads state machines through a feed: each event to those that want it, facts and losses in their place."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from ftracepy.schema import Schema, TimeScale
from ftracepy.sidefacts import Kind, SideFact, Unpacker

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, Event
    from ftracepy.analysis.feed import Feed

Handler = Callable[["Event"], None]
T = TypeVar("T")

OWN_SYSTEM = "ftracepy_"


class Machine:
    """Something that follows a feed. All times are raw stamps of the trace clock."""

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        """Which events it wants, by event id."""
        return {}

    def fact(self, fact: SideFact, ts: int) -> None:
        """A side fact, written at `ts`."""

    def lost(self) -> None:
        """Events are missing here: whatever spans this point is not known any more."""

    def doubt(self) -> None:
        """From here to the next `lost` events of one CPU are missing: what other CPUs tell meanwhile may lack its other half."""

    def advance(self, now: int) -> None:
        """Every event before `now` has been seen."""


class Shortcut(Protocol):
    """Takes events off a walk's hands."""

    def follow(self, route: Route) -> None:
        """The walk begins."""

    def run(self, batch: Batch, at: int, stop: int) -> tuple[int, bool]:
        """Deal with batch[at:stop]; where it came to, and whether the machines have to see the event there."""

    def before(self, event: Event, batch: Batch) -> None:
        """The machines are about to see `event`."""

    def takes(self, one: object) -> bool:
        """Whether something the machines put out was from here, held back by them to keep its place, and is dealt with now."""

    def end(self, batch: Batch) -> None:
        """The batch has been walked."""

    def lost(self) -> None:
        """As a machine's."""


def walk(feed: Feed, machines: Sequence[Machine], out: deque[T], shortcut: Shortcut | None = None) -> Iterator[T]:
    """Run the feed through `machines` in their order, yielding what they put into `out`."""
    route = Route(feed, machines)
    if shortcut is not None:
        shortcut.follow(route)
        yield from _short(feed, route, out, shortcut)
        return
    for batch in feed.batches:
        route.begin(batch)
        if route.losses:
            yield from _with_losses(batch, route, out)
        else:
            wanted = route.handlers.get
            for event in batch:
                for handler in wanted(event.id, ()):
                    handler(event)
                while out:
                    yield out.popleft()
        route.end(batch)
        yield from drain(out)


def _short(feed: Feed, route: Route, out: deque[T], shortcut: Shortcut) -> Iterator[T]:
    for batch in feed.batches:
        route.begin(batch)
        at = 0
        for stop in sorted({*route.losses, len(batch)}):
            while at < stop:
                at, is_theirs = shortcut.run(batch, at, stop)
                if is_theirs:
                    _show(batch, at, route, shortcut)
                    at += 1
                if out:
                    yield from _left(out, shortcut)
            if route.losses.get(stop):
                shortcut.lost()
            if stop in route.losses:
                route.lose(stop)
                yield from _left(out, shortcut)
        shortcut.end(batch)
        route.end(batch)
        yield from _left(out, shortcut)


def _left(out: deque[T], shortcut: Shortcut) -> Iterator[T]:
    """What the shortcut does not take, the rest dealt with in its place."""
    while out:
        if not shortcut.takes(one := out.popleft()):
            yield one


def _show(batch: Batch, at: int, route: Route, shortcut: Shortcut) -> None:
    event = batch[at]
    shortcut.before(event, batch)
    for handler in route.handlers.get(event.id, ()):
        handler(event)


def _with_losses(batch: Batch, route: Route, out: deque[T]) -> Iterator[T]:
    for index, event in enumerate(batch):
        if index in route.losses:
            yield from drain(out)
            route.lose(index)
        for handler in route.handlers.get(event.id, ()):
            handler(event)
        if out:
            yield from drain(out)


def drain(out: deque[T]) -> Iterator[T]:
    """Take out what has been put in, oldest first."""
    while out:
        yield out.popleft()


class Route:
    """The part of a walk that is not the loop over events, for analyses that loop over columns instead."""

    def __init__(self, feed: Feed, machines: Sequence[Machine]) -> None:
        self._feed = feed
        self._machines = machines
        self._unpacker = Unpacker(feed.schema.page.big_endian)
        self.handlers: dict[int, tuple[Handler, ...]] = {}
        self._hearers = [machine for machine in machines if type(machine).fact is not Machine.fact]
        self.losses: dict[int, list[tuple[int, int]]] = {}  # by index of the event before which something is to be told
        self._doubts: list[int] = []  # where the events that were lost may begin: behind the last one of their CPU
        for machine in machines:
            for ident, handler in machine.handlers(feed.schema).items():
                self.handlers[ident] = (*self.handlers.get(ident, ()), handler)
        if marker := feed.schema.event("ftrace", "raw_data"):
            self.handlers[marker.id] = (self._raw_data,)

    def has_parts(self) -> bool:
        """Whether a fact of several pieces is not whole yet."""
        return self._unpacker.has_parts()

    def begin(self, batch: Batch) -> None:
        """Note where the batch's losses are."""
        self.losses, self._doubts = {}, []
        for index, cpu, count in batch.losses:
            self.losses.setdefault(index, []).append((cpu, count))
            self._doubts.append(_last_before(batch, index, cpu) + 1)
        for index in self._doubts:
            self.losses.setdefault(index, [])

    def lose(self, index: int) -> None:
        """Tell everybody about the losses before event `index`."""
        for machine in self._machines if index in self._doubts else ():
            for _ in range(self._doubts.count(index)):
                machine.doubt()
        for cpu, count in self.losses.pop(index, ()):
            self._feed.loss(cpu, count if count >= 0 else None)
            for machine in self._machines:
                machine.lost()

    def end(self, batch: Batch) -> None:
        """Tell of losses behind the last event, and how far time has come."""
        for index in sorted(self.losses):
            self.lose(index)
        for machine in self._machines:
            machine.advance(batch.until_ns)

    def _raw_data(self, event: Event) -> None:
        payload = event.get("buf")
        for fact in self._unpacker.unpack(number(event, "id") & 0xFFFFFFFF, payload if isinstance(payload, bytes) else b""):
            if fact.kind is not Kind.PATH:
                self._say(fact)
            for machine in self._hearers:
                machine.fact(fact, event.ts)

    def _say(self, fact: SideFact) -> None:
        if fact.kind in (Kind.NOTICE, Kind.FILTER):
            self._feed.notice(fact.body.decode("utf-8", "backslashreplace"))
        elif fact.kind is Kind.HEADER and (header := header_of(fact)):
            self._feed.header(header)


def _last_before(batch: Batch, index: int, cpu: int) -> int:
    """The last event of a CPU before `index`, -1 where the batch has none: what was lost is younger than the batch before."""
    cpus = batch.cpu
    return next((at for at in range(index - 1, -1, -1) if cpus[at] == cpu), -1)


def number(event: Event, field: str, default: int = 0) -> int:
    """An event's whole-number field; `default` where this kernel's event has none of that name."""
    value = event.get(field, default)
    return value if isinstance(value, int) else default


def text(event: Event, field: str) -> str:
    """An event's text field, "" where this kernel's event has none of that name."""
    value = event.get(field, "")
    return value if isinstance(value, str) else ""


def header_of(fact: SideFact) -> dict[str, object]:
    """The object of a HEADER fact; {} where it is damaged."""
    try:
        header = json.loads(fact.body)
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}


def ways_of(header: SideFact) -> str:
    """How the run's texts were got, in the words of its header's ways."""
    ways = header_of(header).get("ways")
    return "; ".join(str(way.get("how")) for way in (ways if isinstance(ways, list) else ()) if isinstance(way, dict))


def to_ns(scale: TimeScale) -> Callable[[int], int]:
    """From raw stamps to the nanoseconds that are shown."""
    mult, shift, offset = scale.mult, scale.shift, scale.offset_ns
    if (mult, shift, offset) == (1, 0, 0):
        return int
    return lambda raw: (raw * mult >> shift) + offset


def own_probes(schema: Schema, name: str) -> list[int]:
    """Ids of our own probe events called `name` or `name`_CALL, whichever run put them there."""
    own = (one for one in schema.formats.values() if one.system.startswith(OWN_SYSTEM))
    return [one.id for one in own if one.name == name or one.name.startswith(f"{name}_")]
