"""Processes as a tree, from the events and the snapshot that tell of them, with how many events each one made."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from ftracepy.sinks.escape import escape
from ftracepy.tui.model.listpage import condition
from ftracepy.tui.model.page import Pace, Page, Spare
from ftracepy.tui.model.spans import Line, cell, length
from ftracepy.tui.model.store import Aside, EventStore

if TYPE_CHECKING:
    from ftracepy.tui.model.names import Names

_PIECE = 2000
_WIDE = 100


class Processes(Page):
    """One line a process. `busy_only` leaves out those that made no event, and have no child that did."""

    title = "processes"

    def __init__(self, store: EventStore, names: Names) -> None:
        self._store, self._names = store, names
        self._at = store.first
        self._events: Counter[int] = Counter()
        self._lines: list[tuple[int, Line]] = []
        self._pace, self._news = Pace(), True
        self.busy_only = True

    @property
    def end(self) -> int:
        return len(self._lines)

    def heading(self, width: int) -> list[Line]:
        return [[(f"{'EVENTS':>10} {'PID':>7} {'UID':>6} PROCESS", "head")]]

    def tick(self, spare: Spare, width: int) -> bool:
        before, self._at = self._at, max(self._at, self._store.first)
        while self._at < self._store.end and spare():
            items = self._store.items(self._at, _PIECE)
            self._events.update(one.pid for one in items if not isinstance(one, Aside))
            self._at += len(items)
        self.behind = self._at < self._store.end
        self._news |= before != self._at or not self._lines
        if self._news and self._pace.run(self._regrow):
            self._news = False
            return True
        return False

    def _regrow(self) -> None:
        self._lines = self._grow()

    def toggle(self) -> None:
        """Show the quiet ones too, or no longer."""
        self.busy_only = not self.busy_only
        self._lines = self._grow()

    def _grow(self) -> list[tuple[int, Line]]:
        """Depth first, children in the order of their pids."""
        threads = Counter[int]()
        for tid, count in self._events.items():
            threads[self._names.pid(tid)] += count
        processes = {task.tgid: task for task in self._names.tasks.all() if task.tid == task.tgid}
        children: defaultdict[int, list[int]] = defaultdict(list)
        for pid, task in sorted(processes.items()):
            children[task.ppid if task.ppid in processes and task.ppid != pid else 0].append(pid)
        wanted = _with_ancestors(threads, processes.keys(), {pid: task.ppid for pid, task in processes.items()})
        lines: list[tuple[int, Line]] = []
        stack = [(pid, 0) for pid in reversed(children[0]) if pid]
        while stack:
            pid, depth = stack.pop()
            if not self.busy_only or pid in wanted:
                task = processes[pid]
                uid = "?" if task.uid < 0 else str(task.uid)
                dead = " (ended)" if task.dead else ""
                lines.append(
                    (pid, [(f"{threads[pid]:>10,} ", "number"), (f"{pid:>7} {uid:>6} ", "dim"),
                           ("  " * depth, ""), (escape(task.comm), "comm"), (dead, "dim")])
                )  # fmt: skip
            stack += [(child, depth + 1) for child in reversed(children[pid]) if child != pid]
        return lines

    def line(self, place: int, width: int) -> Line:
        """On a wide screen with the control group, on the right."""
        pid, line = self._lines[place]
        group = self._names.cgroup_now(pid) if width >= _WIDE else None
        room = width - length(line) - 2
        if not group or room < 1:
            return line
        return [*line, (f"{cell(escape(group), min(room, width // 2), False):>{room + 1}}", "dim")]

    def condition(self, place: int) -> str | None:
        """A filter for the process on a line."""
        return condition("pid", self._lines[place][0])

    def hints(self) -> str:
        return "Enter only this process  t quiet ones too  Esc back"


def _with_ancestors(busy: Counter[int], known: object, parents: dict[int, int]) -> set[int]:
    wanted: set[int] = set()
    for pid in busy:
        while pid in parents and pid not in wanted:
            wanted.add(pid)
            pid = parents[pid]
    return wanted
