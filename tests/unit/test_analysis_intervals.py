"""Intervals: each event in exactly one, cut by time and not by when events are read."""

from __future__ import annotations

from collections.abc import Mapping

from ftracepy.analysis.intervals import intervals
from ftracepy.analysis.walk import Handler, Machine
from ftracepy.schema import Schema, TimeScale
from tests.support.events import Event, Trace

SECOND = 1_000_000_000


class Seen(Machine):
    """Notes raw stamps, and losses as 0."""

    def __init__(self) -> None:
        self.stamps: list[int] = []

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        return {schema.by_name()["raw_syscalls", "sys_enter"].id: lambda event: self.stamps.append(event.ts)}

    def lost(self) -> None:
        self.stamps.append(0)

    def take(self, start: int, end: int) -> tuple[int, int, list[int]]:
        taken, self.stamps = self.stamps, []
        return start, end, taken


def at(trace: Trace, stamp: int) -> None:
    trace.raw_enter(7, 39)
    last = trace._events[-1]
    assert isinstance(last, Event)
    last.ts = trace.now = stamp


def test_each_event_is_in_the_interval_of_its_time() -> None:
    trace, seen = Trace(), Seen()
    for stamp in (100, 199, 200, 420):
        at(trace, stamp)
    trace.cut(420)
    at(trace, 430)
    found = list(intervals(trace.feed(), [seen], seen.take, 100))
    assert found == [(100, 200, [100, 199]), (200, 300, [200]), (300, 400, []), (400, 430, [420, 430])]


def test_time_passes_without_events() -> None:
    trace, seen = Trace(), Seen()
    at(trace, 100)
    trace.cut(150)
    trace.cut(350)
    found = list(intervals(trace.feed(), [seen], seen.take, 100))
    assert found == [(100, 200, [100]), (200, 300, []), (300, 300, [])]


def test_one_interval_for_the_whole_feed() -> None:
    trace, seen = Trace(), Seen()
    at(trace, 100)
    trace.cut(100 + 50 * SECOND)
    at(trace, 100 + 60 * SECOND)
    assert list(intervals(trace.feed(), [seen], seen.take, None)) == [(100, 100 + 60 * SECOND, [100, 100 + 60 * SECOND])]


def test_losses_are_told_in_their_place() -> None:
    trace, seen = Trace(), Seen()
    at(trace, 100)
    at(trace, 150)
    trace.lose()
    at(trace, 250)
    trace.cut(250)
    found = list(intervals(trace.feed(), [seen], seen.take, 100))
    assert found == [(100, 200, [100, 150]), (200, 250, [0, 250])]


def test_a_clock_of_another_speed() -> None:
    trace, seen = Trace(), Seen()
    trace.schema.time = TimeScale(mult=1, shift=1)
    for stamp in (1000, 1199, 1200):
        at(trace, stamp)
    trace.cut(1200)
    found = list(intervals(trace.feed(), [seen], seen.take, 100))
    assert found == [(500, 600, [1000, 1199]), (600, 600, [1200])]


def test_no_event_no_interval() -> None:
    seen = Seen()
    assert list(intervals(Trace().feed(), [seen], seen.take, 100)) == []
