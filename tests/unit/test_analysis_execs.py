"""Program starts: argv from whichever source told it, failures, and rows that never wait for ever."""

from __future__ import annotations

from ftracepy.analysis.execs import Exec, execs
from ftracepy.sidefacts import Kind
from ftracepy.system.tasklines import TaskLine
from tests.support.events import Trace, as_words

SECOND = 1_000_000_000
BLOCKS = ("block0", "block1", "block2", "block3")
LOADER = {"argv_loader": ("argc", *BLOCKS)}
KERNEL = {"argv_kernel": ("start", "end", *BLOCKS)}
SITE = {"exec_site": ("nr", "path", "argv", *(f"arg{at}" for at in range(8)))}


def blocks(data: bytes) -> dict[str, tuple[int, ...]]:
    return {name: as_words(data[at * 512 :][:512], 64) for at, name in enumerate(BLOCKS)}


def site(trace: Trace, tid: int, path: str, *args: str) -> None:
    pointers = tuple(0x1000 * (at < len(args)) for at in range(24))
    texts = {f"arg{at}": as_words(args[at].encode() + b"\0" if at < len(args) else b"", 16) for at in range(8)}
    trace.probe(tid, "exec_site", nr=59, path=as_words(path.encode() + b"\0", 32), argv=pointers, **texts)


def run(trace: Trace, tid: int, path: str) -> None:
    """What the kernel tells of an exec that works."""
    trace.enter(tid, "execve")
    trace.rename(tid, "sh", path.rpartition("/")[2])
    trace.exec(tid, path)
    trace.leave(tid, "execve", 0)


def told(trace: Trace, *, ended: bool = True) -> list[Exec]:
    return list(execs(trace.feed(ended=ended)))


def test_who_started_what() -> None:
    trace = Trace()
    trace.tasks(TaskLine(7, 7, 1, 1000, "sh"))
    trace.newtask(7, 8, "sh")
    run(trace, 8, "/bin/true")
    (one,) = told(trace)
    assert (one.pid, one.ppid, one.uid, one.comm_before, one.comm, one.filename) == (8, 7, 1000, "sh", "true", "/bin/true")
    assert (one.argv, one.argv_provenance, one.ret, one.failed) == ([], "none", 0, False)


def test_what_is_not_known_is_none() -> None:
    trace = Trace()
    run(trace, 8, "/bin/true")
    (one,) = told(trace)
    assert (one.ppid, one.uid) == (None, None)


def test_argv_from_the_loader_without_environment() -> None:
    trace = Trace(probes=LOADER)
    run(trace, 8, "/bin/true")
    trace.probe(8, "argv_loader", argc=2, **blocks(b"/bin/true\0a b\0HOME=/root\0"))
    (one,) = told(trace, ended=False)
    assert (one.argv, one.argv_cut, one.argv_provenance) == (["/bin/true", "a b"], False, "kernel-copy")


def test_long_argv_is_marked_as_cut() -> None:
    trace = Trace(probes=LOADER)
    run(trace, 8, "/bin/echo")
    trace.probe(8, "argv_loader", argc=2, **blocks(b"/bin/echo\0" + b"x" * 4000))
    (one,) = told(trace)
    assert one.argv_cut
    assert one.argv == ["/bin/echo", "x" * (2048 - 10)]


def test_empty_arguments_count() -> None:
    trace = Trace(probes=KERNEL)
    trace.enter(8, "execve")
    trace.probe(8, "argv_kernel", start=100, end=100 + 7, **blocks(b"a\0\0b\0\0\0HOME=x"))
    trace.exec(8, "/bin/a")
    trace.leave(8, "execve", 0)
    (one,) = told(trace)
    assert (one.argv, one.argv_provenance) == (["a", "", "b", "", ""], "kernel-copy")


def test_the_kernels_own_stack_of_the_program() -> None:
    trace = Trace(probes={"argv_kernel": ("argc", *BLOCKS)})
    trace.enter(8, "execve")
    trace.probe(8, "argv_kernel", argc=3, **blocks(b"a\0\0b\0HOME=x\0"))
    trace.exec(8, "/bin/a")
    trace.leave(8, "execve", 0)
    (one,) = told(trace)
    assert (one.argv, one.argv_cut, one.argv_provenance) == (["a", "", "b"], False, "kernel-copy")


def test_the_kernels_own_block_may_come_after_the_exec_event() -> None:
    trace = Trace(probes=KERNEL)
    trace.enter(8, "execve")
    trace.exec(8, "/bin/a")
    trace.probe(8, "argv_kernel", start=100, end=104, **blocks(b"a\0b\0HOME=x"))
    trace.leave(8, "execve", 0)
    assert [one.argv for one in told(trace)] == [["a", "b"]]


