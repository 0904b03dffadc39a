"""System calls counted by columns."""

from __future__ import annotations

from ftracepy.analysis.counts import Interval, counts
from ftracepy.system.tasklines import TaskLine
from tests.support.events import Trace

SECOND = 1_000_000_000


def table(interval: Interval) -> dict[tuple[int, str, str], tuple[int, int, int, int]]:
    found: dict[tuple[int, str, str], tuple[int, int, int, int]] = {}
    for one in interval.counted:
        assert (one.tid, one.comm, one.name) not in found
        tally = one.tally
        found[one.tid, one.comm, one.name] = (tally.calls, tally.errors, tally.total, tally.longest)
    return found


def test_raw_events() -> None:
    trace = Trace()
    trace.tasks(TaskLine(7, 7, 1, 0, "cat"))
    for ret in (3, -2, -512):
        trace.raw_enter(7, 257)
        trace.raw_leave(7, 257, ret)
    trace.raw_enter(7, 231)
    (interval,) = counts(trace.feed())
    assert table(interval) == {(7, "cat", "openat"): (3, 1, 3000, 1000), (7, "cat", "exit_group"): (1, 0, 0, 0)}


def test_named_events_where_no_raw_ones_were_recorded() -> None:
    trace = Trace()
    trace.enter(7, "newfstat")
    trace.enter(8, "openat")
    trace.leave(7, "newfstat", -9)
    trace.leave(8, "openat", 3)
    (interval,) = counts(trace.feed())
    assert table(interval) == {(7, "<...>", "fstat"): (1, 1, 2000, 2000), (8, "<...>", "openat"): (1, 0, 2000, 2000)}


def test_both_recorded_count_once() -> None:
    trace = Trace()
    trace.raw_enter(7, 257)
    trace.enter(7, "openat")
    trace.leave(7, "openat", 3)
    trace.raw_leave(7, 257, 3)
    (interval,) = counts(trace.feed())
    assert {key: value[:2] for key, value in table(interval).items()} == {(7, "<...>", "openat"): (1, 0)}


def test_calls_belong_to_the_name_the_task_had() -> None:
    trace = Trace()
    trace.tasks(TaskLine(7, 7, 1, 0, "sh"))
    trace.raw_enter(7, 39)
    trace.raw_leave(7, 39, 7)
    trace.rename(7, "sh", "cat")
    trace.raw_enter(7, 39)
    trace.raw_leave(7, 39, 7)
    trace.raw_enter(7, 39)
    (interval,) = counts(trace.feed())
    assert {key[1]: value[0] for key, value in table(interval).items()} == {"sh": 1, "cat": 2}


def test_intervals_are_cut_by_the_time_of_events_and_of_the_clock() -> None:
    trace = Trace()
    first = trace.now + 1000
    for at in (0, SECOND - 1, SECOND, 3 * SECOND + 5):
        trace.raw_enter(7, 39)
        trace._events[-1].ts = trace.now = first + at
    trace.cut(first + 4 * SECOND)
    found = list(counts(trace.feed(), interval_ns=SECOND))
    assert [sum(one.tally.calls for one in interval.counted) for interval in found] == [2, 1, 0, 1, 0]
    assert [interval.end_ns - first for interval in found[:4]] == [SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND]


def test_an_idle_system_still_has_intervals() -> None:
    trace = Trace()
    trace.raw_enter(7, 39)
    trace.cut()
    trace.cut(trace.now + 2 * SECOND)
    assert len(list(counts(trace.feed(ended=False), interval_ns=SECOND))) >= 2


def test_a_call_across_intervals_counts_where_it_entered_and_times_where_it_left() -> None:
    trace = Trace()
    trace.raw_enter(7, 0)
    trace.now += SECOND
    trace.raw_leave(7, 0, -4)
    first, second = counts(trace.feed(), interval_ns=SECOND)
    assert table(first) == {(7, "<...>", "read"): (1, 0, 0, 0)}
    assert table(second) == {(7, "<...>", "read"): (0, 1, SECOND + 1000, SECOND + 1000)}


def test_losses_forget_what_is_open() -> None:
    trace = Trace()
    trace.raw_enter(7, 0)
    trace.lose(5)
    trace.raw_leave(7, 0, 1)
    (interval,) = counts(trace.feed())
    assert table(interval) == {(7, "<...>", "read"): (1, 0, 0, 0)}
    assert trace.losses == [(0, 5)]


def test_an_exit_under_another_number_is_no_return_of_this_call() -> None:
    trace = Trace()
    trace.raw_enter(7, 59)
    trace.raw_leave(7, 11, 0)
    trace.raw_enter(7, 15)
    trace.raw_leave(7, -1, -4)
    (interval,) = counts(trace.feed())
    assert table(interval) == {(7, "<...>", "execve"): (1, 0, 0, 0), (7, "<...>", "rt_sigreturn"): (1, 0, 0, 0)}


def test_nothing_recorded_counts_nothing() -> None:
    assert list(counts(Trace().feed())) == []


def test_ftracepys_own_calls_are_not_counted() -> None:
    trace = Trace()
    trace.header(own=[7])
    trace.raw_enter(7, 0)
    trace.raw_leave(7, 0, 1)
    (interval,) = counts(trace.feed())
    assert interval.counted == []
