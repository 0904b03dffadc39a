"""Opens through io_uring: who asked, what was opened, and how it ended, whoever did it."""

from __future__ import annotations

from typing import Any

from ftracepy.sidefacts import Kind
from ftracepy.system.tasklines import TaskLine
from ftracepy.tools.opensnoop import Options, opensnoop
from tests.support.events import Trace


def start() -> Trace:
    trace = Trace(probes={"path_kernel": ("path", "flags")})
    trace.tasks(TaskLine(7, 7, 1, 0, "db"), TaskLine(8, 7, 1, 0, "iou-wrk-7"), TaskLine(9, 7, 1, 0, "iou-wrk-7"))
    return trace


def submit(trace: Trace, tid: int, data: int, opcode: int = 18) -> None:
    trace.event(tid, "io_uring", "io_uring_submit_req", ctx=1, user_data=data, opcode=opcode)


def complete(trace: Trace, tid: int, data: int, res: int) -> None:
    trace.event(tid, "io_uring", "io_uring_complete", ctx=1, user_data=data, res=res)


def opened(trace: Trace, tid: int, path: str, flags: int = 0) -> None:
    trace.probe(tid, "path_kernel", path=path, flags=flags)


def shown(trace: Trace) -> list[tuple[Any, ...]]:
    rows = opensnoop.run(trace.feed(), Options(uring=True))
    return [(row.pid, row.comm, row.fd, row.err, row.flags, row.path) for row in rows]


def test_an_open_done_at_once() -> None:
    trace = start()
    submit(trace, 7, 1)
    opened(trace, 7, "/a", 0o2)
    complete(trace, 7, 1, 5)
    assert shown(trace) == [(7, "db", 5, None, "O_RDWR", "/a")]


def test_opens_done_by_workers_in_another_order() -> None:
    trace = start()
    for data in (1, 2):
        submit(trace, 7, data, 28)
    opened(trace, 9, "/b")
    opened(trace, 8, "/a")
    complete(trace, 9, 2, -2)
    complete(trace, 8, 1, 5)
    assert shown(trace) == [(7, "db", None, "ENOENT", "O_RDONLY", "/b"), (7, "db", 5, None, "O_RDONLY", "/a")]


def test_other_requests_and_opens_of_other_kinds_are_none() -> None:
    trace = start()
    opened(trace, 7, "/lib/ld.so")
    submit(trace, 7, 1, 22)
    complete(trace, 7, 1, 100)
    submit(trace, 7, 2)
    complete(trace, 7, 2, 5)
    assert shown(trace) == [(7, "db", 5, None, None, None)]


def test_a_system_calls_name_is_its_own() -> None:
    trace = start()
    submit(trace, 7, 1)
    trace.enter(7, "openat")
    opened(trace, 7, "/mine")
    trace.leave(7, "openat", 3)
    complete(trace, 8, 1, 5)
    assert shown(trace) == [(7, "db", 3, None, "O_RDONLY", "/mine"), (7, "db", 5, None, None, None)]


def test_fanotify_names_the_file() -> None:
    trace = Trace()
    trace.header(ways=[{"how": "fanotify"}])
    trace.tasks(TaskLine(7, 7, 1, 0, "db"))
    submit(trace, 7, 1)
    complete(trace, 8, 1, 5)
    trace.fact(Kind.PATH, 8, b"/etc/file")
    trace.fact(Kind.CAUGHT_UP, 0, b"opens")
    assert shown(trace) == [(7, "db", 5, None, None, "/etc/file")]


def test_a_loss_forgets() -> None:
    trace = start()
    submit(trace, 7, 1)
    trace.lose(3)
    complete(trace, 7, 1, 5)
    assert shown(trace) == []
