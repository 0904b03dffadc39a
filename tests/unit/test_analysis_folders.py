"""Relative paths and what they are relative to: /proc's word, chdir after it, children, descriptors, losses."""

from __future__ import annotations

from collections import deque

import pytest

from ftracepy.analysis.calls import OPENS, Call, Calls, Text
from ftracepy.analysis.folders import SHARES_FS, Folders
from ftracepy.analysis.pairing import Outcome
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import walk
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.values import replace
from tests.support.events import Trace

AT_FDCWD, ENOENT = -100, -2


def trace() -> Trace:
    return Trace(probes={"path_kernel": ("path", "flags")})


def opened(made: Trace, path: str, ret: int = ENOENT, *, dfd: int = AT_FDCWD, tid: int = 7) -> None:
    made.enter(tid, "openat", dfd=dfd, filename=1, flags=0, mode=0)
    made.probe(tid, "path_kernel", path=path, flags=0)
    made.leave(tid, "openat", ret)


def chdir(made: Trace, tid: int = 7) -> None:
    made.leave(tid, "chdir", 0)


def told(made: Trace, *lines: str, late: bool = False) -> None:
    made.fact(Kind.FOLDERS, 0, b"\0".join(map(str.encode, lines)), when_ns=1 if late else made.now + 1)


def paths(made: Trace) -> list[str | None]:
    tasks, out = Tasks(made.schema), deque[Call]()
    calls, folders = Calls(made.schema, OPENS, tasks, out.append), Folders(made.schema, tasks)
    return [path for _, path in folders.rooted(walk(made.feed(), (tasks, calls, folders), out))]


def test_before_anybody_has_told_a_name_is_as_passed() -> None:
    made = trace()
    opened(made, "x")
    told(made, "7 /one", "8 /two three")
    opened(made, "x")
    opened(made, "x", tid=8)
    opened(made, "/x", tid=8)
    assert paths(made) == ["x", "/one/x", "/two three/x", "/x"]


def test_what_was_read_before_the_latest_chdir_says_nothing() -> None:
    made = trace()
    told(made, "7 /one")
    chdir(made)
    told(made, "7 /one", late=True)
    opened(made, "x")
    told(made, "7 /two")
    opened(made, "x")
    assert paths(made) == ["x", "/two/x"]


def test_children_begin_where_their_parent_is() -> None:
    made = trace()
    told(made, "7 /one")
    made.newtask(7, 9)
    chdir(made)
    told(made, "7 /two")
    opened(made, "x", tid=9)
    opened(made, "x")
    chdir(made, 9)
    told(made, "9 /three")
    opened(made, "x", tid=9)
    assert paths(made) == ["/one/x", "/two/x", "/three/x"]


def test_who_shares_its_folder_may_be_taken_along() -> None:
    made = trace()
    told(made, "7 /one")
    made.newtask(7, 9, flags=SHARES_FS)
    opened(made, "x", tid=9)
    opened(made, "x")
    assert paths(made) == ["x", "x"]


@pytest.mark.parametrize(
    ("between", "shown"), [((), "/one/a/x"), (("dup2",), "x"), (("lost",), "x"), (("again",), "/b/x"), (("fork",), "/one/a/x")]
)
def test_descriptors_are_what_an_open_made_them(between: tuple[str, ...], shown: str) -> None:
    made = trace()
    told(made, "7 /one")
    opened(made, "a", 5)
    for what in between:
        if what == "dup2":
            made.leave(7, "dup2", 5)
        elif what == "lost":
            made.lose(3)
        elif what == "again":
            opened(made, "/b", 5)
        else:
            made.newtask(7, 9)
    opened(made, "x", dfd=5, tid=9 if "fork" in between else 7)
    assert paths(made)[-1] == shown


def test_what_is_opened_through_io_uring_may_be_anywhere() -> None:
    made = trace()
    call = Call(7, 7, "x", "openat", {"flags": 0}, 1 << 60, 1 << 60, ENOENT, Outcome.RETURNED, {"path": Text("x", "kernel-copy")})
    folders = Folders(made.schema, Tasks(made.schema))
    folders.fact(SideFact(Kind.FOLDERS, 0, made.now, b"7 /one"), made.now)
    assert [path for _, path in folders.rooted([call])] == ["x"]
    assert [path for _, path in folders.rooted([replace(call, name="open")])] == ["/one/x"]


def test_a_descriptor_from_nowhere() -> None:
    made = trace()
    told(made, "7 /one")
    opened(made, "x", dfd=5)
    assert paths(made) == ["x"]
