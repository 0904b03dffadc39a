"""The other end of what an event begins or ends: a call's return, who ran after a wakeup, a request's completion."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from ftracepy.analysis.walk import number
from ftracepy.tui.model.search import Looking
from ftracepy.tui.model.store import Aside, EventStore, Loss

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.schema import Schema

_PIECE = 500
_WAKEUPS = frozenset({"sched_waking", "sched_wakeup", "sched_wakeup_new"})
# Words in names of events that begin something, and what the event is called that ends it.
_PAIRS = (("enter", "exit"), ("entry", "exit"), ("begin", "end"), ("start", "end"), ("start", "done"), ("start", "complete"),
          ("issue", "complete"))  # fmt: skip
# What else than the thread tells which begin an end belongs to.
_BY_FIELDS = ("dev", "sector")
_BY_CPU = frozenset({"irq", "irq_vectors"})
Key = Callable[["Event"], Hashable]


class Partner(Looking):
    """Looks for the event at the other end of `event`, a piece at a time. `number` is where it stands in the store.

    `why` says what kept it from being found, once it is `over`. One lost event in between, and nobody knows.
    """

    def __init__(self, store: EventStore, schema: Schema, event: Event, start: int) -> None:
        self.number: int | None = None
        self.why = ""
        self._store, self._event = store, event
        self._open = 0
        found = _plan(event, schema)
        if found is None:
            self.over, self.why = True, f"{event.name} has no other end that is known here"
            return
        self.step, self._is_end, self._is_same = found
        self._at = start + self.step

    def piece(self) -> None:
        first = self._store.first
        low = self._at if self.step > 0 else max(self._at - _PIECE + 1, first)
        count = _PIECE if self.step > 0 else self._at - low + 1
        items = self._store.items(max(low, first), count) if low >= first and count > 0 else []
        if not items:
            self.over, self.why = True, "its other end is not here"
        for place in range(len(items)) if self.step > 0 else range(len(items) - 1, -1, -1):
            if self._take(items[place]):
                self.number = low + place
                return
            if self.over:
                return
        self._at = low + len(items) if self.step > 0 else low - 1

    def _take(self, item: Event | Aside) -> bool:
        """Whether it is the one. Others of the same kind in between have ends of their own."""
        if isinstance(item, Aside):
            what = "events were lost" if isinstance(item, Loss) else "what is recorded changed"
            self.over, self.why = True, f"{what} before its other end"
            return False
        if self._is_end(item):
            self.over = self._open == 0
            self._open -= 1
            return self.over
        if self._is_same(item):
            self._open += 1
        return False


def _plan(event: Event, schema: Schema) -> tuple[int, Callable[[Event], bool], Callable[[Event], bool]] | None:
    """Which way to look, what the other end is, and what opens another of the same kind."""
    if event.system == "sched":
        return _woken(event)
    other, step = _other(event, schema)
    if other is None:
        return None
    key = _key(event)
    mine = key(event)

    def is_end(one: Event) -> bool:
        return one.id == other and key(one) == mine

    def is_same(one: Event) -> bool:
        return one.id == event.id and key(one) == mine

    return step, is_end, is_same


def _woken(event: Event) -> tuple[int, Callable[[Event], bool], Callable[[Event], bool]] | None:
    """From a wakeup to the switch to whom it woke; from a switch back to the wakeup of who runs then, if it was woken."""
    if event.name in _WAKEUPS:
        tid = number(event, "pid")
        return 1, lambda one: one.name == "sched_switch" and number(one, "next_pid") == tid, lambda _one: False
    tid = number(event, "next_pid")
    if event.name != "sched_switch" or not tid:
        return None
    return -1, lambda one: one.name in _WAKEUPS and number(one, "pid") == tid, lambda _one: False


def _other(event: Event, schema: Schema) -> tuple[int | None, int]:
    """The id of the event at the other end, and which way it lies."""
    words = event.name.split("_")
    for begin, end in _PAIRS:
        for mine, theirs, step in ((begin, end, 1), (end, begin, -1)):
            if mine in words:
                at = words.index(mine)
                name = "_".join([*words[:at], theirs, *words[at + 1 :]])
                if found := schema.event(event.system, name):
                    return found.id, step
    return None, 0


def _key(event: Event) -> Key:
    """What both ends have in common."""
    if all(name in event for name in _BY_FIELDS):
        return lambda one: tuple(one.get(name) for name in _BY_FIELDS)
    if event.system in _BY_CPU:
        return lambda one: (one.cpu, one.get("irq"), one.get("vec"), one.get("vector"))
    if "func" in event and "depth" in event:
        return lambda one: (one.pid or -1 - one.cpu, one.get("func"), one.get("depth"))
    call: Any = event.get("id") if event.system == "raw_syscalls" else None
    return lambda one: (one.pid or -1 - one.cpu, None if call is None else one.get("id"))
