"""Trees of calls: one for each task whatever CPUs do, whole when the top call returns, nothing made up at a loss."""

from __future__ import annotations

import pytest

from ftracepy.analysis import calltrees
from ftracepy.analysis.calltrees import CallTrees
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import walk
from tests.support.graph import Graph

Shown = tuple[int, int, str, int | None, str]
HARDIRQ = 0x08


def trees(made: Graph, *, batch_events: int = 65536, least_ns: int = 0, irqs: bool = True, depth: int = 0) -> list[Shown]:
    tasks = Tasks(made.schema)
    found = CallTrees(made.schema, tasks, least_ns=least_ns, irqs=irqs, depth=depth)
    calls = list(walk(made.feed(batch_events=batch_events), (found, tasks), found.out))
    found.rest()
    return [(one.tid, one.depth, one.function, one.took_ns, one.part) for one in [*calls, *found.out]]


@pytest.fixture
def made() -> Graph:
    return Graph()


@pytest.mark.parametrize("batch_events", [1, 3, 65536])
def test_interleaved_tasks_have_trees_of_their_own(made: Graph, batch_events: int) -> None:
    made.enter(10, "top", 0, pid=7, cpu=0)
    made.enter(11, "top", 0, pid=8, cpu=1)
    made.enter(12, "leaf", 1, pid=7, cpu=0)
    made.enter(13, "middle", 1, pid=8, cpu=1)
    made.leave(14, "leaf", 1, 2, pid=7, cpu=0)
    made.leave(15, "middle", 1, 3, pid=8, cpu=1)
    made.leave(16, "top", 0, 5, pid=8, cpu=1)
    made.leave(17, "top", 0, 7, pid=7, cpu=0)
    assert trees(made, batch_events=batch_events) == [
        (8, 0, "top", 5, "whole"),
        (8, 1, "middle", 3, "whole"),
        (7, 0, "top", 7, "whole"),
        (7, 1, "leaf", 2, "whole"),
    ]


def test_a_task_that_migrates_keeps_its_tree(made: Graph) -> None:
    made.enter(10, "top", 0, cpu=0)
    made.enter(11, "leaf", 1, cpu=0)
    made.leave(12, "leaf", 1, 1, cpu=1)
    made.enter(13, "leaf", 1, cpu=1)
    made.leave(14, "leaf", 1, 1, cpu=0)
    made.leave(15, "top", 0, 5, cpu=0)
    assert [one[2:4] for one in trees(made)] == [("top", 5), ("leaf", 1), ("leaf", 1)]


def test_each_cpus_idle_task_is_another(made: Graph) -> None:
    made.enter(10, "top", 0, pid=0, cpu=0)
    made.enter(11, "top", 0, pid=0, cpu=1)
    made.leave(12, "top", 0, 1, pid=0, cpu=1)
    made.leave(13, "top", 0, 3, pid=0, cpu=0)
    assert [one[3] for one in trees(made)] == [1, 3]


def test_recursion_is_told_apart_by_depth(made: Graph) -> None:
    made.enter(10, "top", 0)
    made.enter(11, "top", 1)
    made.leave(12, "top", 1, 1)
    made.leave(13, "top", 0, 3)
    assert trees(made) == [(7, 0, "top", 3, "whole"), (7, 1, "top", 1, "whole")]


def test_a_loss_forgets_what_is_open_and_invents_no_time(made: Graph) -> None:
    made.enter(10, "top", 0, cpu=0)
    made.enter(11, "middle", 1, cpu=0)
    made.lose(5, cpu=0)
    made.enter(20, "leaf", 2, cpu=0)
    made.leave(21, "leaf", 2, 1, cpu=0)
    made.leave(22, "middle", 1, 11, cpu=0)
    made.leave(23, "top", 0, 13, cpu=0)
    assert trees(made) == [
        (7, 0, "top", None, "begin"),
        (7, 1, "middle", None, "begin"),
        (7, 2, "leaf", 1, "whole"),
        (7, 1, "middle", 11, "end"),
        (7, 0, "top", 13, "end"),
    ]
    assert made.losses == [(0, 5)]


def test_what_has_not_returned_at_the_end_has_no_time(made: Graph) -> None:
    made.enter(10, "top", 0)
    made.enter(11, "leaf", 1)
    made.leave(12, "leaf", 1, 1)
    assert trees(made) == [(7, 0, "top", None, "begin"), (7, 1, "leaf", 1, "whole")]


def test_a_large_tree_comes_in_pieces(made: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calltrees, "_LARGEST", 3)
    made.enter(10, "top", 0)
    for at in range(3):
        made.enter(11 + 2 * at, "leaf", 1)
        made.leave(12 + 2 * at, "leaf", 1, 1)
    made.leave(20, "top", 0, 10)
    shown = trees(made)
    assert [one[2:] for one in shown] == [
        ("top", None, "begin"),
        ("leaf", 1, "whole"),
        ("leaf", None, "begin"),
        ("leaf", 1, "end"),
        ("leaf", 1, "whole"),
        ("top", 10, "end"),
    ]


def test_a_task_number_used_again_begins_a_new_tree(made: Graph) -> None:
    made.enter(10, "top", 0)
    made.enter(11, "middle", 1)
    made.enter(20, "top", 0)
    made.leave(21, "top", 0, 1)
    assert trees(made) == [(7, 0, "top", None, "begin"), (7, 1, "middle", None, "begin"), (7, 0, "top", 1, "whole")]


def test_only_slow_trees(made: Graph) -> None:
    for start, took in ((10, 5), (30, 20)):
        made.enter(start, "top", 0)
        made.enter(start + 1, "leaf", 1)
        made.leave(start + 2, "leaf", 1, 1)
        made.leave(start + took, "top", 0, took)
    assert trees(made, least_ns=20) == [(7, 0, "top", 20, "whole"), (7, 1, "leaf", 1, "whole")]


def test_interrupts_left_out_with_all_they_call(made: Graph) -> None:
    made.enter(10, "top", 0)
    made.enter(11, "irq", 1, flags=HARDIRQ)
    made.enter(12, "leaf", 2, flags=HARDIRQ)
    made.leave(13, "leaf", 2, 1, flags=HARDIRQ)
    made.leave(14, "irq", 1, 3)
    made.enter(15, "leaf", 1)
    made.leave(16, "leaf", 1, 1)
    made.leave(17, "top", 0, 7)
    assert [one[2] for one in trees(made, irqs=False)] == ["top", "leaf"]
    assert [one[2] for one in trees(made)] == ["top", "irq", "leaf", "leaf"]


def test_no_deeper_than_asked(made: Graph) -> None:
    made.enter(10, "top", 3)
    made.enter(11, "middle", 4)
    made.enter(12, "leaf", 5)
    made.leave(13, "leaf", 5, 1)
    made.leave(14, "middle", 4, 3)
    made.leave(15, "top", 3, 5)
    assert trees(made, depth=2) == [(7, 0, "top", 5, "whole"), (7, 1, "middle", 3, "whole")]
