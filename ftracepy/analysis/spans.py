"""Calls of kernel functions with the time they took, from the function_graph tracer's events or from probes' pairs.

The tracer's exit event tells function, time and depth by itself, so that a lost entry costs nothing but arguments. Of probes
an entry belongs to the return at its own place on the stack (in recordings without it: to the next return of the same function
on the same thread); a loss forgets all that is open. The kernel misses returns where very many calls of a function are under
way at once: that such a call is over shows at the next entry, which lies where it lay, or above.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ftracepy.analysis.stacks import Names
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, number, own_probes, to_ns
from ftracepy.schema import Schema
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Event

ENTRY, EXIT = ("ftrace", "funcgraph_entry"), ("ftrace", "funcgraph_exit")
CALL, CALL_END = "call", "call_end"  # own probe events, see live/ways/functions.py
_INTERRUPTS = 0x40 | 0x10 | 0x08  # NMI, softirq, hard interrupt: enum trace_flag_type, include/linux/trace_events.h
_DEEPEST = 256  # a return that was missed leaves its entry behind: the oldest go
_STACK_BITS = 14  # kernel stacks are of 16 KB and more, and lie at multiples of that: THREAD_SIZE, IRQ_STACK_SIZE
_TAKEN_OFF = {"x86_64": 8, "aarch64": 0}  # bytes that a return takes off the stack: the return address
_TRAMPOLINES = ("arch_rethook_trampoline", "__kretprobe_trampoline", "kretprobe_trampoline")
_ARGUMENTS = tuple(f"arg{n}" for n in range(1, 7))
_U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Span:
    """One call that has returned. Times are nanoseconds as shown; `args` are words, as many as were recorded, or None.

    `depth` counts the calls of traced functions around it. Calls come as they return: inner ones before those around them.
    """

    tid: int
    pid: int
    comm: str
    cpu: int
    function: str
    start_ns: int
    end_ns: int
    took_ns: int
    depth: int = 0
    ret: int | None = None
    args: tuple[int, ...] | None = None


@dataclass(slots=True)
class _Open:
    """A call under way. `sp` is the stack pointer where it began, `back` where it returns to, 0 where they are not told."""

    function: int | str
    start: int
    args: tuple[int, ...] | None
    context: int = 0
    sp: int = 0
    back: int = 0


class Spans(Machine):
    """Gives every call that returns to `done`; `irqs` False leaves out those that interrupts made. Goes before `tasks`."""

    def __init__(self, schema: Schema, tasks: Tasks, done: Callable[[Span], object], *, irqs: bool = True) -> None:
        self._tasks, self._done, self._irqs = tasks, done, irqs
        self._names, self._ns = Names(schema), to_ns(schema.time)
        self._open: dict[int, list[_Open]] = {}
        self._off = _TAKEN_OFF.get(schema.arch)

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        formats = schema.by_name()
        wanted = {ENTRY: self._entry, EXIT: self._exit}
        found: dict[int, Handler] = {formats[key].id: handler for key, handler in wanted.items() if key in formats}
        ends = own_probes(schema, CALL_END)
        found |= dict.fromkeys((one for one in own_probes(schema, CALL) if one not in ends), self._call)
        return found | dict.fromkeys(ends, self._call_end)

    def _entry(self, event: Event) -> None:
        self._push(event, _Open(number(event, "func"), event.ts, words(event, "args")))

    def _call(self, event: Event) -> None:
        args = tuple(number(event, name) for name in _ARGUMENTS) if _ARGUMENTS[0] in event else None
        name, context = self._names.name(number(event, "__probe_ip")), event.flags & _INTERRUPTS
        begun = _Open(name, event.ts, args, context, number(event, "sp") & _U64, number(event, "back") & _U64)
        stack = self._open.get(whose(event), [])
        while begun.sp and stack and self._is_over(stack[-1], begun):
            stack.pop()
        self._push(event, begun)

    def _is_over(self, one: _Open, begun: _Open) -> bool:
        """Whether a call must have returned when another began.

        At one place lie a caller and what it ends with (a jump), which then returns to the probe at the caller's return.
        """
        if one.context & ~begun.context:
            return True
        if one.context != begun.context or (one.sp ^ begun.sp) >> _STACK_BITS:
            return False
        if one.sp != begun.sp:
            return one.sp < begun.sp
        return one.function == begun.function or not self._names.name(begun.back).startswith(_TRAMPOLINES)

    def _push(self, event: Event, begun: _Open) -> None:
        stack = self._open.setdefault(whose(event), [])
        stack.append(begun)
        if len(stack) > _DEEPEST:
            del stack[0]

    def _pop(self, event: Event, function: int | str, sp: int = 0) -> tuple[_Open | None, int]:
        """The innermost call of the function that is open, the one at `sp` where that is known, and how many are around it;
        those inside were not seen to return."""
        stack = self._open.get(whose(event), [])
        places = ((at, stack[at]) for at in range(len(stack) - 1, -1, -1))
        at = next((at for at, one in places if one.function == function and sp in (0, one.sp)), None)
        if at is None:
            return None, 0
        found = stack[at]
        del stack[at:]
        return found, at

    def _exit(self, event: Event) -> None:
        took, function = duration_ns(event), number(event, "func")
        entry, _ = self._pop(event, function)
        start = self._ns(entry.start) if entry else self._ns(event.ts) - took
        ret = number(event, "retval") if "retval" in event else None
        self._tell(event, self._names.name(function), start, took, number(event, "depth"), ret, entry)

    def _call_end(self, event: Event) -> None:
        name = self._names.name(number(event, "__probe_func"))
        sp = number(event, "sp") & _U64 if self._off is not None else 0
        entry, depth = self._pop(event, name, sp and sp - (self._off or 0))
        if entry is not None:
            start = self._ns(entry.start)
            ret = number(event, "ret") if "ret" in event else None
            self._tell(event, name, start, self._ns(event.ts) - start, depth, ret, entry)

    def _tell(
        self, event: Event, name: str, start_ns: int, took: int, depth: int, ret: int | None, entry: _Open | None
    ) -> None:  # fmt: skip
        if self._irqs or not in_interrupt(event):
            task, end = self._tasks.get(event.pid), self._ns(event.ts)
            args = entry.args if entry else None
            self._done(
                Span(event.pid, task.tgid, task.comm, event.cpu, name, start_ns, end, took, depth, signed(ret), args)
            )  # fmt: skip

    def lost(self) -> None:
        self._open.clear()


def whose(event: Event) -> int:
    """The thread whose calls nest; each CPU's idle thread is one of its own, though all have number 0."""
    return event.pid or -1 - event.cpu


def in_interrupt(event: Event) -> bool:
    return bool(event.flags & _INTERRUPTS)


def duration_ns(event: Event) -> int:
    """What a funcgraph_exit event says of its call: the tracer's own clock counts nanoseconds, whatever the trace clock does."""
    return number(event, "rettime") - number(event, "calltime") & _U64


def words(event: Event, field: str) -> tuple[int, ...] | None:
    """A field that is a list of machine words; None where it is not there or empty."""
    value = event.get(field)
    return tuple(one & _U64 for one in value) if isinstance(value, tuple) and value else None


def signed(value: int | None) -> int | None:
    """A return value as people read it: one of 64 bits that is negative, or an errno that only 32 bits carried."""
    if value is None:
        return None
    value &= _U64
    if value >> 31 == 1 and value >= (1 << 32) - 4095:
        return value - (1 << 32)
    return value - (1 << 64) if value >> 63 else value
