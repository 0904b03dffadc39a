"""Names, processes, parents and users of tasks as they were at the time."""

from __future__ import annotations

from collections import deque

from ftracepy.analysis.tasks import UNNAMED, Tasks
from ftracepy.analysis.walk import walk
from ftracepy.system.tasklines import TaskLine
from tests.support.events import Trace

THREAD, PARENT = 0x10000, 0x8000


def table(trace: Trace) -> Tasks:
    tasks = Tasks(trace.schema)
    assert list(walk(trace.feed(), [tasks], deque[None]())) == []
    return tasks


def test_a_snapshot_fills_the_table() -> None:
    trace = Trace()
    trace.tasks(TaskLine(8, 7, 1, 1000, "worker"))
    task = table(trace).get(8)
    assert (task.tgid, task.ppid, task.uid, task.comm) == (7, 1, 1000, "worker")


def test_a_snapshot_does_not_undo_what_events_told() -> None:
    trace = Trace()
    trace.rename(7, "old", "new")
    trace.tasks(TaskLine(7, 7, 1, 1000, "old"))
    task = table(trace).get(7)
    assert (task.comm, task.ppid, task.uid) == ("new", 1, 1000)


def test_children_threads_and_siblings() -> None:
    trace = Trace()
    trace.tasks(TaskLine(8, 7, 1, 1000, "p"))
    trace.newtask(8, 20, "child")
    trace.newtask(8, 21, "thread", THREAD)
    trace.newtask(8, 22, "sibling", PARENT)
    tasks = table(trace)
    assert [(tasks.get(tid).tgid, tasks.get(tid).ppid, tasks.get(tid).uid) for tid in (20, 21, 22)] == [
        (20, 7, 1000), (7, 1, 1000), (22, 1, 1000),
    ]  # fmt: skip


def test_an_io_worker_belongs_to_its_process() -> None:
    """task_newtask fires for it, sched_process_fork does not."""
    trace = Trace()
    trace.tasks(TaskLine(7, 7, 1, 0, "app"))
    trace.newtask(7, 30, "app", THREAD)
    trace.rename(30, "app", "iou-wrk-7")
    task = table(trace).get(30)
    assert (task.tgid, task.comm) == (7, "iou-wrk-7")


def test_fork_after_newtask_changes_nothing() -> None:
    trace = Trace()
    trace.tasks(TaskLine(7, 7, 1, 5, "p"))
    trace.newtask(7, 8, "t", THREAD)
    trace.fork(7, 8)
    assert table(trace).get(8).tgid == 7


def test_fork_alone_makes_a_process() -> None:
    trace = Trace(omit=["task_newtask"])
    trace.tasks(TaskLine(7, 7, 1, 5, "p"))
    trace.fork(7, 8, "kid")
    task = table(trace).get(8)
    assert (task.tgid, task.ppid, task.uid, task.comm) == (8, 7, 5, "kid")


def test_a_pid_used_again_is_another_task() -> None:
    trace = Trace()
    trace.tasks(TaskLine(8, 7, 1, 5, "thread"))
    trace.exit(8)
    trace.newtask(1, 8, "new")
    assert (table(trace).get(8).tgid, table(trace).get(8).comm) == (8, "new")


def test_exec_by_a_thread_makes_it_the_leader() -> None:
    trace = Trace()
    trace.tasks(TaskLine(7, 7, 1, 5, "main"), TaskLine(9, 7, 1, 5, "worker"))
    trace.exit(7)
    trace.rename(7, "worker", "true")
    trace.exec(7, "/bin/true", old_pid=9)
    tasks = table(trace)
    assert (tasks.get(7).comm, tasks.get(7).tgid, tasks.get(7).dead) == ("true", 7, False)
    assert tasks.peek(9) is None


def test_exec_names_a_task_where_renames_were_not_recorded() -> None:
    trace = Trace()
    trace.exec(7, "/usr/bin/a-name-of-many-characters")
    assert table(trace).get(7).comm == "a-name-of-many-"


def test_setuid_changes_the_user_only_where_it_worked() -> None:
    trace = Trace()
    trace.tasks(*(TaskLine(tid, tid, 1, 0, "x") for tid in (7, 8, 9)))
    trace.enter(7, "setuid", uid=1000)
    trace.leave(7, "setuid", 0)
    trace.enter(8, "setresuid", ruid=1000)
    trace.leave(8, "setresuid", -1)
    trace.enter(9, "setresuid", ruid=0xFFFFFFFF, euid=5)
    trace.leave(9, "setresuid", 0)
    tasks = table(trace)
    assert [tasks.get(tid).uid for tid in (7, 8, 9)] == [1000, 0, 0]


def test_names_of_a_recording_without_task_events() -> None:
    trace = Trace()
    trace.schema.cmdlines[7] = "saved"
    tasks = table(trace)
    assert [tasks.get(tid).comm for tid in (7, 8, 0)] == ["saved", UNNAMED, "swapper"]


def test_the_dead_do_not_pile_up() -> None:
    trace = Trace()
    for tid in range(10, 10_010):
        trace.newtask(1, tid)
        trace.exit(tid)
    assert len(table(trace)._table) < 5000
