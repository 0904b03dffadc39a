"""Real kernels' system call events: every entry ends in exactly one way, and results are those the kernel's events hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from ftracepy._fastparse import Batch
from ftracepy.analysis.calls import Call, calls
from ftracepy.analysis.counts import counts
from ftracepy.analysis.feed import Feed
from ftracepy.analysis.pairing import Outcome
from ftracepy.batch import decoder_for
from ftracepy.system import syscalls
from tests.support import corpus

SETS = [name for name in corpus.raw_names() if "/sched_sys-" in name]


def feed(raw: corpus.RawSet) -> Feed:
    def batches() -> Iterator[Batch]:
        decoder = decoder_for(raw.schema, sorted(raw.data))
        for cpu, data in raw.data.items():
            decoder.feed(cpu, data)
        yield decoder.batch()

    return Feed(batches(), raw.schema)


def events(raw: corpus.RawSet, way: str) -> Counter[str]:
    """How often each call entered or left, by the events alone."""
    found: Counter[str] = Counter()
    for batch in feed(raw).batches:
        found.update(syscalls.known_as(event.name[len(way) :]) for event in batch if event.name.startswith(way))
    return found


@pytest.fixture(params=SETS)
def raw(request: pytest.FixtureRequest) -> corpus.RawSet:
    return corpus.raw_set(request.param)


def every_call(raw: corpus.RawSet) -> list[Call]:
    return list(calls(feed(raw), set(events(raw, "sys_enter_"))))


def returned(raw: corpus.RawSet) -> list[Call]:
    """Those whose return was seen: rt_sigreturn's is not where only named events were recorded."""
    return [call for call in every_call(raw) if call.outcome in {Outcome.RETURNED, Outcome.EXEC} and call.ret is not None]


def test_every_entry_ends_once_or_is_still_open(raw: corpus.RawSet) -> None:
    entered = events(raw, "sys_enter_")
    ended = Counter(call.name for call in every_call(raw) if call.outcome is not Outcome.DENIED)
    assert not ended - entered
    tasks = {event.pid for batch in feed(raw).batches for event in batch}
    assert 0 <= (entered - ended).total() <= len(tasks)


def test_every_exit_is_some_calls_result(raw: corpus.RawSet) -> None:
    """But those of a new child, which leaves clone or the like with 0, and of a call that was running at the start."""
    exits = unentered = 0
    seen: set[int] = set()
    for batch in feed(raw).batches:
        for event in batch:
            if event.name.startswith("sys_exit_"):
                exits += 1
                unentered += event.pid not in seen
            if event.system == "syscalls":
                seen.add(event.pid)
    assert exits - unentered == len(returned(raw))


def test_exit_never_returns_and_exec_succeeds_with_0(raw: corpus.RawSet) -> None:
    for call in every_call(raw):
        assert (call.outcome is Outcome.NEVER_RETURNED) == (call.name in {"exit", "exit_group"})
        assert call.outcome is not Outcome.EXEC or call.ret == 0
        assert call.start_ns <= call.end_ns


def test_counting_by_columns_agrees_with_counting_events(raw: corpus.RawSet) -> None:
    (interval,) = counts(feed(raw))
    counted: Counter[str] = Counter()
    for one in interval.counted:
        counted[one.name] += one.tally.calls
    assert counted == events(raw, "sys_enter_")


def test_counting_by_columns_agrees_with_calls_on_errors_and_time(raw: corpus.RawSet) -> None:
    (interval,) = counts(feed(raw))
    assert sum(one.tally.errors for one in interval.counted) == sum(call.failed for call in returned(raw))
    assert sum(one.tally.total for one in interval.counted) == sum(call.end_ns - call.start_ns for call in returned(raw))
