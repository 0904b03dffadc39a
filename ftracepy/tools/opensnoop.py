"""opensnoop: show each file that a process opens, and whether it worked.

        PID COMM              FD ERR     FLAGS          ~ PATH
       4711 cat                3 -       RDONLY|CLOEXEC   /etc/ld.so.cache
       4711 cat                3 -       RDONLY           /etc/passwd
       4711 cat                - ENOENT  RDONLY         ~ /etc/nologin

A path without a mark is the kernel's own: what it used. ~ stands before one that the caller had in memory just before the
call, where another thread may have changed it since (on kernels without kprobes that is so of opens that fail), and with
-F before one whose folder is known from /proc or an earlier open. Without kprobes fanotify tells paths, and of everybody's
opens: with -p or -L it is left off while others open more than 5,000 files a second, paths are ~ then, and it is tried
again after growing pauses; stderr says so the first time. ? stands for a path that nobody could read. How paths
are read here, and what that can miss, stands under `ftracepy doctor opensnoop`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ftracepy.analysis.calls import OPENS, Call, Calls
from ftracepy.analysis.folders import Folders
from ftracepy.analysis.plaincalls import plain_calls
from ftracepy.analysis.plainrows import PROVENANCES, Kind, Plain, Value
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.uring import COMPLETE, OPCODES, SUBMITS, SYSTEM, UringOpens
from ftracepy.analysis.walk import own_probes, walk
from ftracepy.probes import Syscalls, Tasks, Tracepoint, Wish
from ftracepy.system import errnos, openflags
from ftracepy.tools.kit import Feed, Filters, Row, argument, col, flag, pattern, tool
from ftracepy.tools.options import Pattern
from ftracepy.tools.provenance import MARK, explain, mark

_MARKED = "paths that are not the kernel's own copy: the caller had them in memory just before the call, or /proc told the folder"
_NAMES = ("open", "openat", "openat2", "creat")
_CREAT = 0o1101  # O_CREAT | O_WRONLY | O_TRUNC, as creat(2) says


class Options(Filters):
    failed: bool = flag("-x", help="show only opens that failed")
    uring: bool = flag("--io-uring", help="opens through io_uring, too: for that every completion of io_uring is recorded")
    full_path: bool = flag("-F", "--full-path", help="the file really opened, from / on; of opens that failed the name so")
    filename: Pattern | None = argument("filename", type=pattern, help="regular expression for the path")


class Opened(Row):
    pid: int = col(width=7, help="process that opened it")
    comm: str = col(width=15, help="name of the task at that time")
    fd: int | None = col(width=4, help="the new file descriptor")
    err: str | None = col(width=7, help="why it failed")
    flags: str | None = col(width=14, show=lambda flags: flags.replace("O_", ""), help="how it was opened")
    path_by: str = col(width=1, title=MARK, show=mark, help="~ (user@enter, proc-after): not the kernel's own copy")
    path: str | None = col(none="?", help="the file, as far as this way of reading it tells")


# What a signal did to a waiting open: interrupted it, restarted it, or killed its task.
_SIGNALS = Tracepoint("signal", "signal_deliver")


_OPCODES = " || ".join(f"opcode == {code}" for code in OPCODES)
_URING = (
    *(Tracepoint(SYSTEM, name, filter=_OPCODES, optional=True) for name in SUBMITS),
    Tracepoint(SYSTEM, COMPLETE, optional=True),
)


def _wishes(options: Options) -> tuple[Wish, ...]:
    opens = Syscalls(_NAMES, strings=("filename", "pathname"), absolute=options.full_path)
    return opens, _SIGNALS, Tasks(), *(_URING if options.uring else ())


@tool(wishes=_wishes, options=Options, row=Opened)
def opensnoop(feed: Feed, options: Options) -> Iterator[Opened]:
    if options.full_path or not own_probes(feed.schema, "path_kernel"):
        explain(feed, _MARKED)
    for call, path in _opens(feed, options):
        if options.failed and not call.failed:
            continue
        if options.filename is not None and (path is None or not options.filename.search(path)):
            continue
        if call.ret is not None and options.admits(pid=call.pid, tid=call.tid, comm=call.comm):
            yield Opened(
                ts_ns=call.end_ns, pid=call.pid, comm=call.comm, fd=call.ret_if_ok, err=call.errname,
                flags=_flags(call, feed.schema.arch), path=path, path_by=_known_by(call, path),
            )  # fmt: skip


def _opens(feed: Feed, options: Options) -> Iterator[tuple[Call, str | None]]:
    """Each with its path. What the program asked for goes by the same names, whichever way it asked."""
    out: deque[Call] = deque()
    tasks = TaskTable(feed.schema)
    machine = Calls(feed.schema, OPENS, tasks, out.append, absolute=options.full_path)
    machines = (tasks, UringOpens(machine, tasks), machine)
    if options.full_path:
        folders = Folders(feed.schema, tasks)
        yield from folders.rooted(walk(feed, (*machines, folders), out))
    else:
        shortcut = plain_calls(feed, _NAMES, tasks, machine, _plain(feed, options))
        yield from ((call, call.text("filename").value) for call in walk(feed, machines, out, shortcut))


def _plain(feed: Feed, options: Options) -> Plain | None:
    if options.filename is not None:
        return None
    columns = {
        "pid": Value(Kind.PID), "comm": Value(Kind.COMM), "fd": Value(Kind.RET), "err": Value(Kind.ERROR, name=errnos.name),
        "flags": Value(Kind.NAMED, "flags", lambda flags: openflags.text(flags, feed.schema.arch)), "path": Value(Kind.PATH),
        "path_by": Value(Kind.PATH_BY, name=PROVENANCES.__getitem__),
    }  # fmt: skip
    return Plain(columns, options.admits, failed_only=options.failed)


def _known_by(call: Call, path: str | None) -> str:
    """The folder in front of a name comes from elsewhere than the name."""
    text = call.text("filename")
    return text.provenance if path == text.value or text.provenance != "kernel-copy" else "proc-after"


def _flags(call: Call, machine: str) -> str | None:
    """openat2 passes its flags in memory: they are seen where a probe in the kernel reads them."""
    flags = _CREAT if call.name == "creat" else call.args.get("flags")
    return openflags.text(flags, machine) if isinstance(flags, int) else None
