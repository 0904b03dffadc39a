"""Control groups of processes: from /proc, from facts, by moves and by inheritance, as they were at the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy.analysis.cgroups import CLONE_INTO_CGROUP, Cgroups
from ftracepy.analysis.feed import Feed
from ftracepy.analysis.tasks import CLONE_THREAD, Tasks
from ftracepy.analysis.walk import Route
from ftracepy.batch import decoder_for
from ftracepy.schema import Schema
from ftracepy.sidefacts import MAX_BODY_BYTES, Kind, SideFact, pack
from ftracepy.system.cgroups import CgroupLine, of_process, pack_cgroups, unpack_cgroups
from tests.support.pages import PageWriter, event_format, schema


@pytest.fixture
def kernel() -> Schema:
    return schema(
        event_format("raw_data", 4, "unsigned int id; 8; 4; 0", "char buf[]; 12; 0; 1", system="ftrace"),
        event_format(
            "task_newtask", 5, "pid_t pid; 8; 4; 1", "char comm[16]; 12; 16; 1", "unsigned long clone_flags; 32; 8; 0",
            system="task",
        ),
        event_format(
            "cgroup_attach_task", 6, "int dst_root; 8; 4; 1", "int pid; 12; 4; 1", "__data_loc char[] dst_path; 16; 4; 1",
            system="cgroup",
        ),
        event_format("cgroup_notify_populated", 7, "int val; 8; 4; 1", "__data_loc char[] path; 12; 4; 1", system="cgroup"),
    )  # fmt: skip


def groups(kernel: Schema, *events: bytes) -> Cgroups:
    """What is known after these events, 10 ns apart from 1000 on."""
    tasks = Tasks(kernel)
    found = Cgroups(tasks)
    decoder = decoder_for(kernel, [0])
    decoder.feed(0, PageWriter(kernel).page(1000, *events))
    batch = decoder.batch()
    route = Route(Feed((), kernel), (tasks, found))
    route.begin(batch)
    for event in batch:
        for handler in route.handlers.get(event.id, ()):
            handler(event)
    return found


def fact(writer: PageWriter, *lines: CgroupLine) -> bytes:
    written = pack(SideFact(Kind.CGROUPS, 0, 5, next(pack_cgroups(lines))))[0]
    return writer.event("raw_data", delta=10, id=int.from_bytes(written[:4], "little"), buf=written[4:])


def test_children_inherit_threads_have_none_of_their_own_and_moves_hold_from_then_on(kernel: Schema) -> None:
    writer = PageWriter(kernel)
    found = groups(
        kernel,
        fact(writer, CgroupLine(7, 0, "/a")),
        new(writer, 7, 8),
        new(writer, 7, 9, CLONE_THREAD),
        moved(writer, 8, "/b"),
        new(writer, 8, 10),
    )
    assert (found.at(7, 1050), found.at(8, 1020), found.at(8, 1050), found.at(10, 1050)) == ("/a", "/a", "/b", "/b")
    assert found.at(9, 1050) is None
    assert found.at(4711, 1050) is None


def test_a_child_born_into_another_group_is_where_that_group_began_or_nobody_knows_where(kernel: Schema) -> None:
    writer = PageWriter(kernel)
    found = groups(
        kernel,
        fact(writer, CgroupLine(7, 0, "/a")),
        writer.event("cgroup_notify_populated", delta=10, pid=7, val=1, path=b"/new"),
        new(writer, 7, 8, CLONE_INTO_CGROUP),
        new(writer, 7, 9, CLONE_INTO_CGROUP),
    )
    assert (found.at(8, 1050), found.at(9, 1050)) == ("/new", None)


def test_of_several_hierarchies_the_one_that_was_told_counts(kernel: Schema) -> None:
    writer = PageWriter(kernel)
    found = groups(
        kernel,
        fact(writer, CgroupLine(7, 4, "/memory"), CgroupLine(8, 0, "/")),
        moved(writer, 7, "/pids", root=8),
        moved(writer, 8, "/freezer", root=6),
    )
    assert (found.at(7, 1050), found.at(8, 1050)) == ("/memory", "/freezer")


def new(writer: PageWriter, creator: int, child: int, flags: int = 0) -> bytes:
    return writer.event("task_newtask", delta=10, common_pid=creator, pid=child, comm=b"x", clone_flags=flags)


def moved(writer: PageWriter, pid: int, path: str, root: int = 0) -> bytes:
    return writer.event("cgroup_attach_task", delta=10, pid=pid, dst_root=root, dst_path=path.encode())


@pytest.mark.parametrize(("text", "root", "path"), [
    ("0::/user.slice/a b\n", 0, "/user.slice/a b"),
    ("9:name=systemd:/\n4:memory:/box/cd88\n0::/\n", 4, "/box/cd88"),
    ("4:memory:/old\n0::/new (deleted)\n", 0, "/new"),
    ("0::/two\nlines\n", 0, "/two\nlines"),
    ("0::/\n", 0, "/"),
])  # fmt: skip
def test_the_group_of_a_process(tmp_path: Path, text: str, root: int, path: str) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text(text)
    assert of_process(7, str(tmp_path)) == CgroupLine(7, root, path)
    assert of_process(8, str(tmp_path)) is None


def test_lines_come_back_from_facts_as_they_went_in() -> None:
    lines = [CgroupLine(pid, pid % 3, f"/slice/{pid}\n{'x' * (pid % 90)}") for pid in range(307)]
    bodies = list(pack_cgroups(lines))
    assert [one for body in bodies for one in unpack_cgroups(body)] == lines
    assert max(map(len, bodies)) <= MAX_BODY_BYTES
    assert unpack_cgroups(b"x y z\0\0" + b"7 0 /cut") == [CgroupLine(7, 0, "/cut")]
