"""Program starts: who started what with which arguments, and the attempts that failed.

argv comes, best first, from the kernel as it sets the program up (our `argv_kernel`), from the dynamic loader's first
instruction (`argv_loader`), from the new program's memory as /proc has it (ARGV side facts), or from the caller's just
before the call (`exec_site`), where another thread may change it. The events of our own probes are described in live/plan.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ftracepy.analysis.argv import Argv, from_fact, from_kernel, from_loader, from_site
from ftracepy.analysis.calls import Call, Calls, Text, words_order
from ftracepy.analysis.pairing import EXECS, Outcome
from ftracepy.analysis.tasks import UNNAMED, Tasks
from ftracepy.analysis.walk import Handler, Machine, number, own_probes, text, to_ns, walk, ways_of
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.system import errnos
from ftracepy.system.tasklines import UNKNOWN
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.analysis.feed import Feed

AIDE = b"argv"
_PATIENCE = 1_000_000_000  # how long the loader of a starved program may take to its first instruction
_GRACE = 200_000_000  # the same, where /proc has told argv already


@dataclass(frozen=True, slots=True)
class Exec:
    """One attempt to start a program. `pid` is the process, `ret` 0 or a negative error, times in nanoseconds.

    `filename` is what the kernel ran (or was asked to), None where nobody could read it, `filename_provenance` as argv's:
    of one that was started it is the kernel's. `argv` may be cut
    (`argv_cut`); its provenance is kernel-copy, user@enter, proc-after or none. ppid and uid are None
    where nobody told.
    """

    pid: int
    tid: int
    ppid: int | None
    uid: int | None
    comm_before: str
    comm: str
    filename: str | None
    filename_provenance: str
    argv: list[str]
    argv_cut: bool
    argv_provenance: str
    ret: int
    ts_ns: int

    @property
    def failed(self) -> bool:
        """Whether the program was not started."""
        return errnos.failed(self.ret)


@dataclass(slots=True)
class _Started:
    """An exec whose row is not complete yet. `sure`: no better argv can come."""

    tid: int
    ts: int
    ts_ns: int
    filename: str | None
    comm_before: str
    argv: Argv
    ret: int = 0
    filename_provenance: str = "kernel-copy"
    sure: bool = False
    comm: str = ""
    ppid: int = UNKNOWN
    uid: int = UNKNOWN


def execs(feed: Feed, *, tasks: Tasks | None = None) -> Iterator[Exec]:
    """Execs in the order they happened, each once, failed ones too.

    One whose argv is still on its way holds back later ones, at most a second of trace time.
    """
    out: deque[Exec] = deque()
    tasks = tasks or Tasks(feed.schema)
    machine = Execs(feed.schema, tasks, out)
    return walk(feed, (tasks, machine.calls, machine), out)


class Execs(Machine):
    """Joins the execve calls, sched_process_exec and the sources of argv, by thread."""

    def __init__(self, schema: Schema, tasks: Tasks, out: deque[Exec]) -> None:
        self._tasks = tasks
        self._out = out
        self._ns = to_ns(schema.time)
        self._order = words_order(schema)
        self._queue: deque[_Started] = deque()
        self._fresh: dict[int, _Started] = {}  # by tid: started, first instruction not seen
        self._site: dict[int, tuple[str | None, Argv]] = {}
        self._block: dict[int, Argv] = {}
        self._before: dict[int, str] = {}
        self._has_loader = bool(own_probes(schema, "argv_loader"))
        self._waits_for_probe = self._has_loader or bool(own_probes(schema, "argv_kernel"))
        self._waits_for_proc = False
        self.calls = Calls(schema, EXECS, tasks, self._ended)

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        found: dict[int, Handler] = {}
        if one := schema.event("sched", "sched_process_exec"):
            found[one.id] = self._started
        if one := schema.event("sched", "sched_process_exit"):
            found[one.id] = self._exited
        for name in EXECS:
            if one := schema.event("syscalls", f"sys_enter_{name}"):
                found[one.id] = self._entered
        probes = {"argv_kernel": self._argv_kernel, "argv_loader": self._argv_loader, "exec_site": self._exec_site}
        return found | {ident: handler for name, handler in probes.items() for ident in own_probes(schema, name)}

    def _entered(self, event: Event) -> None:
        self._before[event.pid] = self._tasks.get(event.pid).comm

    def _exec_site(self, event: Event) -> None:
        self._site[event.pid] = from_site(event, self._order)

    def _argv_kernel(self, event: Event) -> None:
        """Hit on either side of sched_process_exec, by where the probe is."""
        argv = from_kernel(event, self._order)
        if (fresh := self._fresh.get(event.pid)) is not None and fresh.argv.rank < argv.rank:
            self._offer(fresh, argv, sure=True)
        else:
            self._block[event.pid] = argv

    def _argv_loader(self, event: Event) -> None:
        if (fresh := self._fresh.get(event.pid)) is not None:
            self._offer(fresh, from_loader(event, self._order), sure=True)

    def _started(self, event: Event) -> None:
        tid, old_tid = number(event, "pid"), number(event, "old_pid")
        self._settle(tid)
        task = self._tasks.get(tid)
        _filename, argv = self._site.pop(old_tid, (None, Argv()))
        before = self._before.pop(old_tid, "") or task.comm_before or UNNAMED
        one = _Started(tid, event.ts, self._ns(event.ts), text(event, "filename"), before, argv)
        self._remember(one)
        self._queue.append(one)
        self._fresh[tid] = one
        if (block := self._block.pop(tid, None) or self._block.pop(old_tid, None)) is not None:
            self._offer(one, block, sure=True)
        elif not self._waits_for_probe and not self._waits_for_proc:
            one.sure = True
        self._flush()

    def _remember(self, one: _Started) -> None:
        task = self._tasks.get(one.tid)
        one.comm, one.ppid, one.uid = task.comm, task.ppid, task.uid

    def _ended(self, call: Call) -> None:
        """Successful execs are told by sched_process_exec; here are the others."""
        self._before.pop(call.tid, None)
        if call.outcome is Outcome.EXEC and not self._has_loader:
            self._settle(call.pid)
            self._flush()
        if not call.failed or call.ret is None:
            return
        filename, argv = self._site.pop(call.tid, (None, Argv()))
        known = call.text("filename")
        known = known if known.value or not filename else Text(filename, "user@enter")
        one = _Started(call.tid, 0, call.start_ns, known.value, call.comm, argv, call.ret, known.provenance, sure=True)
        self._remember(one)
        self._queue.append(one)
        self._flush()

    def _exited(self, event: Event) -> None:
        self._settle(event.pid)
        self._site.pop(event.pid, None)
        self._before.pop(event.pid, None)
        self._flush()

    def _settle(self, tid: int) -> None:
        """The thread goes on to something else: its loader has run, or there was none."""
        if (fresh := self._fresh.pop(tid, None)) is not None:
            fresh.sure = fresh.sure or not self._waits_for_proc or fresh.argv.rank > 0

    def _offer(self, one: _Started, argv: Argv, *, sure: bool) -> None:
        if argv.rank > one.argv.rank:
            one.argv = argv
        one.sure = one.sure or sure
        self._flush()

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is Kind.HEADER:
            self._waits_for_proc = "/proc" in ways_of(fact)
        elif fact.kind is Kind.ARGV:
            self._proc_argv(fact)
        elif fact.kind is Kind.CAUGHT_UP and self._waits_for_proc and fact.body == AIDE:
            self._caught_up(fact.when_ns)

    def _proc_argv(self, fact: SideFact) -> None:
        """/proc shows the latest exec before the aide looked."""
        self._waits_for_proc = True
        about = [one for one in self._queue if one.tid == fact.tid and one.ts <= fact.when_ns and one.ret == 0]
        if about:
            self._offer(about[-1], from_fact(fact.body), sure=not self._waits_for_probe or about[-1].tid not in self._fresh)

    def _caught_up(self, when: int) -> None:
        for one in self._queue:
            if one.ts <= when and (not self._waits_for_probe or self._fresh.get(one.tid) is not one):
                one.sure = True
        self._flush()

    def lost(self) -> None:
        for one in self._queue:
            one.sure = True
        self._fresh.clear()
        self._site.clear()
        self._block.clear()
        self._before.clear()
        self._flush()

    def advance(self, now: int) -> None:
        for one in self._queue:
            if one.ts + (_GRACE if one.argv.rank else _PATIENCE) < now:
                one.sure = True
        self._flush()

    def _flush(self) -> None:
        while self._queue and self._queue[0].sure:
            one = self._queue.popleft()
            if self._fresh.get(one.tid) is one and one.argv.rank:
                del self._fresh[one.tid]
            if one.tid not in self._tasks.own:
                self._out.append(self._row(one))

    def _row(self, one: _Started) -> Exec:
        pid = self._tasks.get(one.tid).tgid
        ppid, uid = (None if value == UNKNOWN else value for value in (one.ppid, one.uid))
        return Exec(
            pid, one.tid, ppid, uid, one.comm_before, one.comm, one.filename, one.filename_provenance,
            one.argv.args, one.argv.cut, one.argv.provenance, one.ret, one.ts_ns,
        )  # fmt: skip
