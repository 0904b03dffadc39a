"""Waits for a CPU: where they begin and end, and what makes them unknown."""

from __future__ import annotations

from typing import Any

from ftracepy.system.tasklines import TaskLine
from ftracepy.tools import kit
from tests.support.events import Trace

SLEEPING, RUNNING, PREEMPTED = 1, 0, 0x100


def switch(trace: Trace, before: int, state: int, after: int, at: int) -> None:
    fields = {"prev_comm": "x", "prev_pid": before, "prev_prio": 120, "prev_state": state}
    trace.event(before, "sched", "sched_switch", at=at, **fields, next_comm="x", next_pid=after, next_prio=120)


def wake(trace: Trace, tid: int, at: int) -> None:
    trace.event(0, "sched", "sched_wakeup", at=at, comm="x", pid=tid, prio=120, target_cpu=0)


def waits(trace: Trace, **options: Any) -> list[tuple[Any, ...]]:
    tool = kit.load("runqlat")
    found = (row.as_dict() for row in tool.run(trace.feed(), tool.options(**options)))
    return [(row["comm"], row["count"], row["total_ns"], row["max_ns"]) for row in found]


def trace() -> Trace:
    made = Trace()
    made.tasks(*(TaskLine(tid, tid, 1, 0, name) for tid, name in ((7, "seven"), (8, "eight"), (9, "nine"))))
    return made


START = 2_000_000_000


def test_a_wait_is_from_the_first_wakeup_to_the_switch() -> None:
    made = trace()
    wake(made, 7, START)
    wake(made, 7, START + 10)
    switch(made, 0, RUNNING, 7, START + 50)
    switch(made, 7, SLEEPING, 8, START + 60)  # since when eight could run, nobody saw
    assert waits(made) == [("seven", 1, 50, 50)]


def test_who_is_pushed_off_waits_and_who_sleeps_does_not() -> None:
    made = trace()
    switch(made, 7, PREEMPTED, 8, START)
    switch(made, 8, RUNNING, 7, START + 30)
    switch(made, 7, SLEEPING, 8, START + 100)
    switch(made, 8, SLEEPING, 7, START + 500)
    assert waits(made) == [("eight", 1, 70, 70), ("seven", 1, 30, 30)]


def test_one_that_is_woken_while_it_still_runs_waits_for_nothing() -> None:
    made = trace()
    wake(made, 7, START)
    switch(made, 0, RUNNING, 7, START + 5)
    wake(made, 7, START + 20)
    switch(made, 7, SLEEPING, 0, START + 40)
    switch(made, 0, RUNNING, 7, START + 90)
    assert waits(made) == [("seven", 1, 5, 5)]


def test_what_a_loss_falls_into_is_not_known() -> None:
    made = trace()
    wake(made, 7, START)
    made.lose(3)
    switch(made, 0, RUNNING, 7, START + 50)
    wake(made, 8, START + 60)
    switch(made, 7, SLEEPING, 8, START + 61)
    assert waits(made) == [("eight", 1, 1, 1)]
    assert made.losses == [(0, 3)]


def test_tables_count_a_wait_where_it_ended_and_the_longest_come_first() -> None:
    made = trace()
    wake(made, 7, START)
    wake(made, 9, START + 100)
    switch(made, 0, RUNNING, 7, START + 1_500_000_000)
    switch(made, 7, SLEEPING, 9, START + 1_600_000_000)
    assert waits(made, interval=1.0, top=1) == [("nine", 1, 1_599_999_900, 1_599_999_900)]
    assert waits(made, pid=7) == [("seven", 1, 1_500_000_000, 1_500_000_000)]
