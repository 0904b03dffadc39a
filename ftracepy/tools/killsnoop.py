"""killsnoop: show who sends which signal to whom, and whether it worked.

        PID COMM            SIGNAL         TPID TCOMM           RESULT
       4711 bash            SIGTERM        4242 sleep           0
       4711 bash            SIGKILL           1 systemd         EPERM
       4800 watchdog        0              4242 -               ESRCH

Signal 0 only asks whether the target is there. A target of 0 or less is a process group, as kill(2) takes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftracepy.analysis.calls import Call, calls
from ftracepy.analysis.plainrows import Kind, Plain, Value
from ftracepy.analysis.tasks import UNNAMED
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.probes import Syscalls, Tasks, Tracepoint
from ftracepy.system import errnos, signals
from ftracepy.tools.kit import Feed, Filters, Row, col, flag, option, tool

_NAMES = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")
_GENERATE = ("signal", "signal_generate")
# Codes above 0 are the kernel's own (a child ended, a timer, a fault): nobody called anything.
_BY_TASKS = Tracepoint(*_GENERATE, filter="code <= 0")


class Options(Filters):
    target: int | None = option("-p", "--target", type=int, help="only signals to this process")
    names: bool = flag("-s", help="accepted for habit: signals are always shown by name")


class Sent(Row):
    pid: int = col(width=7, help="process that sent it")
    comm: str = col(width=15, help="name of the sending task")
    signal: str = col(width=11, help="the signal")
    tpid: int | None = col(width=7, help="the target: a process, a thread (tkill, tgkill), or a group (0 or less)")
    tcomm: str | None = col(width=15, help="name of the target at that time")
    result: str = col(help="0, or why it failed")


_PLAIN = {
    "pid": Value(Kind.PID), "comm": Value(Kind.COMM), "signal": Value(Kind.NAMED, "sig", lambda sig: signals.name(_as_int(sig))),
    "tpid": Value(Kind.NUMBER, "pid"), "tcomm": Value(Kind.TARGET, "pid"),
    "result": Value(Kind.RESULT, name=lambda number: errnos.name(number) if number else "0"),
}  # fmt: skip


@tool(wishes=(Syscalls(_NAMES), _BY_TASKS, Tasks()), options=Options, row=Sent)
def killsnoop(feed: Feed, options: Options) -> Iterator[Sent]:
    tasks = TaskTable(feed.schema)
    plain = None if options.target is not None else Plain(_PLAIN, options.admits, note=_GENERATE)
    for call in calls(feed, _NAMES, tasks=tasks, within={_GENERATE}, plain=plain):
        tpid, tcomm = _target(call, tasks)
        if options.target is not None and options.target not in {tpid, call.args.get("tgid")}:
            continue
        if options.admits(pid=call.pid, tid=call.tid, comm=call.comm):
            yield Sent(
                ts_ns=call.end_ns, pid=call.pid, comm=call.comm, signal=signals.name(_int(call.args, "sig")),
                tpid=tpid, tcomm=tcomm, result=_result(call),
            )  # fmt: skip


def _target(call: Call, tasks: TaskTable) -> tuple[int | None, str | None]:
    """Whom the call names; a pidfd names nobody, but the signal it generated does."""
    hit = next((fields for name, fields in call.notes if name == _GENERATE[1]), None)
    named = call.args if "pid" in call.args else hit
    if named is None:
        return None, None
    tpid = _int(named, "pid")
    if tpid <= 0:
        return tpid, None
    if hit is not None and hit.get("pid") == tpid:
        return tpid, str(hit["comm"])
    task = tasks.peek(tpid)
    return tpid, None if task is None or task.comm == UNNAMED else task.comm


def _int(args: Mapping[str, Any], name: str) -> int:
    value = args.get(name)
    return _as_int(value if isinstance(value, int) else 0)


def _as_int(register: int) -> int:
    """An argument that is a C int, however wide the register it was recorded from."""
    low = register & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def _result(call: Call) -> str:
    """A task that kills itself does not see its call return."""
    if call.errname is not None:
        return call.errname
    return "0" if call.ret is not None or call.notes else call.outcome.value
