"""Rows of plain text made in batches by the C core; whatever is not plain takes the way of every event.

What the core cannot judge (a name that needs an escape, a call cut in two by a signal, an exec, a batch's end) it leaves
here, and `PlainRows` hands all it knows of that thread over to the machines, whose rules are the only ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from ftracepy._fastparse import IMPLEMENTATION, row_maker
from ftracepy.analysis.tasks import UNNAMED, Tasks
from ftracepy.analysis.walk import Route, number
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind as Fact
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, Event, RowMaker
    from ftracepy.analysis.layout import Cell, Layout
    from ftracepy.text import Formatter

_MOST_CELLS = 16
_TAILS = 1024
_DONE, _FULL, _ELSE, _TASK, _PROGRAM, _NAME, _TARGET, _HELD = range(8)
_ABOUT = ("pid", "old_pid", "child_pid")  # fields of events about tasks that name one


class Kind(IntEnum):
    """Where a cell's value comes from: fp_cell_kind of core/rows.h."""

    SECONDS = 0
    STAMP = 1
    PID = 2
    COMM = 3
    CPU = 4
    EVENT = 5
    TEXT = 6
    NUMBER = 7
    NAMED = 8
    TARGET = 9
    RET = 10
    ERROR = 11
    RESULT = 12
    PATH = 13
    PATH_BY = 14


PROVENANCES = ("none", "user@enter", "kernel-copy")  # by the number of a path's kind
_WORDS = frozenset(Kind) - {Kind.STAMP, Kind.SECONDS, Kind.PID, Kind.CPU, Kind.NUMBER, Kind.RET}


class Way(IntEnum):
    """What an event is to a row: fp_row_way of core/rows.h."""

    SHOWN = 1
    ENTER = 2
    EXIT = 3
    NOTE = 4
    SITE = 5
    COPY = 6
    FACT = 7
    ELSE = 8


@dataclass(frozen=True, slots=True)
class Value:
    """A column's value: `arg` is the call's argument it is made of, `name` what makes the value of its number."""

    kind: Kind
    arg: str = ""
    name: Callable[[int], Any] = str


@dataclass(frozen=True, slots=True)
class Plain:
    """A tool's rows, as far as they are plain: its columns' values, and whose rows are shown.

    `note` is the event (system, name) in a call that tells of its target, `failed_only` whether calls that worked are left out.
    """

    columns: Mapping[str, Value]
    admits: Callable[..., bool]
    note: tuple[str, str] | None = None
    failed_only: bool = False


Told = tuple[Way, bytes, Any, Any, Any, dict[int, Any], list[Any], int, int]
"""What an event is, as RowMaker.event takes it."""


def plainly(way: Way, name: bytes = b"") -> Told:
    """An event of which nothing but this is to be told."""
    return way, name, None, None, None, {}, [], 0, 0


class Halves(Protocol):
    """Who pairs the calls that are not plain."""

    def holds(self, tid: int) -> bool:
        """Whether it knows anything of a call that the thread has not ended."""

    def settled(self, tid: int, nr: int, ret: int) -> None:
        """The thread's latest call, which was plain, has returned."""

    def paths_in(self, maker: RowMaker, tail: Callable[[bytes | None, int], bytes]) -> Callable[[], None]:
        """Have opens whose paths are told later lie in the core. Returns what emits those that wait no more."""

    def told_later(self) -> tuple[bool, int]:
        """Whether the paths of opens that worked are still to come, and of those that began from when on."""


def values_for(layout: Layout, plain: Plain) -> list[Value] | None:
    """The value of each of the layout's cells; None where one is none of the plain ones, or there is no C core."""
    if IMPLEMENTATION != "c" or len(layout.cells) > _MOST_CELLS:
        return None
    found = [_time(cell) if cell.name == "ts_ns" else plain.columns.get(cell.name) for cell in layout.cells]
    return [one for one in found if one is not None] if None not in found else None


def _time(cell: Cell) -> Value:
    return Value(Kind.SECONDS if cell.width else Kind.STAMP)


