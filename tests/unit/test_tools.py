"""What each tool shows, and what holds for all of them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from ftracepy import sinks
from ftracepy.errors import UsageFault
from ftracepy.sidefacts import Kind
from ftracepy.system.tasklines import TaskLine
from ftracepy.tools import kit
from tests.support.events import Trace

FORK_FLAGS = 0x1200011


def rows(tool: str, trace: Trace, **options: Any) -> list[dict[str, Any]]:
    loaded = kit.load(tool)
    return [row.as_dict() for row in loaded.run(trace.feed(), loaded.options(**options))]


def lines(tool: str, trace: Trace, **options: Any) -> list[str]:
    loaded = kit.load(tool)
    asked = loaded.options(**options)
    out = io.BytesIO()
    sink = sinks.open("table", loaded.row_for(asked), out, messages=io.StringIO())
    for row in loaded.run(trace.feed(), asked):
        sink.row(row)
    sink.close()
    return out.getvalue().decode().splitlines()


def heading(tool: str) -> str:
    out = io.BytesIO()
    sink = sinks.open("table", kit.load(tool).row, out, messages=io.StringIO())
    sink.flush()
    return out.getvalue().decode().rstrip("\n")


@pytest.mark.parametrize("tool", kit.names())
class TestEveryTool:
    def test_its_docstring_shows_what_it_prints(self, tool: str) -> None:
        doc = kit.load(tool).doc.splitlines()
        assert doc[0].startswith(f"{tool}: ")
        assert doc[2] == f"    {heading(tool)}"

    def test_it_fits_a_terminal(self, tool: str) -> None:
        assert len(heading(tool)) < 80
        assert all(len(line) < 84 for line in kit.load(tool).doc.splitlines()[2:6])

    def test_it_shows_nothing_of_nothing(self, tool: str) -> None:
        assert rows(tool, Trace()) == []

    def test_its_columns_are_json_keys(self, tool: str) -> None:
        loaded = kit.load(tool)
        names = [one.name for one in loaded.row.columns()]
        assert len(set(names)) == len(names) > 0
        assert all(name.isidentifier() for name in names)

    def test_its_options_are_explained(self, tool: str) -> None:
        assert all(spec.help for spec in kit.load(tool).options.specs())


def opens() -> Trace:
    trace = Trace(probes={"path_kernel": ("path",)})
    trace.tasks(TaskLine(8, 7, 1, 0, "cat"))
    for tid, path, ret in ((8, "/etc/passwd", 3), (8, "/etc/nologin", -2), (9, "/tmp/a\n\x1b[31mb", 4)):
        trace.enter(tid, "openat", flags=0o2000000)
        trace.probe(tid, "path_kernel", path=path)
        trace.leave(tid, "openat", ret)
    return trace


def test_opensnoop() -> None:
    shown = rows("opensnoop", opens())
    cloexec = "O_RDONLY|O_CLOEXEC"
    known = {"pid": 7, "comm": "cat", "flags": cloexec, "path_by": "kernel-copy"}
    assert shown[0] == {**known, "fd": 3, "err": None, "path": "/etc/passwd"}
    assert shown[1] == {**known, "fd": None, "err": "ENOENT", "path": "/etc/nologin"}


def test_a_folder_that_proc_told_is_not_the_kernels_copy() -> None:
    trace = Trace(probes={"path_kernel": ("path", "flags")})
    trace.tasks(TaskLine(8, 8, 1, 0, "cat"))
    trace.fact(Kind.FOLDERS, 0, b"8 /there", trace.now + 1)
    for path in ("one", "/two"):
        trace.now += 10
        trace.enter(8, "openat", dfd=-100 & 0xFFFFFFFF, filename=1, flags=0, mode=0)
        trace.probe(8, "path_kernel", path=path, flags=0)
        trace.leave(8, "openat", -2)
    shown = [(row["path"], row["path_by"]) for row in rows("opensnoop", trace, full_path=True)]
    assert shown == [("/there/one", "proc-after"), ("/two", "kernel-copy")]
    assert [(row["path"], row["path_by"]) for row in rows("opensnoop", trace)] == [
        ("one", "kernel-copy"),
        ("/two", "kernel-copy"),
    ]


def test_opensnoop_in_a_table() -> None:
    assert lines("opensnoop", opens())[1:] == [
        "      7 cat                3 -       RDONLY|CLOEXEC   /etc/passwd",
        "      7 cat                - ENOENT  RDONLY|CLOEXEC   /etc/nologin",
        "      9 <...>              4 -       RDONLY|CLOEXEC   /tmp/a\\n\\x1b[31mb",
    ]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"failed": True}, ["/etc/nologin"]),
        ({"filename": kit.pattern("pass")}, ["/etc/passwd"]),
        ({"pid": 7}, ["/etc/passwd", "/etc/nologin"]),
        ({"tid": 9}, ["/tmp/a\n\x1b[31mb"]),
        ({"comm": kit.pattern("^cat$"), "failed": True}, ["/etc/nologin"]),
    ],
)
def test_opensnoop_filters(options: dict[str, Any], kept: list[str]) -> None:
    assert [row["path"] for row in rows("opensnoop", opens(), **options)] == kept


def test_opensnoop_knows_what_creat_means_and_openat2_hides() -> None:
    trace = Trace()
    trace.enter(7, "openat2")
    trace.leave(7, "openat2", 3)
    (row,) = rows("opensnoop", trace)
    assert (row["flags"], row["path"]) == (None, None)


def execs() -> Trace:
    trace = Trace()
    trace.header(ways=[{"how": "/proc/PID/cmdline at once"}])
    trace.tasks(TaskLine(7, 7, 1, 1000, "bash"))
    trace.newtask(7, 8, "bash", FORK_FLAGS)
    trace.enter(8, "execve")
    trace.leave(8, "execve", -2)
    trace.enter(8, "execve")
    trace.rename(8, "bash", "git")
    trace.exec(8, "/usr/bin/git")
    trace.leave(8, "execve", 0)
    trace.fact(Kind.ARGV, 8, b"git\0log\0a b\0[...]\0")
    return trace


def test_execsnoop() -> None:
    (row,) = rows("execsnoop", execs())
    assert (row.pop("path_by"), row.pop("args_by")) == ("kernel-copy", "proc-after")
    assert row == {"pid": 8, "ppid": 7, "uid": 1000, "ret": "0", "path": "/usr/bin/git", "args": ["git", "log", "a b", "[...]"]}
    assert lines("execsnoop", execs())[1] == "      8       7   1000 0       ~ git log 'a b' '[...]'"


def said(tool: str, trace: Trace, **options: Any) -> list[str]:
    loaded, notices = kit.load(tool), list[str]()
    feed = trace.feed()
    feed.notice = notices.append
    list(loaded.run(feed, loaded.options(**options)))
    return notices


def test_what_a_mark_means_is_said_where_one_may_come() -> None:
    (text,) = said("execsnoop", execs())
    assert text.startswith("~ stands before arguments")
    assert said("opensnoop", opens()) == [], "the kernel's copy of all"
    (text,) = said("opensnoop", opens(), full_path=True)
    assert text.startswith("~ stands before paths")


def test_execsnoop_shows_failures_when_asked() -> None:
    assert lines("execsnoop", execs(), failed=True)[1:] == [
        "      8       7   1000 ENOENT    bash [?]",
        "      8       7   1000 0       ~ git log 'a b' '[...]'",
    ]


@pytest.mark.parametrize(("argc", "args"), [(1, "git [...]"), (2, "git log [...]"), (4, "git log 'a b' '[...]'"), (0, "[...]")])
def test_execsnoop_shows_so_many_arguments(argc: int, args: str) -> None:
    assert lines("execsnoop", execs(), argc=argc)[1].endswith(f"0       ~ {args}")


@pytest.mark.parametrize(
    ("options", "count"),
    [({"name": kit.pattern("bash")}, 1), ({"name": kit.pattern("git")}, 0), ({"comm": kit.pattern("git")}, 1), ({"pid": 7}, 0)],
)
def test_execsnoop_filters(options: dict[str, Any], count: int) -> None:
    assert len(rows("execsnoop", execs(), **options)) == count


def kills() -> Trace:
    trace = Trace()
    trace.tasks(TaskLine(7, 7, 1, 0, "bash"), TaskLine(42, 42, 1, 0, "sleep"))
    trace.enter(7, "kill", pid=42, sig=15)
    trace.leave(7, "kill", 0)
    trace.enter(7, "kill", pid=2**64 - 42, sig=0)
    trace.leave(7, "kill", -3)
    trace.enter(7, "tgkill", tgid=42, pid=43, sig=36)
    trace.leave(7, "tgkill", -1)
    trace.enter(7, "pidfd_send_signal", pidfd=3, sig=9)
    trace.event(7, "signal", "signal_generate", sig=9, errno=0, code=0, comm="victim", pid=50, group=1, result=0)
    trace.leave(7, "pidfd_send_signal", 0)
    trace.enter(7, "kill", pid=7, sig=9)
    trace.event(7, "signal", "signal_generate", sig=9, errno=0, code=0, comm="bash", pid=7, group=1, result=0)
    trace.exit(7)
    return trace


def test_killsnoop() -> None:
    assert lines("killsnoop", kills())[1:] == [
        "      7 bash            SIGTERM          42 sleep           0",
        "      7 bash            0               -42 -               ESRCH",
        "      7 bash            SIGRTMIN+2       43 -               EPERM",
        "      7 bash            SIGKILL          50 victim          0",
        "      7 bash            SIGKILL           7 bash            0",
    ]


@pytest.mark.parametrize(("options", "count"), [({"target": 42}, 2), ({"target": 50}, 1), ({"pid": 42}, 0), ({"names": True}, 5)])
def test_killsnoop_filters(options: dict[str, Any], count: int) -> None:
    assert len(rows("killsnoop", kills(), **options)) == count


def calls() -> Trace:
    trace = Trace()
    trace.tasks(TaskLine(7, 7, 1, 0, "cat"), TaskLine(8, 8, 1, 0, "cat"), TaskLine(9, 9, 1, 0, "sh"))
    for tid, nr, ret in ((7, 0, 5), (7, 257, -2), (8, 0, 1), (9, 39, 9)):
        trace.raw_enter(tid, nr)
        trace.raw_leave(tid, nr, ret)
    return trace


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, [("cat",), ("sh",)]),
        ({"verbose": True}, [(7, "cat"), (8, "cat"), (9, "sh")]),
        ({"by_call": True}, [("read",), ("getpid",), ("openat",)]),
        ({"by_call": True, "verbose": True}, [(7, "cat", "openat"), (7, "cat", "read"), (8, "cat", "read"), (9, "sh", "getpid")]),
        ({"top": 1}, [("cat",)]),
        ({"pid": 8}, [("cat",)]),
        ({"comm": kit.pattern("sh")}, [("sh",)]),
    ],
)
def test_syscount(options: dict[str, Any], keys: list[tuple[object, ...]]) -> None:
    shown = rows("syscount", calls(), **options)
    assert [tuple(row.values())[: len(keys[0])] for row in shown] == keys


def test_syscount_in_a_table() -> None:
    assert lines("syscount", calls(), by_call=True) == [
        "SYSCALL                COUNT    ERRORS      TOTAL        MAX",
        "read                       2         0     2.00us     1.00us",
        "getpid                     1         0     1.00us     1.00us",
        "openat                     1         1     1.00us     1.00us",
    ]


def test_syscount_numbers_its_intervals() -> None:
    trace = calls()
    trace.cut(trace.now + 1_000_000_000)
    trace.raw_enter(7, 0)
    loaded = kit.load("syscount")
    shown = list(loaded.run(trace.feed(), loaded.options(interval=0.5)))
    assert [row.block for row in shown] == [0, 0, 2]


@pytest.mark.parametrize("options", [{"interval": 0.0}, {"interval": -1.0}, {"top": 0}])
def test_syscount_refuses_what_cannot_be_meant(options: dict[str, Any]) -> None:
    with pytest.raises(UsageFault):
        kit.load("syscount").options(**options)


def test_rows_of_every_tool_are_json() -> None:
    for tool, trace in (("opensnoop", opens()), ("execsnoop", execs()), ("killsnoop", kills()), ("syscount", calls())):
        assert json.loads(json.dumps(rows(tool, trace)))
