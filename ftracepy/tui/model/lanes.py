"""Who ran where: a lane for each CPU, from sched_switch events; time runs to the right, keys pan and zoom."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ftracepy.analysis.walk import number, text, to_ns
from ftracepy.sinks.escape import escape
from ftracepy.tui.model.page import Page, Spare
from ftracepy.tui.model.spans import Line, Style, cell
from ftracepy.tui.model.store import EventStore, Loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ftracepy._fastparse import Event
    from ftracepy.schema import Schema

_LABEL = 7
_STYLES: Sequence[Style] = ("comm", "number", "event", "good", "key")
_MOST_EVENTS = 60_000
_NAMED = 20


class Lanes(Page):
    """One line a CPU. `span_ns` is what fits the screen, ending `back_ns` before the newest event."""

    title = "CPUs"

    def __init__(self, store: EventStore, schema: Schema, cpus: Sequence[int]) -> None:
        self._store, self._cpus = store, list(cpus)
        self._ns = to_ns(schema.time)
        switch = schema.event("sched", "sched_switch")
        self._id = switch.id if switch else -1
        self.span_ns = 1_000_000_000
        self.back_ns = 0
        self._drawn: dict[int, Line] = {}
        self._busy: dict[int, float] = {}
        self._legend: list[Line] = []
        self._key: tuple[int, ...] = ()
        self._from_ns = self._until_ns = 0

    @property
    def end(self) -> int:
        return len(self._cpus) + len(self._legend) if self._id >= 0 else 1

    def zoom(self, factor: float) -> None:
        """More or less time on the screen."""
        self.span_ns = max(10_000, min(int(self.span_ns * factor), 3600_000_000_000))

    def pan(self, share: float) -> None:
        """Move by a share of the screen: below 0 into the past."""
        self.back_ns = max(0, self.back_ns - int(self.span_ns * share))

    def heading(self, width: int) -> list[Line]:
        left = f"{self._from_ns / 1e9:.6f} s"
        right = f"{self._until_ns / 1e9:.6f} s"
        middle = f"{_time(self.span_ns)} on the screen"
        room = max(width - _LABEL - len(left) - len(right), 0)
        return [[(" " * _LABEL + left + cell(f"{middle:^{room}}", room, False) + right, "head")]]

    def tick(self, spare: Spare, width: int) -> bool:
        key = (self._store.end, self.span_ns, self.back_ns, width)
        if key == self._key or self._id < 0:
            return False
        self._key = key
        self._draw(max(width - _LABEL, 10))
        return True

    def _draw(self, columns: int) -> None:
        newest = self._newest()
        self._until_ns = newest - self.back_ns
        self._from_ns = self._until_ns - self.span_ns
        lanes = {cpu: [Counter[str]() for _column in range(columns)] for cpu in self._cpus}
        last: dict[int, int] = dict.fromkeys(self._cpus, self._from_ns)
        for event in self._switches():
            ts = self._ns(event.ts)
            if event.cpu in lanes:
                who = text(event, "prev_comm") if number(event, "prev_pid") else ""
                self._fill(lanes[event.cpu], who, last[event.cpu], min(ts, self._until_ns))
                last[event.cpu] = max(ts, self._from_ns)
            if ts >= self._until_ns:
                break
        self._drawn = {cpu: [_cell(one) for one in lane] for cpu, lane in lanes.items()}
        self._legend = _legend(lanes.values(), self.span_ns)
        self._busy = {cpu: sum(lane.total() for lane in lanes[cpu]) / max(self.span_ns, 1) for cpu in self._cpus}

    def _newest(self) -> int:
        items = self._store.items(max(self._store.end - 1, self._store.first), 1)
        item = items[0] if items else None
        return self._until_ns + self.back_ns if item is None or isinstance(item, Loss) else self._ns(item.ts)

    def _switches(self) -> list[Event]:
        """From the start of the screen on, and a little beyond its end: who leaves then was running within."""
        low, high = self._store.first, self._store.end
        while low < high:
            middle = (low + high) // 2
            items = self._store.items(middle, 1)
            if items and not isinstance(items[0], Loss) and self._ns(items[0].ts) < self._from_ns:
                low = middle + 1
            else:
                high = middle
        found = self._store.items(low, _MOST_EVENTS)
        return [one for one in found if not isinstance(one, Loss) and one.id == self._id]

    def _fill(self, lane: list[Counter[str]], who: str, start: int, end: int) -> None:
        """Give a task the time from `start` to `end` in the columns that it covers; idle ("") counts for nothing."""
        if not who or end <= start:
            return
        each = max(self.span_ns / len(lane), 1)
        first, last = int((start - self._from_ns) / each), int((end - 1 - self._from_ns) / each)
        for at in range(max(first, 0), min(last, len(lane) - 1) + 1):
            edge = self._from_ns + at * each
            lane[at][who] += int(min(end, edge + each) - max(start, edge)) or 1

    def line(self, place: int, width: int) -> Line:
        if self._id < 0:
            return [("who ran where is told by sched:sched_switch, which is not traced here (-e sched:sched_switch)", "dim")]
        if place >= len(self._cpus):
            return self._legend[place - len(self._cpus)]
        cpu = self._cpus[place]
        return [(f"{cpu:>3} {self._busy.get(cpu, 0):3.0%}", "dim"), *_joined(self._drawn.get(cpu, []))]

    def hints(self) -> str:
        return "+ - zoom  ← → pan"


def _cell(column: Counter[str]) -> tuple[str, Style]:
    """The letter of who ran most in this column."""
    if not column:
        return "·", "dim"
    return _sign(column.most_common(1)[0][0])


def _sign(comm: str) -> tuple[str, Style]:
    """A letter and a colour that are always the same for a name."""
    who = escape(comm)
    return who[:1] or "?", _STYLES[sum(map(ord, who)) % len(_STYLES)]


def _legend(lanes: Iterable[list[Counter[str]]], span_ns: int) -> list[Line]:
    """Who stands behind the letters, those that ran longest first."""
    total = Counter[str]()
    for lane in lanes:
        for column in lane:
            total.update(column)
    named: list[Line] = [
        [(f"{ran / span_ns:7.1%} ", "dim"), _sign(comm), (f" {escape(comm)}", "")] for comm, ran in total.most_common(_NAMED)
    ]
    return [[], *named] if named else []


def _joined(cells: Line) -> Line:
    """Neighbours of one style as one piece."""
    line: Line = []
    for text_, style in cells:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + text_, style)
        else:
            line.append((text_, style))
    return line


def _time(ns: int) -> str:
    for size, unit in ((1_000_000_000, "s"), (1_000_000, "ms"), (1000, "µs")):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns} ns"