class PlainRows:
    """A walk's shortcut (walk.py): makes the plain rows of a batch, and stops at what the machines have to see."""

    def __init__(
        self, schema: Schema, tasks: Tasks, layout: Layout, plain: Plain, values: Sequence[Value], ways: Mapping[int, Told],
        formatter: Formatter | None = None, calls: Halves | None = None,
    ) -> None:  # fmt: skip
        self._tasks, self._layout, self._plain, self._values = tasks, layout, plain, values
        self._ways, self._formatter, self._calls = ways, formatter, calls
        self._route: Route
        self._tail = lru_cache(_TAILS)(self._make_tail)
        self._about = {one.id for one in schema.formats.values() if one.system in {"sched", "task"}}
        self._facts = marker.id if (marker := schema.event("ftrace", "raw_data")) else -1
        time = schema.time
        self.maker: RowMaker = row_maker()(
            [_cell(cell, value, layout.quote) for cell, value in zip(layout.cells, values, strict=True)],
            layout.end, layout.refused, (time.mult, time.shift, time.offset_ns), schema.page.big_endian, plain.failed_only,
            None if formatter is None else formatter.machine,
        )  # fmt: skip
        self._flush = None if calls is None else calls.paths_in(self.maker, self._told_tail)
        for at, value in enumerate(values):
            for by in range(len(PROVENANCES)) if value.kind is Kind.PATH_BY else ():
                self._name(at, by)

    def follow(self, route: Route) -> None:
        """An event that two machines want is theirs."""
        self._route = route
        for ident, handlers in route.handlers.items():
            told = self._ways.get(ident) if len(handlers) == 1 else None
            self.maker.event(ident, *(told or plainly(Way.ELSE)))

    def run(self, batch: Batch, at: int, stop: int) -> tuple[int, bool]:
        if self._calls is not None:
            self.maker.copies_only(*self._calls.told_later(), self._route.has_parts())
        while True:
            lines, at, why = self.maker.make(batch, at, stop)
            if lines:
                self._layout.put(lines)
            if why in {_DONE, _ELSE}:
                return at, why == _ELSE
            if why == _HELD and self._flush is not None:
                self._flush()
                return at, False
            self._answer(why, batch, at)

    def _answer(self, why: int, batch: Batch, at: int) -> None:
        """Tell what the core asks for."""
        if why == _TASK:
            self._know(batch[at].pid)
        elif why == _PROGRAM and self._formatter is not None:
            self._formatter.prepare(batch[at].id)
        elif why == _NAME:
            self._name(*self.maker.asked())
        elif why == _TARGET:
            self._know_target(self.maker.asked()[1])

    def before(self, event: Event, batch: Batch) -> None:
        """The machines are about to see `event`: what the core knows of its tasks is theirs now."""
        if event.id == self._facts:
            self._before_fact(event.get("buf"), batch)
        elif event.id in self._about:
            self._hand_over([event.pid, *(number(event, field, -1) for field in _ABOUT)], batch)
        elif self._calls is not None:
            self._hand_over([event.pid], batch)

    def _before_fact(self, payload: Any, batch: Batch) -> None:
        """Paths come in numbers, and what is done with them when all have come depends on the opens of the moment alone."""
        kind = payload[0] if isinstance(payload, bytes) and payload else 0
        if kind != Fact.PATH:
            self._hand_over(self.maker.tids(kind != Fact.CAUGHT_UP), batch)

    def takes(self, one: object) -> bool:
        if not isinstance(one, bytes):
            return False
        if one:
            self._layout.put(one)
        return True

    def end(self, batch: Batch) -> None:
        """Calls that go on behind the batch are no plain ones."""
        self._hand_over(self.maker.tids(False), batch)

    def lost(self) -> None:
        self.maker.lost()

    def _hand_over(self, tids: Collection[int], batch: Batch) -> None:
        self.maker.nobody(0)
        for tid in tids:
            if (given := self.maker.give(tid)) is None:
                continue
            settled, nr, ret, places = given
            if settled and self._calls is not None:
                self._calls.settled(tid, nr, ret)
            for place in places:
                event = batch[place]
                for handler in self._route.handlers[event.id]:
                    handler(event)

    def _told_tail(self, path: bytes | None, by: int) -> bytes:
        return self._tail(None if path is None else path.decode(), PROVENANCES[by])

    def _make_tail(self, path: str | None, provenance: str) -> bytes:
        """The cells about a path, which are the last."""
        texts = []
        for cell, value in zip(self._layout.cells, self._values, strict=True):
            if value.kind in {Kind.PATH, Kind.PATH_BY}:
                shown = path if value.kind is Kind.PATH else value.name(PROVENANCES.index(provenance))
                texts.append(cell.before + cell.whole(shown).encode("utf-8", "backslashreplace"))
        return b"".join(texts) + self._layout.end

    def _know(self, tid: int) -> None:
        task = self._tasks.get(tid)
        shown = self._plain.admits(pid=task.tgid, tid=tid, comm=task.comm)
        taken = self._calls is not None and self._calls.holds(tid)
        comm = task.comm.encode("utf-8", "surrogatepass")
        self.maker.task(tid, task.tgid, comm, tid in self._tasks.own, shown, task.comm == UNNAMED, taken)

    def _know_target(self, tid: int) -> None:
        """Whom nothing was told of is nobody: programs make up numbers, and a table of those would have no end."""
        if self._tasks.peek(tid) is None:
            self.maker.nobody(tid)
        else:
            self._know(tid)

    def _name(self, cell: int, asked: int) -> None:
        value = self._values[cell].name(asked)
        text = self._layout.cells[cell].text
        self.maker.name(cell, asked, text(value).encode("utf-8", "surrogatepass"))


def _cell(cell: Cell, value: Value, quote: bytes) -> tuple[Any, ...]:
    quoted = quote[0] if quote and value.kind in _WORDS else 0
    return (value.kind, cell.before, cell.none, cell.width, cell.right, quoted)
