"""Others' opens: counted instead of handed on, and left off where there are too many."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ftracepy import _fastparse
from ftracepy.live.aides import fanotify
from ftracepy.live.aides.crowd import Crowd
from ftracepy.live.aides.opens import OpensAide
from ftracepy.live.aides.relay import Relay, Round
from ftracepy.live.aides.watch import Watch
from ftracepy.live.plan import Scope
from ftracepy.sidefacts import Kind, SideFact
from tests.support.reports import OPEN, report

SECOND = 1_000_000_000
OTHER = 2_000_000_000  # no thread has that number


def run(crowd: Crowd, rate: int, seconds: int, start: int = SECOND) -> int:
    """Opens at an even rate, told ten times a second; when it was too much, 0: never."""
    for step in range(seconds * 10):
        if crowd.is_too_much(rate // 10, now := start + step * SECOND // 10):
            return now
    return 0


def test_few_opens_are_put_up_with_for_ever_and_many_are_not() -> None:
    assert run(Crowd(), 4900, 600) == 0
    assert SECOND < run(Crowd(), 50_000, 60) <= SECOND + SECOND // 5
    assert run(Crowd(), 10_000, 60) > SECOND + SECOND // 2


def test_pauses_grow_and_shrink_after_calm() -> None:
    crowd, now, pauses = Crowd(), 100 * SECOND, []
    for _ in range(5):
        crowd.leave(now)
        assert not crowd.is_due(crowd.again_at - 1)
        assert crowd.is_due(crowd.again_at)
        assert not crowd.is_too_much(1_000_000, now)
        pauses.append((crowd.again_at - now) // SECOND)
        now = crowd.again_at
        crowd.come_back(now)
    assert pauses == [2, 8, 32, 128, 128]
    crowd.leave(now + 11 * SECOND)
    assert crowd.again_at == now + 13 * SECOND


class Marks(Watch):
    """A watch of nothing, whose reports are made up."""

    def __init__(self) -> None:
        super().__init__()
        self.reports = list[bytes]()
        self.calls = list[str]()

    def unmark(self) -> None:
        self.calls.append("unmark")

    def mark_new(self) -> None:
        self.calls.append("mark")


def aide_of(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> tuple[OpensAide, Marks, list[SideFact]]:
    """An aide without a thread or the core: `report` and `noticed` are called by the test."""
    aide, watch, facts = OpensAide(scope, own_too=True), Marks(), list[SideFact]()
    watch.wants = aide._in_scope
    watch.by_handle = 100
    aide._watch, aide._mark, aide._mountinfo = watch, facts.append, -2
    aide._remark_at = time.monotonic_ns() + 3_600_000_000_000

    def read(*_: object) -> bytes:
        if not watch.reports:
            raise BlockingIOError
        return watch.reports.pop(0)

    monkeypatch.setattr("ftracepy.live.aides.fanotify.os.read", read)
    return aide, watch, facts


def test_the_aide_leaves_off_once_says_so_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    aide, watch, facts = aide_of(Scope(tid=7), monkeypatch)
    mine, others = report(OPEN, 7, b"\0" * 8, b"mine"), report(OPEN, 8, b"\0" * 8, b"x")
    watch.reports = [mine + others * 5003]
    aide.report()
    assert watch.calls == ["unmark"]
    assert [one.kind for one in facts] == [Kind.PATH, Kind.CAUGHT_UP, Kind.SILENT, Kind.NOTICE]
    assert facts[1].when_ns == facts[2].when_ns <= facts[0].when_ns
    watch.reports = [mine + others * 20_000]
    aide.report()
    aide.noticed((), aide._crowd.again_at - 1_500_000_000)
    assert len(facts) == 4, "what was reported before it left off is not told after it has said so"
    for before_ns in (600_000_000, 500_000_000, 1):
        aide.noticed((), aide._crowd.again_at - before_ns)
    assert facts[4:] == [facts[2]], "once a second, for whoever lost the word"
    aide.noticed((), aide._crowd.again_at)
    assert (watch.calls, facts[-1].kind) == (["unmark", "mark"], Kind.TELLS)
    watch.reports = [mine, others * 1009]
    aide.report()
    aide.report()
    assert [one.kind for one in facts[6:]] == [Kind.PATH, Kind.CAUGHT_UP, Kind.SILENT]


@pytest.mark.parametrize(("takes_ns", "next_s"), [(4_000_000, 8), (1_000_000, 5), (100_000_000, 200)])
def test_looking_for_mounts_takes_a_2000th_of_the_time_at_most(
    takes_ns: int, next_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    aide, watch, _ = aide_of(Scope(tid=7), monkeypatch)
    now = iter((10_000_000_000, 10_000_000_000 + takes_ns))
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(now))
    aide.noticed((), aide._remark_at - 1)
    assert watch.calls == []
    aide.noticed((), aide._remark_at)
    assert (watch.calls, aide._remark_at) == (["mark"], 10_000_000_000 + takes_ns + next_s * 1_000_000_000)


def test_where_everybody_is_asked_for_nobody_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    aide, watch, facts = aide_of(Scope(), monkeypatch)
    watch.reports = [report(OPEN, 8, b"\0" * 8, b"x") * 10_007]
    aide.report()
    assert watch.calls == []
    assert {one.kind for one in facts} == {Kind.PATH}


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Stands in for a group: reads give what was written together."""
    ends = os.pipe2(os.O_NONBLOCK)
    yield ends
    os.close(ends[1])
    os.close(ends[0])


