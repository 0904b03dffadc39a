"""Which task was what at the time: name, process, parent and user, from the events that change them.

A text trace labels events with a later name of the task; here the name is what it was when the event happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ftracepy.analysis.walk import Handler, Machine, header_of, number, text
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.system.tasklines import UNKNOWN, unpack_tasks
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Event

CLONE_THREAD = 0x10000  # include/uapi/linux/sched.h
CLONE_PARENT = 0x8000
UNNAMED = "<...>"
_COMM_CHARS = 15
_DEAD_KEPT = 4096
_KEEP_UID = 0xFFFFFFFF


@dataclass(slots=True)
class Task:
    """One thread as it is now. `tgid` is its process, `ppid` the parent process at birth; UNKNOWN (-1) where not told.

    `comm_before` is the name it had before its latest rename, which every exec makes.
    """

    tid: int
    tgid: int
    ppid: int = UNKNOWN
    uid: int = UNKNOWN
    comm: str = UNNAMED
    comm_before: str = ""
    dead: bool = False
    guessed: bool = True


class Tasks(Machine):
    """The table of tasks, kept by fork, new task, rename, exec, exit and setuid events, and by TASKS facts."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._table: dict[int, Task] = {}
        self._dead: deque[int] = deque()
        self._setuid: dict[int, int] = {}
        self.own: set[int] = set()

    def get(self, tid: int) -> Task:
        """The task `tid`; one of which nothing is known is taken for a process of its own."""
        task = self._table.get(tid)
        if task is None:
            comm = "swapper" if tid == 0 else self._schema.comm(tid) or UNNAMED
            task = self._table[tid] = Task(tid, tid, comm=comm)
        return task

    def peek(self, tid: int) -> Task | None:
        """The task `tid` if anything was told of it, a name in the recording's own table at least."""
        return self._table.get(tid) or (self.get(tid) if tid in self._schema.cmdlines else None)

    def all(self) -> list[Task]:
        """Every task that is known, the lately dead among them."""
        return list(self._table.values())

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        wanted = {
            ("task", "task_newtask"): self._newtask,
            ("task", "task_rename"): self._rename,
            ("sched", "sched_process_fork"): self._fork,
            ("sched", "sched_process_exec"): self._exec,
            ("sched", "sched_process_exit"): self._exit,
        }
        for name in ("setuid", "setreuid", "setresuid"):
            wanted["syscalls", f"sys_enter_{name}"] = self._setuid_enter
            wanted["syscalls", f"sys_exit_{name}"] = self._setuid_exit
        formats = schema.by_name()
        return {formats[key].id: handler for key, handler in wanted.items() if key in formats}

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is Kind.TASKS:
            for line in unpack_tasks(fact.body):
                self._learn(line.tid, line.tgid, line.ppid, line.uid, line.comm)
        elif fact.kind is Kind.HEADER:
            own = header_of(fact).get("own")
            self.own.update(tid for tid in (own if isinstance(own, list) else ()) if isinstance(tid, int))

    def _learn(self, tid: int, tgid: int, ppid: int, uid: int, comm: str) -> None:
        """A snapshot is older than what events have told already, so it only fills in what they did not."""
        task = self._table.get(tid)
        if task is None or task.guessed:
            self._table[tid] = Task(tid, tgid, ppid, uid, comm, guessed=False)
            return
        if task.tgid == tid and task.ppid == UNKNOWN:
            task.tgid, task.ppid = tgid, ppid
        task.uid = uid if task.uid == UNKNOWN else task.uid

    def _newtask(self, event: Event) -> None:
        self._born(event.pid, number(event, "pid"), text(event, "comm"), number(event, "clone_flags"))

    def _fork(self, event: Event) -> None:
        """Fires after task_newtask for the same child, and not for io workers; it matters where only it was recorded."""
        child = self._table.get(number(event, "child_pid"))
        if child is None or child.dead or child.guessed:
            self._born(number(event, "parent_pid"), number(event, "child_pid"), text(event, "child_comm"), 0)

    def _born(self, creator_tid: int, tid: int, comm: str, clone_flags: int) -> None:
        creator = self.get(creator_tid)
        thread = bool(clone_flags & CLONE_THREAD)
        sibling = thread or bool(clone_flags & CLONE_PARENT)
        self._table[tid] = Task(
            tid, creator.tgid if thread else tid, creator.ppid if sibling else creator.tgid, creator.uid, comm, guessed=False
        )

    def _rename(self, event: Event) -> None:
        task = self.get(number(event, "pid", event.pid))
        task.comm_before, task.comm = task.comm, text(event, "newcomm")
        task.guessed = False

    def _exec(self, event: Event) -> None:
        """The calling thread has become its process's leader (kernel: fs/exec.c, de_thread), whoever that was before."""
        pid, old_pid = number(event, "pid"), number(event, "old_pid")
        task = self.get(pid)
        if old_pid != pid and (caller := self._table.pop(old_pid, None)):
            task.ppid = caller.ppid if task.ppid == UNKNOWN else task.ppid
            task.uid = caller.uid if caller.uid != UNKNOWN else task.uid
        task.tgid, task.dead, task.guessed = pid, False, False
        if task.comm == UNNAMED:
            task.comm = text(event, "filename").rpartition("/")[2][:_COMM_CHARS]

    def _exit(self, event: Event) -> None:
        """The dead stay for a while: rows about them may still be waiting, and threads may outlive their leader."""
        task = self.get(event.pid)
        if not task.dead:
            task.dead = True
            self._dead.append(event.pid)
        if len(self._dead) > _DEAD_KEPT and (old := self._table.get(self._dead.popleft())) and old.dead:
            del self._table[old.tid]

    def _setuid_enter(self, event: Event) -> None:
        """The real uid that the call would set, -1 for none: the first argument of all three."""
        self._setuid[event.pid] = number(event, "uid", number(event, "ruid", _KEEP_UID)) & _KEEP_UID

    def _setuid_exit(self, event: Event) -> None:
        uid = self._setuid.pop(event.pid, _KEEP_UID)
        if number(event, "ret", -1) == 0 and uid != _KEEP_UID:
            self.get(event.pid).uid = uid

    def lost(self) -> None:
        self._setuid.clear()
