"""Entry and exit of system calls, matched per task: keyed by thread, not by number.

What shaped it (kernel: kernel/entry/common.c, fs/exec.c, kernel/signal.c):
an exec by another thread than the leader enters as one tid and leaves as the leader's; an exec that changes the ABI
leaves under the other ABI's number, a successful execveat under execve's; rt_sigreturn leaves as number -1;
a new child leaves a call it never entered; exit and exit_group never leave; seccomp makes calls leave that were
refused before they entered; a restart code (-512 …) is not what the program sees.
Where events were lost, everything open is forgotten: a call that cannot be matched is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Machine
from ftracepy.system.errnos import ERESTARTNOINTR, ERESTARTSYS, RESTARTS, failed
from ftracepy.values import dataclass, field

PATIENCE = 1_000_000_000
_EINTR = 4
_SIG_DFL, _SIG_IGN, _SA_RESTART = 0, 1, 0x10000000
_NEVER_RETURN = {"exit", "exit_group"}
_BIRTHS = {"clone", "clone3", "fork", "vfork"}
EXECS = {"execve", "execveat"}
_SIGRETURNS = {"rt_sigreturn", "sigreturn"}
_RESTART = "restart_syscall"


class Outcome(Enum):
    """How a call ended."""

    RETURNED = "returned"
    RESTARTED = "restarted"  # the kernel starts it again by itself; seen only where that new start was not
    EXEC = "exec"  # it succeeded in replacing the program
    DIED = "died"  # the task was killed in it
    NEVER_RETURNED = "never-returned"  # exit and exit_group
    DENIED = "denied"  # seccomp refused it before it entered


@dataclass(slots=True)
class Entry:
    """A call that has entered. Times are raw stamps; `texts` fills up while the call runs."""

    tid: int
    tgid: int
    comm: str
    nr: int
    name: str
    start: int
    args: Mapping[str, Any]
    raw: bool = False
    execed: bool = False
    restarts: int = 0
    texts: dict[str, Any] = field(default_factory=dict)
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Held:
    """A call that left with a restart code: what the program will see is not known yet."""

    entry: Entry
    ret: int
    end: int


Ended = Callable[[Entry, Outcome, "int | None", int], None]


class Pairing(Machine):
    """Says of every call that entered how it ended, once. Fed by calls.py with what the events say."""

    def __init__(self, tasks: Tasks, ended: Ended) -> None:
        self._tasks = tasks
        self._ended = ended
        self.open: dict[int, Entry] = {}
        self._held: dict[int, _Held] = {}
        self._known: set[int] = set()  # threads that cannot be inside a call whose entry was missed
        self._closed: dict[int, tuple[int, int]] = {}

    def enter(self, tid: int, nr: int, name: str, ts: int, args: Mapping[str, Any], *, raw: bool = False) -> Entry | None:
        """A call enters; None where it is the other record of an entry seen already."""
        now_open = self.open.get(tid)
        if now_open is not None and now_open.nr == nr and now_open.raw != raw:
            return self._twin(now_open, name, args, raw)
        self._known.add(tid)
        self._closed.pop(tid, None)
        if now_open is not None and now_open.name in _SIGRETURNS:
            self._ended(now_open, Outcome.RETURNED, None, ts)
        task = self._tasks.get(tid)
        entry = Entry(tid, task.tgid, task.comm, nr, name, ts, args, raw)
        if tid in self._held and (again := self._resume(entry)) is not None:
            entry = again
        if name in _NEVER_RETURN:
            self.open.pop(tid, None)
            self._ended(entry, Outcome.NEVER_RETURNED, None, ts)
        else:
            self.open[tid] = entry
        return entry

    def holds(self, tid: int) -> bool:
        """Whether a call of the thread has not ended for good."""
        return tid in self.open or tid in self._held

    def settled(self, tid: int, nr: int, ret: int) -> None:
        """The thread's latest call entered and returned, seen by somebody else."""
        self._known.add(tid)
        self._closed[tid] = nr, ret

    def _twin(self, entry: Entry, name: str, args: Mapping[str, Any], raw: bool) -> Entry | None:
        """raw_syscalls and syscalls events of one entry, both recorded: the one with named arguments is kept."""
        if raw:
            return None
        entry.name, entry.args, entry.raw = name, args, False
        return entry

    def _resume(self, entry: Entry) -> Entry | None:
        """The call interrupted before, where `entry` is its second start; else that call ended interrupted."""
        held = self._held[entry.tid]
        first = held.entry
        if entry.name == _RESTART or (entry.nr == first.nr and entry.args == first.args):
            del self._held[entry.tid]
            first.restarts += 1
            first.nr = entry.nr
            return first
        if entry.name not in _SIGRETURNS:
            self._release(entry.tid)
        return None

    def leave(self, tid: int, nr: int, name: str, ret: int, ts: int) -> None:
        """A call leaves with `ret`."""
        entry = self.open.pop(tid, None)
        if entry is None:
            self._leave_unentered(tid, nr, name, ret, ts)
        elif nr == -1:
            self._leave_sigreturn(entry, ret, ts)
        elif entry.execed or (entry.nr != nr and entry.name in EXECS and name in EXECS):
            self._ended(entry, Outcome.EXEC if ret == 0 else Outcome.RETURNED, ret, ts)
        elif entry.nr == nr and ret in RESTARTS:
            self._hold(entry, ret, ts)
        elif entry.nr == nr:
            exec_ok = entry.name in EXECS and ret == 0
            self._ended(entry, Outcome.EXEC if exec_ok else Outcome.RETURNED, ret, ts)
        self._closed[tid] = nr, ret
        self._known.add(tid)

    def _hold(self, entry: Entry, ret: int, ts: int) -> None:
        if ret == -ERESTARTNOINTR:
            self._ended(entry, Outcome.RESTARTED, None, ts)
        else:
            self._held[entry.tid] = _Held(entry, ret, ts)

    def _leave_sigreturn(self, entry: Entry, ret: int, ts: int) -> None:
        """The exit of rt_sigreturn shows the interrupted call's result, which it has put back."""
        held = self._held.get(entry.tid)
        if entry.name in _SIGRETURNS:
            self._ended(entry, Outcome.RETURNED, ret, ts)
        if held is not None and ret == -_EINTR:
            self._release(entry.tid)

    def _leave_unentered(self, tid: int, nr: int, name: str, ret: int, ts: int) -> None:
        """A new child, a call that was running when tracing started, or a refusal by seccomp."""
        if self._closed.get(tid) == (nr, ret) or tid not in self._known or nr == -1:
            return
        if name in EXECS and ret == 0:
            self._leave_as_leader(tid, ts)
        elif not (name in _BIRTHS and ret == 0) and (failed(ret) or ret == nr):
            task = self._tasks.get(tid)
            self._ended(Entry(tid, task.tgid, task.comm, nr, name, ts, {}), Outcome.DENIED, ret if failed(ret) else None, ts)

    def _leave_as_leader(self, tgid: int, ts: int) -> None:
        """An exec by another thread than the leader, where sched_process_exec was not recorded."""
        callers = [entry for entry in self.open.values() if entry.tgid == tgid and entry.name in EXECS]
        if len(callers) == 1:
            del self.open[callers[0].tid]
            self._ended(callers[0], Outcome.EXEC, 0, ts)

    def born(self, tid: int) -> None:
        """A new task: it will leave a call that it never entered."""
        self.open.pop(tid, None)
        self._held.pop(tid, None)
        self._closed.pop(tid, None)
        self._known.add(tid)

    def execed(self, pid: int, old_pid: int, ts: int) -> None:
        """A program was replaced; the thread that asked is now the leader, whose own call ends here."""
        entry = self.open.pop(old_pid, None)
        if old_pid != pid:
            self.died(pid, ts)
            self._known.discard(old_pid)
            self._known.add(pid)
        if entry is not None:
            entry.execed = True
            self.open[pid] = entry

    def delivered(self, tid: int, handler: int, flags: int) -> None:
        """A signal takes effect in the task: only one with a handler lets the program see that its call was interrupted."""
        held = self._held.get(tid)
        if held is None or handler in {_SIG_DFL, _SIG_IGN}:
            return
        if held.ret != -ERESTARTSYS or not flags & _SA_RESTART:
            self._release(tid)

    def died(self, tid: int, ts: int) -> None:
        """A task has ended: so has the call it was in, or was interrupted in."""
        held, entry = self._held.pop(tid, None), self.open.pop(tid, None)
        if held is not None:
            self._ended(held.entry, Outcome.DIED, None, ts)
        if entry is not None and entry.name not in _SIGRETURNS:
            self._ended(entry, Outcome.DIED, None, ts)
        self._known.discard(tid)
        self._closed.pop(tid, None)

    def lost(self) -> None:
        self.open.clear()
        self._held.clear()
        self._known.clear()
        self._closed.clear()

    def advance(self, now: int) -> None:
        for tid in [tid for tid, held in self._held.items() if held.end + PATIENCE < now]:
            self._release(tid)

    def _release(self, tid: int) -> None:
        """No second start came: a handler ran, and the program saw EINTR."""
        held = self._held.pop(tid)
        self._ended(held.entry, Outcome.RETURNED, -_EINTR, held.end)
