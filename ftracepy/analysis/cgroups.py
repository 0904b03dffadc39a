"""Which control group a process was in at a time: from CGROUPS facts, moves, and what children inherit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ftracepy.analysis.tasks import CLONE_THREAD, Tasks
from ftracepy.analysis.walk import Handler, Machine, number, text
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.system.cgroups import unpack_cgroups

if TYPE_CHECKING:
    from ftracepy._fastparse import Event

# include/uapi/linux/sched.h; such a child is nowhere told to be moved (seen on 5.10 to 7.2).
CLONE_INTO_CGROUP = 0x200000000


class Cgroups(Machine):
    """Follows a feed; `at` tells. Goes before `tasks`, or behind them: a creator's process is the same."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._now: dict[int, tuple[int, str | None]] = {}  # hierarchy and path, by process
        self._changes: dict[int, tuple[list[int], list[str | None]]] = {}
        self._populated: dict[int, str] = {}  # the group that a thread's next child begins, by thread

    def at(self, pid: int, ts: int) -> str | None:
        """The path of process `pid`'s group at `ts` (raw clock); None where nobody told."""
        if pid in self._changes:
            stamps, paths = self._changes[pid]
            return paths[bisect_right(stamps, ts) - 1]
        return self._now[pid][1] if pid in self._now else None

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        wanted = {
            ("cgroup", "cgroup_attach_task"): self._attach,
            ("cgroup", "cgroup_notify_populated"): self._populate,
        }
        formats = schema.by_name()
        newtask = ("task", "task_newtask")  # the fork event says the same later, and not of all
        wanted |= {newtask: self._newtask} if newtask in formats else {("sched", "sched_process_fork"): self._fork}
        return {formats[key].id: handler for key, handler in wanted.items() if key in formats}

    def fact(self, fact: SideFact, ts: int) -> None:
        """A snapshot is older than what events have told already."""
        if fact.kind is Kind.CGROUPS:
            for line in unpack_cgroups(fact.body):
                self._now.setdefault(line.pid, (line.root, line.path))

    def _attach(self, event: Event) -> None:
        """Of several hierarchies the one counts that the process's group was told of; a move out of nowhere is taken as well."""
        pid, root, path = number(event, "pid"), number(event, "dst_root"), text(event, "dst_path")
        known_root, known = self._now.get(pid, (root, None))
        if root == known_root or (known in (None, "/") and path != "/"):
            self._set(pid, event.ts, root, path)

    def _populate(self, event: Event) -> None:
        if number(event, "val"):
            self._populated[event.pid] = text(event, "path")

    def _newtask(self, event: Event) -> None:
        flags = number(event, "clone_flags")
        populated = self._populated.pop(event.pid, None)
        if flags & CLONE_THREAD:
            return
        if flags & CLONE_INTO_CGROUP:
            self._set(number(event, "pid"), event.ts, 0, populated)
        else:
            self._inherit(event.pid, number(event, "pid"), event.ts)

    def _fork(self, event: Event) -> None:
        self._inherit(number(event, "parent_pid"), number(event, "child_pid"), event.ts)

    def _inherit(self, creator: int, child: int, ts: int) -> None:
        parent = self._tasks.get(creator).tgid
        self._set(child, ts, *self._now.get(parent, (0, None)))

    def _set(self, pid: int, ts: int, root: int, path: str | None) -> None:
        """A history is kept only of who has one: most processes die where they were born."""
        known = pid in self._now
        before = self._now.get(pid, (0, None))[1]
        self._now[pid] = (root, path)
        if known and before != path:
            stamps, paths = self._changes.setdefault(pid, ([0], [before]))
            stamps.append(ts)
            paths.append(path)

    def lost(self) -> None:
        self._populated.clear()
