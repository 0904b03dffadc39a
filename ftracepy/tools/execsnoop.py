"""execsnoop: show every program that is started, with its arguments.

        PID    PPID    UID RET     ~ ARGS
       4711    4242   1000 0         git log --oneline -n 20
       4712    4711   1000 0         less -FRX
       4713    4711   1000 ENOENT  ~ /usr/local/bin/less -FRX

The last line is shown with -x only: an attempt that failed, with the error's name and the file that was tried. ARGS is
quoted as for a shell; [...] stands for arguments that were not captured or not asked for, [?] for those that nobody
could read. Arguments without a mark are the new program's own, as the kernel gave them to it. ~ stands before those that
the caller had in memory just before the call, where another thread may have changed them since, or that /proc told of a
static program a moment later.
How the arguments are read here, and what that can miss, stands under `ftracepy doctor execsnoop`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ftracepy.analysis.execs import Exec, execs
from ftracepy.analysis.quoting import quote
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.walk import own_probes
from ftracepy.probes import Execs, Syscalls, Tasks, Wish
from ftracepy.system import errnos
from ftracepy.tools.kit import Feed, Filters, Row, argument, col, flag, option, pattern, tool
from ftracepy.tools.options import Pattern
from ftracepy.tools.provenance import MARK, explain, mark

_MARKED = "arguments as the caller had them in memory just before the call, or as /proc told them a moment later"
MORE, UNREADABLE = "[...]", "[?]"


def _line(args: list[str]) -> str:
    """Our own marks stand last and bare; an argument spelled like one is quoted."""
    marked = bool(args) and (args[-1] is MORE or args[-1] is UNREADABLE)
    words, marks = (args[:-1], args[-1:]) if marked else (args, [])
    return " ".join([*map(quote, words), *marks])


class Options(Filters):
    failed: bool = flag("-x", help="show attempts that failed, too")
    reexecs: bool = flag("-r", help="accepted for habit: a process that executes again is always shown")
    argc: int | None = option("-a", type=int, metavar="N", help="show at most N arguments")
    name: Pattern | None = argument("name", type=pattern, help="regular expression for the name of the starting task")


class Program(Row):
    pid: int = col(width=7, help="process that was to run the program")
    ppid: int | None = col(width=7, help="its parent")
    uid: int | None = col(width=6, help="its real user")
    ret: str = col(width=7, show=str, help="0, or why it was not started")
    args_by: str = col(
        width=1, title=MARK, show=mark, help="~ (user@enter, proc-after): as the caller had ARGS, or /proc a moment later"
    )
    args: list[str] = col(show=_line, escape=False, help="the program's arguments")
    path: str | None = col(place="data", help="the file that was to be run")
    path_by: str = col(place="data", help="kernel-copy: as the kernel used it; user@enter: as the caller had it just before")


def _wishes(options: Options) -> tuple[Wish, ...]:
    return Execs(failed=options.failed), Tasks(), Syscalls(("setuid", "setreuid", "setresuid"))


@tool(wishes=_wishes, options=Options, row=Program)
def execsnoop(feed: Feed, options: Options) -> Iterator[Program]:
    if options.failed or not own_probes(feed.schema, "argv_kernel"):
        explain(feed, _MARKED)
    for one in execs(feed, tasks=TaskTable(feed.schema)):
        if (not one.failed or options.failed) and _wanted(one, options):
            ret = errnos.name(-one.ret) if one.failed else "0"
            args = _args(one, options.argc)
            yield Program(
                ts_ns=one.ts_ns, pid=one.pid, ppid=one.ppid, uid=one.uid, ret=ret, args=args, path=one.filename,
                path_by=one.filename_provenance, args_by=_args_by(one),
            )  # fmt: skip


def _wanted(one: Exec, options: Options) -> bool:
    """--comm looks at the name before and after: both are the process's."""
    if options.name is not None and not options.name.search(one.comm_before):
        return False
    names = (one.comm,) if one.failed else (one.comm_before, one.comm)
    return any(options.admits(pid=one.pid, tid=one.tid, comm=name) for name in names)


def _args_by(one: Exec) -> str:
    """Of a failed attempt whose arguments nobody could read ARGS has the file alone."""
    return one.filename_provenance if one.failed and one.argv_provenance == "none" else one.argv_provenance


def _args(one: Exec, most: int | None) -> list[str]:
    if one.argv_provenance == "none":
        return [one.filename or one.comm, UNREADABLE]
    args = [one.filename or one.argv[0], *one.argv[1:]] if one.failed else list(one.argv)
    if most is not None and len(args) > max(most, 0):
        return [*args[: max(most, 0)], MORE]
    return [*args, MORE] if one.argv_cut else args
