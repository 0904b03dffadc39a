"""Intervals of a stream: cut where time says, whether events come or not, so that each event is in exactly one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from ftracepy.analysis.walk import Machine, Route, to_ns
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.analysis.feed import Feed
    from ftracepy.schema import TimeScale

ALL = 2**64 - 1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cut:
    """Events of the batch before `index` come first; where there is an `end`, the interval from `start` ends there (raw)."""

    index: int
    start: int = 0
    end: int | None = None


class Cuts:
    """Cuts batches where intervals end. The first interval begins with the first event; without a length there is but one."""

    def __init__(self, interval_ns: int | None, scale: TimeScale) -> None:
        self._length = None if interval_ns is None else max((interval_ns << scale.shift) // scale.mult, 1)
        self._start: int | None = None
        self._latest = 0

    def of(self, batch: Batch) -> Iterator[Cut]:
        """How far to go before each interval's end, and last to the end of the batch."""
        if len(batch):
            self._start = batch.ts[0] if self._start is None else self._start
            self._latest = batch.ts[len(batch) - 1]
        now = self._latest if batch.until_ns == ALL else batch.until_ns
        if self._length is not None and self._start is not None:
            stamps = batch.ts.tolist() if now >= self._start + self._length and len(batch) else []
            while now >= self._start + self._length:
                start, self._start = self._start, self._start + self._length
                yield Cut(bisect_left(stamps, self._start), start, self._start)
        yield Cut(len(batch))

    def rest(self) -> tuple[int, int] | None:
        """What the feed's end cuts short: from the end of the last interval to the last event (raw); None without any event."""
        return None if self._start is None else (self._start, max(self._latest, self._start))


def intervals(feed: Feed, machines: Sequence[Machine], take: Callable[[int, int], T], interval_ns: int | None) -> Iterator[T]:
    """Run a feed through machines in their order; at the end of each interval, and of the feed, yield take(start, end).

    Both are nanoseconds as shown; the last interval ends with the last event. Without any event there is no interval.
    """
    route = Route(feed, machines)
    cuts, shown = Cuts(interval_ns, feed.schema.time), to_ns(feed.schema.time)
    for batch in feed.batches:
        route.begin(batch)
        ids, at = batch.id.tolist(), 0
        for cut in cuts.of(batch):
            _go(batch, ids, route, at, cut.index)
            at = cut.index
            if cut.end is not None:
                yield take(shown(cut.start), shown(cut.end))
        route.end(batch)
    if (rest := cuts.rest()) is not None:
        yield take(shown(rest[0]), shown(rest[1]))


def _go(batch: Batch, ids: Sequence[int], route: Route, at: int, upto: int) -> None:
    """The events from `at` on, each to those that want it."""
    handlers, losses = route.handlers, route.losses
    for index in range(at, upto):
        if losses and index in losses:
            route.lose(index)
        if (wanting := handlers.get(ids[index])) is not None:
            event = batch[index]
            for handler in wanting:
                handler(event)
