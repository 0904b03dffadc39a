"""Who ran where: a lane for each CPU, or for each task, from sched_switch events; time runs to the right, keys pan and zoom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftracepy.analysis.walk import number, text, to_ns
from ftracepy.sinks.escape import escape
from ftracepy.tui.model.page import Pace, Page, Spare
from ftracepy.tui.model.spans import Line, Style, cell, duration
from ftracepy.tui.model.store import Aside, EventStore, Loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftracepy._fastparse import Event
    from ftracepy.schema import Schema
    from ftracepy.tui.model.store import Chunk

_LABEL, _TASK_LABEL = 9, 25
_STYLES: Sequence[Style] = ("comm", "number", "event", "good", "key")
_MOST = 200_000  # switches that are looked at for one screen
_NAMED = 20
_WORD = 8
_UNKNOWN = -1  # who ran while events were lost
_UNTOLD = -2  # who ran while switches were not recorded: our own threads', or what a filter in the kernel held back
_NOBODY: Mapping[int, tuple[str, Style]] = {_UNKNOWN: ("?", "loss"), _UNTOLD: ("~", "dim")}


@dataclass(slots=True)
class Switch:
    """One change on a CPU at `ns`: who ran until then, and who from then on; `known` False: not since the switch before."""

    ns: int
    cpu: int
    before: int
    after: int
    known: bool


@dataclass(slots=True)
class Ran:
    """Who ran where in the time of a screen: for each lane nanoseconds by task (or CPU) in each column."""

    columns: dict[int, list[Counter[int]]] = field(default_factory=dict)
    total: Counter[int] = field(default_factory=Counter)


class Lanes(Page):
    """`span_ns` is what fits the screen, ending `back_ns` before the newest event."""

    title = "CPUs"

    def __init__(self, store: EventStore, schema: Schema, cpus: Sequence[int]) -> None:
        self._store, self._cpus = store, list(cpus)
        self._scale, self._ns = schema.time, to_ns(schema.time)
        switch = schema.event("sched", "sched_switch")
        fields = {one.name for one in switch.fields if one.size <= _WORD} if switch else set()
        self._id = switch.id if switch and fields >= {"prev_pid", "next_pid"} else -1
        self.span_ns = 1_000_000_000
        self.back_ns = 0
        self.by_task = False
        self._comms: dict[int, str] = {0: "idle", _UNKNOWN: "lost", _UNTOLD: "not recorded: ftracepy's own, or filtered"}
        self._lanes: list[tuple[int, Line]] = []
        self._legend: list[Line] = []
        self._key: tuple[object, ...] = ()
        self._pace = Pace()
        self._cut = False
        self.from_ns = self.until_ns = 0

    @property
    def end(self) -> int:
        return len(self._lanes) + len(self._legend) if self._id >= 0 else 1

    def zoom(self, factor: float) -> None:
        """More or less time on the screen, about its middle."""
        before = self.span_ns
        self.span_ns = max(10_000, min(int(self.span_ns * factor), 3600_000_000_000))
        if self.back_ns:
            self.back_ns = max(0, self.back_ns + (before - self.span_ns) // 2)

    def pan(self, share: float) -> None:
        """Move by a share of the screen: below 0 into the past."""
        self.move(int(self.span_ns * share))

    def move(self, ns: int) -> None:
        """Move by a time: below 0 into the past."""
        self.back_ns = max(0, self.back_ns - ns)

    def go(self, ns: int) -> None:
        """Show the time `ns` in the middle."""
        self.back_ns = max(0, self._newest() - ns - self.span_ns // 2)

    def stamps(self, place: int) -> tuple[int, int, int]:
        """The times of the first event, of the last one, and of the middle of the screen (nanoseconds)."""
        items = self._store.items(self._store.first, 1)
        first = self._ns(items[0].ts) if items and not isinstance(items[0], Aside) else self.from_ns
        return first, self._newest(), (self.from_ns + self.until_ns) // 2

    def toggle(self) -> None:
        """Lanes of CPUs, or of tasks."""
        self.by_task = not self.by_task
        self.redraw()

    def redraw(self) -> None:
        """At the next tick, whatever it costs."""
        self._key, self._pace = (), Pace()

    def heading(self, width: int) -> list[Line]:
        if self._id < 0:
            return []
        left, right = f"{self.from_ns / 1e9:.6f} s", f"{self.until_ns / 1e9:.6f} s"
        middle = f"{duration(self.span_ns)} on the screen" + (", too many switches for all: zoom in" if self._cut else "")
        label = _TASK_LABEL if self.by_task else _LABEL
        room = max(width - label - len(left) - len(right), 0)
        return [[(" " * label + left + cell(f"{middle:^{room}}", room, False) + right, "head")]]

    def tick(self, spare: Spare, width: int) -> bool:
        key = (self._store.end, self.span_ns, self.back_ns, width, self.by_task)
        if key == self._key or self._id < 0 or not self._pace.run(lambda: self._draw(width)):
            return False
        self._key = key
        return True

    def _draw(self, width: int) -> None:
        newest = self._newest()
        self.until_ns = newest - self.back_ns
        self.from_ns = self.until_ns - self.span_ns
        label = _TASK_LABEL if self.by_task else _LABEL
        columns = max(width - label, 10)
        ran = self._ran(columns)
        if self.by_task:
            busiest = [tid for tid, _ns in ran.total.most_common() if tid > 0]
            self._lanes = [(tid, [*self._task_label(tid, ran), *_joined(map(_on_cpu, ran.columns[tid]))]) for tid in busiest]
            self._legend = []
        else:
            self._lanes = [
                (cpu, [*self._cpu_label(cpu, ran.columns[cpu]), *_joined(map(self._running, ran.columns[cpu]))])
                for cpu in self._cpus
            ]
            self._legend = self._named(ran.total)

    def _ran(self, columns: int) -> Ran:
        ran = Ran()
        if not self.by_task:
            ran.columns = {cpu: [Counter() for _column in range(columns)] for cpu in self._cpus}
        last = dict.fromkeys(self._cpus, self.from_ns)
        after: dict[int, int] = {}
        for one in self._switches():
            told = after.get(one.cpu, one.before) == one.before
            who = _UNKNOWN if not one.known else one.before if told else _UNTOLD
            self._fill(ran, columns, who, one.cpu, last.get(one.cpu, self.from_ns), min(one.ns, self.until_ns))
            last[one.cpu] = max(one.ns, self.from_ns)
            after[one.cpu] = one.after
        for cpu, who in after.items():  # who runs still
            self._fill(ran, columns, who, cpu, last[cpu], self.until_ns)
        return ran

    def _newest(self) -> int:
        items = self._store.items(max(self._store.end - 1, self._store.first), 1)
        item = items[0] if items else None
        return self.until_ns + self.back_ns if item is None or isinstance(item, Aside) else self._ns(item.ts)

    def _switches(self) -> Iterator[Switch]:
        """From the start of the screen on, and of each CPU one beyond its end: who leaves then was running within."""
        start = self._store.at_time(((self.from_ns - self._scale.offset_ns) << self._scale.shift) // self._scale.mult)
        beyond: set[int] = set()
        lossy: set[int] = set()
        self._cut, count = False, 0
        for _begin, chunk in self._store.chunks(max(start, self._store.first), self._store.end):
            for one in self._of_chunk(chunk, lossy):
                if one.ns >= self.from_ns and one.cpu not in beyond:
                    yield one
                    count += 1
                if one.ns >= self.until_ns:
                    beyond.add(one.cpu)
            self._cut = count >= _MOST
            if self._cut or len(beyond) >= len(self._cpus):
                return

    def _of_chunk(self, chunk: Chunk, lossy: set[int]) -> Iterator[Switch]:
        """Its switches by columns where it has some: an object for each event would keep the screen waiting."""
        events, lost = chunk.events, _losses(chunk)
        if isinstance(events, list):
            found = [
                (at, number(one, "prev_pid"), number(one, "next_pid")) for at, one in enumerate(events) if one.id == self._id
            ]
        else:
            places, before = events.column(self._id, "prev_pid")
            found = list(zip(places, before, events.column(self._id, "next_pid")[1], strict=True))
        for at, before_pid, after_pid in found:
            while lost and lost[0][0] <= at:
                lossy.add(lost.pop(0)[1])
            event_cpu = events[at].cpu if isinstance(events, list) else events.cpu[at]
            if before_pid not in self._comms or after_pid not in self._comms:
                self._learn(events[at])
            yield Switch(self._ns(chunk.stamps[at]), event_cpu, before_pid, after_pid, event_cpu not in lossy)
            lossy.discard(event_cpu)
        lossy.update(cpu for _at, cpu in lost)

    def _learn(self, event: Event) -> None:
        self._comms[number(event, "prev_pid")] = text(event, "prev_comm")
        if comm := text(event, "next_comm"):
            self._comms.setdefault(number(event, "next_pid"), comm)

    def _fill(self, ran: Ran, columns: int, who: int, cpu: int, start: int, end: int) -> None:
        """Give a task the time from `start` to `end` in the columns that it covers; idle counts for nothing."""
        if not who or end <= start or (who < 0 and self.by_task):
            return
        ran.total[who] += end - start
        lane = ran.columns.get(who if self.by_task else cpu)
        if lane is None:
            lane = ran.columns[who if self.by_task else cpu] = [Counter() for _column in range(columns)]
        each = max(self.span_ns / columns, 1)
        first, last = int((start - self.from_ns) / each), int((end - 1 - self.from_ns) / each)
        for at in range(max(first, 0), min(last, columns - 1) + 1):
            edge = self.from_ns + at * each
            lane[at][cpu if self.by_task else who] += int(min(end, edge + each) - max(start, edge)) or 1

    def line(self, place: int, width: int) -> Line:
        if self._id < 0:
            return [("who ran where is told by sched:sched_switch: not traced here, -e adds it", "dim")]
        return self._lanes[place][1] if place < len(self._lanes) else self._legend[place - len(self._lanes)]

    def condition(self, place: int) -> str | None:
        """A filter for the CPU or task of a lane."""
        if place >= len(self._lanes):
            return None
        return f"{'tid' if self.by_task else 'cpu'} == {self._lanes[place][0]}"

    def hints(self) -> str:
        return f"+ - zoom  ← → pan  t {'CPUs' if self.by_task else 'tasks'}  Enter events"

    def _cpu_label(self, cpu: int, lane: list[Counter[int]]) -> Line:
        busy = sum(column.total() for column in lane) / max(self.span_ns, 1)
        return [(f"{cpu:>3} {min(busy, 1):4.0%} ", "dim")]

    def _task_label(self, tid: int, ran: Ran) -> Line:
        share = ran.total[tid] / max(self.span_ns, 1)
        return [
            (f"{min(share, 1):4.0%} ", "dim"),
            (cell(escape(self._comms.get(tid, "?")), 12, False), "comm"),
            (f"{tid:>7} ", "dim"),
        ]

    def _running(self, column: Counter[int]) -> tuple[str, Style]:
        """The letter of who ran most in this column."""
        if not column:
            return "·", "dim"
        who = column.most_common(1)[0][0]
        return _NOBODY.get(who) or _sign(self._comms.get(who, "?"))

    def _named(self, total: Counter[int]) -> list[Line]:
        """Who stands behind the letters, those that ran longest first."""
        by_name: Counter[tuple[int, str]] = Counter()
        for tid, ns in total.items():
            by_name[min(tid, 0), self._comms.get(tid, "?")] += ns
        span = max(self.span_ns, 1)
        named: list[Line] = [
            [(f"{ns / span:7.1%} ", "dim"), _NOBODY.get(who) or _sign(comm), (f" {escape(comm)}", "")]
            for (who, comm), ns in by_name.most_common(_NAMED)
        ]
        return [[], *named] if named else []


def _losses(chunk: Chunk) -> list[tuple[int, int]]:
    """(index of the event behind it, CPU) of each loss."""
    return [(place - order, one.cpu) for order, (place, one) in enumerate(chunk.asides) if isinstance(one, Loss)]


def _on_cpu(column: Counter[int]) -> tuple[str, Style]:
    """The last digit of the CPU that the task was on."""
    if not column:
        return "·", "dim"
    cpu = column.most_common(1)[0][0]
    return str(cpu % 10), _STYLES[cpu % len(_STYLES)]


def _sign(comm: str) -> tuple[str, Style]:
    """A letter and a colour that are always the same for a name."""
    who = escape(comm)
    return who[:1] or "?", _STYLES[sum(map(ord, who)) % len(_STYLES)]


def _joined(cells: Iterator[tuple[str, Style]]) -> Line:
    """Neighbours of one style as one piece."""
    line: Line = []
    for text_, style in cells:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + text_, style)
        else:
            line.append((text_, style))
    return line