def rounds(relay: Relay, enough: int) -> list[Round]:
    found: list[Round] = []
    end = time.monotonic() + 10
    while sum(one.left_out for one in found) + sum(len(r) for one in found for _, r in one.reads) < enough:
        assert time.monotonic() < end
        found += [one for one in relay.rounds() if one is not None]
        time.sleep(0.001)
    return found


@pytest.fixture
def started(pipe: tuple[int, int]) -> Iterator[Callable[[Scope], Relay]]:
    """Relays of the pipe for a scope. Whatever fails, they end: they would read what the pipe's number stands for later."""
    with ExitStack() as stack:

        def start(scope: Scope) -> Relay:
            relay = Relay(pipe[0], -1, scope)
            stack.callback(relay.close)
            relay.start()
            return relay

        yield start


@pytest.fixture
def another() -> Iterator[int]:
    """A process that is neither a thread of ours nor gone."""
    with subprocess.Popen(["sleep", "3600"]) as process:
        yield process.pid
        process.kill()


@pytest.mark.skipif(_fastparse.IMPLEMENTATION != "c", reason="the relay is C")
@pytest.mark.parametrize("who", ["thread", "process"])
def test_the_relay_counts_others_and_hands_on_the_rest_in_order(
    pipe: tuple[int, int], started: Callable[[Scope], Relay], another: int, who: str
) -> None:
    """Of the process: its threads, and whoever has ended; not another."""
    mine = os.getpid()
    relay = started(Scope(tid=mine) if who == "thread" else Scope(pid=mine))
    names = [b"a", b"b", b"c"]
    for name in names:
        os.write(pipe[1], report(OPEN, another, b"12345678", b"other") * 13 + report(OPEN, mine, b"12345678", name))
        os.write(pipe[1], report(OPEN, OTHER, b"12345678", b"gone"))
    ended = 3 if who == "process" else 0
    found = rounds(relay, 45)
    assert sum(one.left_out for one in found) == 39 + 3 - ended
    told = [one.name for round_ in found for _, piece in round_.reads for one in fanotify.parse(piece)]
    assert [name for name in told if name != b"gone"] == names
    assert told.count(b"gone") == ended
    befores = [one.before for one in found]
    assert befores == sorted(befores)


@pytest.mark.skipif(_fastparse.IMPLEMENTATION != "c", reason="the relay is C")
def test_the_relay_wakes_nobody_for_each_of_others(pipe: tuple[int, int], started: Callable[[Scope], Relay]) -> None:
    relay = started(Scope(tid=7))
    begun = time.monotonic()
    for _ in range(1009):
        os.write(pipe[1], report(OPEN, 8, b"12345678", b"x"))
        time.sleep(0.0001)
    found = rounds(relay, 1009)
    assert sum(one.left_out for one in found) == 1009
    assert len(found) <= 4 + 20 * (time.monotonic() - begun) + 1009 // 512


@pytest.mark.skipif(_fastparse.IMPLEMENTATION != "c", reason="the relay is C")
def test_of_many_rounds_some_are_given_so_that_it_can_be_told_how_far_they_come(pipe: tuple[int, int]) -> None:
    """Whoever reads slower than rounds come would never be at their end."""
    relay = Relay(pipe[0], -1)
    fences = b"".join(struct.pack("=IIQQQ", 2, 8, number, number, 0) for number in range(1, 20_011))
    os.write(relay._out, fences)
    found, calls = list[int](), 0
    while len(found) < 20_010:
        found += [one.before for one in relay.rounds() if one is not None]
        calls += 1
        assert relay.is_drained == (len(found) == 20_010)
    assert found == list(range(1, 20_011))
    assert calls > 5
    os.close(relay._out)
    relay.close()
