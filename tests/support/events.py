"""Made-up events and batches for the layers above the decoder: a test says what happened, in order.

    trace = Trace()
    trace.enter(7, "openat", filename=0x1000, flags=0)
    trace.leave(7, "openat", 3)
    list(calls(trace.feed(), {"openat"}))

Each event comes 1000 ns after the one before unless `at` sets the clock.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from ftracepy.analysis.feed import Feed
from ftracepy.schema import EventFormat, Field, FieldKind, Schema
from ftracepy.sidefacts import Kind, SideFact, pack
from ftracepy.system import syscalls
from ftracepy.system.tasklines import TaskLine, pack_tasks

_ARGS = {
    "chdir": ("filename",),
    "dup2": ("oldfd", "newfd"),
    "open": ("filename", "flags", "mode"),
    "openat": ("dfd", "filename", "flags", "mode"),
    "openat2": ("dfd", "filename", "how", "usize"),
    "execve": ("filename", "argv", "envp"),
    "execveat": ("fd", "filename", "argv", "envp", "flags"),
    "kill": ("pid", "sig"),
    "tkill": ("pid", "sig"),
    "tgkill": ("tgid", "pid", "sig"),
    "rt_sigqueueinfo": ("pid", "sig", "uinfo"),
    "rt_tgsigqueueinfo": ("tgid", "pid", "sig", "uinfo"),
    "pidfd_send_signal": ("pidfd", "sig", "info", "flags"),
    "setuid": ("uid",),
    "setresuid": ("ruid", "euid", "suid"),
    "read": ("fd", "buf", "count"),
    "nanosleep": ("rqtp", "rmtp"),
    "restart_syscall": (),
    "rt_sigreturn": (),
    "exit_group": ("error_code",),
    "exit": ("error_code",),
    "clone": ("clone_flags",),
    "getpid": (),
    "newfstat": ("fd", "statbuf"),
}
_OTHERS = {
    ("raw_syscalls", "sys_enter"): ("id", "args"),
    ("raw_syscalls", "sys_exit"): ("id", "ret"),
    ("sched", "sched_process_exec"): ("filename", "pid", "old_pid"),
    ("sched", "sched_process_exit"): ("comm", "pid"),
    ("sched", "sched_wakeup"): ("comm", "pid", "prio", "target_cpu"),
    ("sched", "sched_switch"): ("prev_comm", "prev_pid", "prev_prio", "prev_state", "next_comm", "next_pid", "next_prio"),
    ("sched", "sched_process_fork"): ("parent_comm", "parent_pid", "child_comm", "child_pid"),
    ("task", "task_newtask"): ("pid", "comm", "clone_flags"),
    ("task", "task_rename"): ("pid", "oldcomm", "newcomm"),
    ("signal", "signal_generate"): ("sig", "errno", "code", "comm", "pid", "group", "result"),
    ("signal", "signal_deliver"): ("sig", "errno", "code", "sa_handler", "sa_flags"),
    ("io_uring", "io_uring_submit_req"): ("ctx", "user_data", "opcode"),
    ("io_uring", "io_uring_complete"): ("ctx", "user_data", "res"),
    ("ftrace", "raw_data"): ("id", "buf"),
    **{
        ("block", f"block_{name}"): ("dev", "sector", "nr_sector", "rwbs", "comm")
        for name in ("getrq", "bio_queue", "bio_backmerge", "bio_frontmerge")
    },
    **{("block", f"block_rq_{name}"): ("dev", "sector", "nr_sector", "bytes", "rwbs", "comm") for name in ("issue", "merge")},
    ("block", "block_rq_complete"): ("dev", "sector", "nr_sector", "error", "rwbs"),
    ("block", "block_rq_requeue"): ("dev", "sector", "nr_sector", "rwbs"),
    ("block", "block_bio_complete"): ("dev", "sector", "nr_sector", "error", "rwbs"),
    ("block", "block_split"): ("dev", "sector", "new_sector", "rwbs", "comm"),
}


class Event:
    """What tests need of _fastparse.Event."""

    def __init__(self, ts: int, pid: int, fmt: EventFormat, values: dict[str, Any]) -> None:
        self.ts, self.pid, self.cpu, self.flags, self.id = ts, pid, 0, 0, fmt.id
        self.system, self.name, self.values = fmt.system, fmt.name, values

    def __getitem__(self, field: str) -> Any:
        return self.values[field]

    def get(self, field: str, default: Any = None) -> Any:
        return self.values.get(field, default)

    def memory(self, field: str) -> bytes:
        """Words as they lie in memory, little end first."""
        value = self.values.get(field, ())
        return b"".join((word & (2**64 - 1)).to_bytes(8, "little") for word in value) if isinstance(value, tuple) else b""

    def keys(self) -> tuple[str, ...]:
        return tuple(self.values)

    def keep(self) -> Event:
        return self


class Batch:
    """What tests need of _fastparse.Batch."""

    def __init__(self, events: list[Event], losses: list[tuple[int, int, int]], until_ns: int) -> None:
        self.events, self.losses, self.until_ns = events, losses, until_ns
        self.faults: list[tuple[int, int, str]] = []
        self.ts = array("Q", [event.ts for event in events])
        self.id = array("H", [event.id for event in events])
        self.pid = array("i", [event.pid for event in events])
        self.cpu = array("H", [event.cpu for event in events])

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __getitem__(self, at: int) -> Event:
        return self.events[at]

    def column(self, ident: int, field: str) -> tuple[array[int], array[int]]:
        found = [(index, event) for index, event in enumerate(self.events) if event.id == ident]
        rows = [(index, event.pid if field == "common_pid" else event[field]) for index, event in found]
        return array("I", [index for index, _ in rows]), array("q", [value for _, value in rows])

    def select(self, *, ids: Iterable[int]) -> Batch:
        return Batch([event for event in self.events if event.id in ids], [], self.until_ns)


class Trace:
    """Writes a stream down event by event. `probes` are our own probe events (name to field names) this run had."""

    def __init__(self, *, probes: Mapping[str, tuple[str, ...]] | None = None, omit: Iterable[str] = ()) -> None:
        self.now = 1_000_000_000
        self.batches: list[Batch] = []
        self._events: list[Event] = []
        self._losses: list[tuple[int, int, int]] = []
        self.notices: list[str] = []
        self.losses: list[tuple[int, int | None]] = []
        self.headers: list[dict[str, Any]] = []
        keys: list[tuple[tuple[str, str], tuple[str, ...]]] = [*_OTHERS.items()]
        keys += [(("ftracepy_1", name), fields) for name, fields in (probes or {}).items()]
        for name, args in _ARGS.items():
            keys.append((("syscalls", f"sys_enter_{name}"), ("__syscall_nr", *args)))
            keys.append((("syscalls", f"sys_exit_{name}"), ("__syscall_nr", "ret")))
        self.schema = Schema(arch="x86_64")
        kept = [one for one in keys if one[0][1] not in set(omit)]
        self.schema.add(_format(ident, *key, fields) for ident, (key, fields) in enumerate(kept, 100))

    def event(self, tid: int, system: str, name: str, *, at: int | None = None, **values: Any) -> None:
        self.now = self.now + 1000 if at is None else at
        fmt = self.schema.event(system, name)
        assert fmt is not None, name
        self._events.append(Event(self.now, tid, fmt, values))

    def enter(self, tid: int, name: str, *, at: int | None = None, **args: Any) -> None:
        args = dict.fromkeys(_ARGS[name], 0) | args
        self.event(tid, "syscalls", f"sys_enter_{name}", at=at, __syscall_nr=_nr(name), **args)

    def leave(self, tid: int, name: str, ret: int, *, at: int | None = None) -> None:
        self.event(tid, "syscalls", f"sys_exit_{name}", at=at, __syscall_nr=_nr(name), ret=ret)

    def raw_enter(self, tid: int, nr: int, *args: int) -> None:
        self.event(tid, "raw_syscalls", "sys_enter", id=nr, args=(*args, *[0] * (6 - len(args))))

    def raw_leave(self, tid: int, nr: int, ret: int) -> None:
        self.event(tid, "raw_syscalls", "sys_exit", id=nr, ret=ret)

    def newtask(self, creator: int, tid: int, comm: str = "child", flags: int = 0) -> None:
        self.event(creator, "task", "task_newtask", pid=tid, comm=comm, clone_flags=flags)

    def fork(self, parent: int, child: int, comm: str = "child") -> None:
        fields: dict[str, Any] = {"parent_comm": comm, "parent_pid": parent, "child_comm": comm, "child_pid": child}
        self.event(parent, "sched", "sched_process_fork", **fields)

    def rename(self, tid: int, old: str, new: str) -> None:
        self.event(tid, "task", "task_rename", pid=tid, oldcomm=old, newcomm=new)

    def exec(self, pid: int, filename: str, old_pid: int | None = None) -> None:
        self.event(pid, "sched", "sched_process_exec", filename=filename, pid=pid, old_pid=old_pid or pid)

    def exit(self, tid: int, comm: str = "x") -> None:
        self.event(tid, "sched", "sched_process_exit", comm=comm, pid=tid)

    def probe(self, tid: int, name: str, **values: Any) -> None:
        self.event(tid, "ftracepy_1", name, **values)

    def fact(self, kind: Kind, tid: int, body: bytes, when_ns: int | None = None) -> None:
        """A side fact, about now unless `when_ns` says otherwise."""
        for payload in pack(SideFact(kind, tid, self.now if when_ns is None else when_ns, body)):
            identity, rest = int.from_bytes(payload[:4], "little"), payload[4:] + bytes(-len(payload) % 4)
            self.event(1, "ftrace", "raw_data", id=identity, buf=rest)

    def header(self, **header: Any) -> None:
        self.fact(Kind.HEADER, 0, json.dumps({"version": 1, **header}).encode())

    def tasks(self, *tasks: TaskLine) -> None:
        for body in pack_tasks(tasks):
            self.fact(Kind.TASKS, 0, body)

    def lose(self, count: int = -1, cpu: int = 0) -> None:
        self._losses.append((len(self._events), cpu, count))

    def cut(self, until_ns: int | None = None) -> None:
        """End the batch here; time has come to `until_ns` (default: just behind the last event)."""
        self.now = max(self.now, until_ns or 0)
        self.batches.append(Batch(self._events, self._losses, self.now + 1 if until_ns is None else until_ns))
        self._events, self._losses = [], []

    def feed(self, *, ended: bool = True) -> Feed:
        """Everything so far; `ended` False is a live trace that goes on."""
        self.cut(2**64 - 1 if ended else None)
        return Feed(
            cast("Any", self.batches), self.schema, self.notices.append,
            lambda cpu, count: self.losses.append((cpu, count)), self.headers.append,
        )  # fmt: skip


def as_words(data: bytes, count: int) -> tuple[int, ...]:
    """Memory as a probe captures it: `count` little-endian 64-bit words."""
    data = data.ljust(count * 8, b"\0")[: count * 8]
    return tuple(int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8))


def _nr(name: str) -> int:
    return syscalls.number_of(syscalls.known_as(name), "x86_64") or 0


def _format(ident: int, system: str, name: str, fields: tuple[str, ...]) -> EventFormat:
    made = tuple(Field(field, "long", 8 + 8 * at, 8, True, FieldKind.FIXED, 8, None) for at, field in enumerate(fields))
    return EventFormat(system, name, ident, (), made, "", "")