def test_a_failed_attempt_has_argv_from_the_caller() -> None:
    trace = Trace(probes=SITE | LOADER)
    site(trace, 8, "/usr/local/bin/true", "true", "x")
    trace.enter(8, "execve")
    trace.leave(8, "execve", -2)
    site(trace, 8, "/bin/true", "true", "x")
    run(trace, 8, "/bin/true")
    trace.probe(8, "argv_loader", argc=2, **blocks(b"true\0x\0"))
    failed, worked = told(trace, ended=False)
    assert (failed.filename, failed.argv, failed.ret) == ("/usr/local/bin/true", ["true", "x"], -2)
    assert (worked.filename, worked.argv, worked.ret) == ("/bin/true", ["true", "x"], 0)


def test_more_arguments_than_a_site_reads() -> None:
    trace = Trace(probes=SITE)
    site(trace, 8, "/bin/x", *"abcdefghij")
    run(trace, 8, "/bin/x")
    (one,) = told(trace)
    assert (one.argv, one.argv_cut) == (list("abcdefgh"), True)


def test_argv_of_a_static_program_from_proc() -> None:
    trace = Trace(probes=LOADER)
    trace.header(ways=[{"how": "/proc/PID/cmdline at once"}])
    run(trace, 8, "/bin/static")
    trace.fact(Kind.ARGV, 8, b"static\0-v\0")
    trace.exit(8)
    (one,) = told(trace, ended=False)
    assert (one.argv, one.argv_provenance) == (["static", "-v"], "proc-after")


def test_the_loader_is_believed_before_proc() -> None:
    trace = Trace(probes=LOADER)
    trace.header(ways=[{"how": "/proc/PID/cmdline at once"}])
    run(trace, 8, "/bin/true")
    trace.fact(Kind.ARGV, 8, b"changed\0")
    trace.probe(8, "argv_loader", argc=1, **blocks(b"true\0"))
    (one,) = told(trace, ended=False)
    assert one.argv == ["true"]


def test_a_static_program_is_not_waited_for_longer_than_a_second() -> None:
    trace = Trace(probes=LOADER)
    run(trace, 8, "/bin/static")
    trace.cut(trace.now + SECOND // 2)
    assert told(trace, ended=False) == []
    trace.cut(trace.now + SECOND)
    (one,) = told(trace, ended=False)
    assert one.argv_provenance == "none"


def test_a_dead_program_is_not_waited_for() -> None:
    trace = Trace(probes=LOADER)
    run(trace, 8, "/bin/static")
    trace.exit(8)
    assert len(told(trace, ended=False)) == 1


def test_rows_keep_the_order_of_the_execs() -> None:
    trace = Trace(probes=LOADER)
    run(trace, 8, "/bin/first")
    run(trace, 9, "/bin/second")
    trace.probe(9, "argv_loader", argc=1, **blocks(b"second\0"))
    trace.probe(8, "argv_loader", argc=1, **blocks(b"first\0"))
    assert [one.argv for one in told(trace, ended=False)] == [["first"], ["second"]]


def test_the_same_process_executes_again() -> None:
    trace = Trace(probes=LOADER)
    for name in ("env", "true"):
        run(trace, 8, f"/bin/{name}")
        trace.probe(8, "argv_loader", argc=1, **blocks(name.encode() + b"\0"))
    assert [(one.argv, one.comm_before) for one in told(trace, ended=False)] == [(["env"], "<...>"), (["true"], "env")]


def test_exec_by_another_thread_than_the_leader() -> None:
    trace = Trace(probes=SITE)
    trace.tasks(TaskLine(7, 7, 1, 5, "main"), TaskLine(9, 7, 1, 5, "worker"))
    site(trace, 9, "/bin/true", "true")
    trace.enter(9, "execve")
    trace.exit(7)
    trace.rename(7, "worker", "true")
    trace.exec(7, "/bin/true", old_pid=9)
    trace.leave(7, "execve", 0)
    (one,) = told(trace)
    assert (one.pid, one.ppid, one.uid, one.comm_before, one.comm, one.argv) == (7, 1, 5, "worker", "true", ["true"])


def test_losses_do_not_hold_rows_back() -> None:
    trace = Trace(probes=LOADER)
    run(trace, 8, "/bin/true")
    trace.lose(1)
    trace.enter(9, "openat")
    assert len(told(trace, ended=False)) == 1
