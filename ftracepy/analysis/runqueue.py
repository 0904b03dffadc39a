"""How long tasks could run and did not: from a wakeup, or from being pushed off a CPU, to running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, number, to_ns
from ftracepy.schema import Schema

if TYPE_CHECKING:
    from ftracepy._fastparse import Event

# Of prev_state the bits below say why a task sleeps, none that it could go on; above them stands that it was preempted
# (TASK_REPORT, TASK_REPORT_MAX in include/linux/sched.h).
_SLEEPS = 0xFF


@dataclass(slots=True)
class Waits:
    """The waits of one task under one name: how many, and their nanoseconds."""

    count: int = 0
    total: int = 0
    longest: int = 0

    def add(self, ns: int) -> None:
        """One more."""
        self.count += 1
        self.total += ns
        self.longest = max(self.longest, ns)


Key = tuple[int, int, str]


class RunQueue(Machine):
    """Adds up waits by (tid, pid, comm); `take` gives those since it was last called. Goes before `tasks`."""

    def __init__(self, schema: Schema, tasks: Tasks) -> None:
        self._tasks, self._ns = tasks, to_ns(schema.time)
        self._ready: dict[int, int] = {}  # since when, by tid
        self._waits: dict[Key, Waits] = {}

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        wanted: dict[tuple[str, str], Handler] = {
            ("sched", "sched_wakeup"): self._wakeup, ("sched", "sched_wakeup_new"): self._wakeup,
            ("sched", "sched_switch"): self._switch, ("sched", "sched_process_exit"): self._exit,
        }  # fmt: skip
        formats = schema.by_name()
        return {formats[key].id: handler for key, handler in wanted.items() if key in formats}

    def _wakeup(self, event: Event) -> None:
        """A task that waits already may be woken again; one that runs still will be taken off when it sleeps."""
        self._ready.setdefault(number(event, "pid"), event.ts)

    def _switch(self, event: Event) -> None:
        before, after = number(event, "prev_pid"), number(event, "next_pid")
        if before and not number(event, "prev_state") & _SLEEPS:
            self._ready[before] = event.ts
        else:
            self._ready.pop(before, None)
        since = self._ready.pop(after, None)
        if since is not None and after:
            task = self._tasks.get(after)
            self._waits.setdefault((after, task.tgid, task.comm), Waits()).add(self._ns(event.ts) - self._ns(since))

    def _exit(self, event: Event) -> None:
        self._ready.pop(event.pid, None)

    def lost(self) -> None:
        """Who ran meanwhile is not known."""
        self._ready.clear()

    def take(self, start_ns: int, end_ns: int) -> tuple[int, dict[Key, Waits]]:
        """The end of the interval, and its waits: those that ended in it."""
        found, self._waits = self._waits, {}
        return end_ns, found
