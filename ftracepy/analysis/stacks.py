"""Hits of events with the task they happened in and, where asked for, the kernel stack that the kernel wrote behind each.

A stack belongs to the event before it of the same thread in the same context (an interrupt has its own): the kernel
writes it when that event is committed (kernel: trace_events_trigger.c, stacktrace is a post trigger). Another event of
that context in between, or a loss, and it belongs to nobody we know.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, Shortcut, walk
from ftracepy.schema import Schema
from ftracepy.symbols.kallsyms import Kallsyms
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.analysis.feed import Feed

_NMI, _HARDIRQ, _SOFTIRQ = 0x40, 0x08, 0x10  # enum trace_flag_type, include/linux/trace_events.h
_RANKS = range(4)
_WAIT = 1_000_000_000  # a stack comes microseconds after its hit; whatever keeps it longer than this will not bring it
# What stands above the traced code when a probe or an event writes a stack.
_OURS = re.compile(
    r"trace_event_raw_event_|__traceiter_|__probestub_|event_triggers|trace_event_buffer_commit|k(ret)?probe_(trace_func|dispatcher)"
    r"|kprobe_ftrace_handler|aggr_pre_handler|opt_pre_handler|optimized_callback|kprobe_int3_handler|setup_detour_execution"
    r"|ftrace_ops_(assist|list)_func|arch_ftrace_ops_list_func|f(entry|exit|graph|probe)_\w*(handler|dispatcher|func)|(asm_)?exc_int3|do_int3$"
    r"|(__)?(arch_)?(kretprobe_|rethook_)?trampoline(_handler|_callback)?$"
)
_DEEPEST = 12
_TRAMPOLINE = 0x7FFFFFFF  # FTRACE_TRAMPOLINE_MARKER, kernel/trace/trace.h


@dataclass(slots=True)
class Hit:
    """One event, and whose it was when it happened; `stack` innermost function first, None where none is known."""

    event: Event
    pid: int
    comm: str
    stack: tuple[str, ...] | None = None
    waits: bool = False


def hits(
    feed: Feed, events: Collection[int], tasks: Tasks, *, stacks: bool = False, machines: Sequence[Machine] = (),
    shortcut: Shortcut | None = None,
) -> Iterator[Hit]:  # fmt: skip
    """The hits of the events with these ids, in order; with `stacks` each waits for its own. `machines` follow the feed too."""
    hits = Hits(feed.schema, events, tasks, stacks=stacks)
    yield from walk(feed, (hits, tasks, *machines), hits.out, shortcut)


class Hits(Machine):
    """Puts each hit into `out` once all is known of it. Goes before `tasks` in a walk: a rename happens to the old name."""

    def __init__(self, schema: Schema, events: Collection[int], tasks: Tasks, *, stacks: bool) -> None:
        self.out: deque[Hit] = deque()
        self._events, self._tasks, self._stacks = events, tasks, stacks
        self._held: deque[Hit] = deque()
        self._waiting: dict[tuple[int, int], Hit] = {}
        self._names = Names(schema)

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        """For stacks every event counts: one in between would be their owner."""
        if not self._stacks:
            return dict.fromkeys(self._events, self._passing)
        wanted: dict[int, Handler] = dict.fromkeys(schema.formats, self._other)
        wanted |= dict.fromkeys(self._events, self._hit)
        if form := schema.event("ftrace", "kernel_stack"):
            wanted[form.id] = self._stack
        return wanted

    def _passing(self, event: Event) -> None:
        self.out.append(self._of(event))

    def _of(self, event: Event) -> Hit:
        task = self._tasks.get(event.pid)
        return Hit(event, task.tgid, task.comm)

    def _hit(self, event: Event) -> None:
        key = self._settle(event)
        hit = self._of(event)
        hit.waits = True
        self._waiting[key] = hit
        self._held.append(hit)

    def _other(self, event: Event) -> None:
        self._settle(event)
        self._release()

    def _stack(self, event: Event) -> None:
        key = context_of(event)
        hit = self._waiting.pop(key, None)
        self._settle(event)
        if hit is not None:
            hit.stack, hit.waits = self._names.of(event.get("caller", ())), False
        self._release()

    def _settle(self, event: Event) -> tuple[int, int]:
        """What waited in this context or in an interrupt of it gets nothing any more."""
        thread, rank = key = context_of(event)
        for one in _RANKS[rank:]:
            if hit := self._waiting.pop((thread, one), None):
                hit.waits = False
        return key

    def _release(self) -> None:
        while self._held and not self._held[0].waits:
            self.out.append(self._held.popleft())

    def lost(self) -> None:
        for hit in self._waiting.values():
            hit.waits = False
        self._waiting.clear()
        self._release()

    def advance(self, now: int) -> None:
        """What still waits must not hold its batch's pages, nor the rows behind it, for long."""
        for key, hit in list(self._waiting.items()):
            if now > hit.event.ts + _WAIT:
                hit.waits = False
                del self._waiting[key]
            else:
                hit.event = hit.event.keep()
        self._release()


def context_of(event: Event) -> tuple[int, int]:
    """Thread and depth: task, softirq, hard interrupt, NMI. Each CPU has an idle thread of its own, all with number 0."""
    flags = event.flags
    rank = 3 if flags & _NMI else 2 if flags & _HARDIRQ else 1 if flags & _SOFTIRQ else 0
    return event.pid or -1 - event.cpu, rank


def _of_the_traced(stack: tuple[str, ...]) -> tuple[str, ...]:
    """Without the tracing's own functions on top, and the nameless code through which it was entered.

    Of a return old kernels know nothing below the trampoline that the function returned to.
    """
    top = max((at for at, name in enumerate(stack[:_DEEPEST]) if _OURS.match(name)), default=-1) + 1
    while 0 < top < len(stack) and stack[top].startswith(("0x", "[FTRACE", "ftrace_trampoline")):
        top += 1
    return stack[top:]


class Names:
    """Addresses of code to the names of functions, as the recording kernel's kallsyms has them."""

    def __init__(self, schema: Schema) -> None:
        self._symbols = Kallsyms(schema.kallsyms)
        self._known: dict[int, str] = {_TRAMPOLINE: "[FTRACE TRAMPOLINE]"}
        self._end = (1 << 8 * schema.page.long_bytes) - 1

    def of(self, addresses: Sequence[int]) -> tuple[str, ...]:
        """The names, up to the mark that ends a stack."""
        unsigned = (one & self._end for one in addresses)
        return _of_the_traced(tuple(self.name(one) for one in takewhile(lambda one: one != self._end, unsigned)))

    def name(self, address: int) -> str:
        """`function`, `function [module]`, or the address in hex where none is known."""
        found = self._known.get(address)
        if found is None:
            found = self._known[address] = self._symbols.show(address, 0).decode("utf-8", "backslashreplace")
        return found
