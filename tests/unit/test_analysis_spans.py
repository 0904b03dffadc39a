"""Calls with the time they took: from the tracer's exits, or from an entry and a return that belong together."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftracepy.analysis.spans import Span, Spans, signed
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import walk
from tests.support.graph import NAMES, Graph
from tests.support.pages import event_format
from tests.support.recorded import Recorded, kallsyms

_GROUP = "ftracepy_1_2_3"
CALL = event_format("call", 900, "unsigned long __probe_ip; 8; 8; 0", "u64 arg1; 16; 8; 0", "u64 arg2; 24; 8; 0", system=_GROUP)
END = event_format(
    "call_end", 901, "unsigned long __probe_func; 8; 8; 0", "unsigned long __probe_ret_ip; 16; 8; 0", "s64 ret; 24; 8; 1",
    system=_GROUP,
)  # fmt: skip
HARDIRQ = 0x08
ENDBR = 4  # a probe at a function's start may lie behind its landing pad


class Probed(Recorded):
    def __init__(self) -> None:
        super().__init__(CALL, END, kallsyms=kallsyms(NAMES))

    def enter(self, ts: int, name: str, *, pid: int = 7, cpu: int = 0, flags: int = 0, arg: int = 0) -> None:
        self.at(ts, "call", __probe_ip=NAMES[name] + ENDBR, arg1=arg, pid=pid, cpu=cpu, flags=flags)

    def leave(self, ts: int, name: str, *, pid: int = 7, cpu: int = 0, flags: int = 0, ret: int = 0) -> None:
        self.at(ts, "call_end", __probe_func=NAMES[name], ret=ret, pid=pid, cpu=cpu, flags=flags)


def spans(made: Recorded, *, irqs: bool = True) -> list[Span]:
    out, tasks = deque[Span](), Tasks(made.schema)
    return list(walk(made.feed(), (Spans(made.schema, tasks, out.append, irqs=irqs), tasks), out))


def times(made: Recorded, *, irqs: bool = True) -> list[tuple[str, int]]:
    return [(one.function, one.took_ns) for one in spans(made, irqs=irqs)]


def test_an_exit_alone_tells_all_but_arguments() -> None:
    made = Graph()
    made.leave(1000, "top", 0, 300)
    [one] = spans(made)
    assert (one.function, one.start_ns, one.end_ns, one.took_ns, one.args, one.ret) == ("top", 700, 1000, 300, None, None)


def test_time_asleep_is_not_in_it_but_the_beginning_stays() -> None:
    made = Graph()
    made.enter(100, "top", 0)
    made.leave(1000, "top", 0, 300)
    assert [(one.start_ns, one.took_ns) for one in spans(made)] == [(100, 300)]


def test_a_loss_costs_the_tracer_no_time() -> None:
    made = Graph()
    made.enter(100, "top", 0)
    made.lose(3)
    made.leave(1000, "top", 0, 900)
    assert times(made) == [("top", 900)]


def test_probes_pair_by_thread_and_function_recursion_inside_out() -> None:
    made = Probed()
    made.enter(10, "top", arg=5)
    made.enter(12, "top", arg=3)
    made.enter(13, "leaf", pid=8, cpu=1)
    made.leave(16, "top", ret=-2 & 0xFFFFFFFFFFFFFFFF)
    made.leave(18, "leaf", pid=8, cpu=1)
    made.leave(20, "top", ret=1)
    assert times(made) == [("top", 4), ("leaf", 5), ("top", 10)]
    assert [one.depth for one in spans(made)] == [1, 0, 0]
    assert [(one.ret, (one.args or (0,))[0]) for one in spans(made) if one.function == "top"] == [(-2, 3), (1, 5)]


def test_a_return_that_was_missed_is_nobodys() -> None:
    made = Probed()
    made.enter(10, "top")
    made.enter(11, "leaf")
    made.leave(20, "top")
    made.leave(25, "leaf")
    assert times(made) == [("top", 10)]


def test_a_loss_makes_probes_forget() -> None:
    made = Probed()
    made.enter(10, "top")
    made.lose(2)
    made.leave(20, "top")
    made.enter(30, "top")
    made.leave(31, "top")
    assert times(made) == [("top", 1)]
    assert made.losses == [(0, 2)]


def test_calls_of_interrupts_can_be_left_out() -> None:
    graph, probed = Graph(), Probed()
    graph.leave(12, "irq", 0, 2, flags=HARDIRQ)
    probed.enter(10, "irq", flags=HARDIRQ)
    probed.leave(12, "irq", flags=HARDIRQ)
    for made in (graph, probed):
        assert times(made) == [("irq", 2)]
        assert times(made, irqs=False) == []


PLACED = event_format("call", 900, "unsigned long __probe_ip; 8; 8; 0", "u64 sp; 16; 8; 0", "u64 back; 24; 8; 0", system=_GROUP)
PLACED_END = event_format("call_end", 901, "unsigned long __probe_func; 8; 8; 0", "u64 sp; 16; 8; 0", system=_GROUP)
TRAMPOLINE = 0x9000
TASK_STACK, IRQ_STACK = 0xFFFFC900_00404000, 0xFFFFC900_00100000  # where they begin: each grows downwards


class Placed(Recorded):
    """Calls with the places that they take on a stack, on the way in and out."""

    def __init__(self) -> None:
        super().__init__(
            PLACED, PLACED_END, kallsyms=kallsyms({**NAMES, "arch_rethook_trampoline": TRAMPOLINE, "_etext": 0xA000})
        )
        self.schema.arch = "x86_64"

    def enter(self, ts: int, name: str, sp: int, back: int, flags: int = 0) -> None:
        self.at(ts, "call", __probe_ip=NAMES[name] + ENDBR, sp=sp, back=back, flags=flags)

    def leave(self, ts: int, name: str, sp: int, flags: int = 0) -> None:
        self.at(ts, "call_end", __probe_func=NAMES[name], sp=sp + 8, flags=flags)


def depths(made: Recorded) -> list[tuple[str, int, int]]:
    return [(one.function, one.depth, one.took_ns) for one in spans(made)]


def test_a_missed_return_sets_nothing_in() -> None:
    """The kernel misses it where very many calls are under way: the next one from the same caller is no inner one."""
    made, frame = Placed(), TASK_STACK - 0x100
    made.enter(10, "top", TASK_STACK - 8, 0x500)
    made.enter(11, "leaf", frame, 0x1010)  # not seen to return
    made.enter(13, "irq", frame, 0x1020)
    made.leave(15, "irq", frame)
    made.enter(16, "leaf", frame, 0x1010)  # nor is this
    made.enter(17, "leaf", frame, 0x1010)
    made.leave(19, "leaf", frame)
    made.leave(20, "top", TASK_STACK - 8)
    assert depths(made) == [("irq", 1, 2), ("leaf", 1, 2), ("top", 0, 10)]


def test_what_a_function_ends_with_is_in_it() -> None:
    """A jump instead of a call: both lie at one place, and return at once, the inner one first."""
    made = Placed()
    made.enter(10, "top", TASK_STACK - 8, 0x500)
    made.enter(12, "leaf", TASK_STACK - 8, TRAMPOLINE)
    made.leave(15, "leaf", TASK_STACK - 8)
    made.leave(16, "top", TASK_STACK - 8)
    assert depths(made) == [("leaf", 1, 3), ("top", 0, 6)]


def test_an_interrupt_on_a_stack_of_its_own_is_within_what_it_struck() -> None:
    """Wherever that stack lies; what it leaves open is over when the task goes on."""
    for stack in (IRQ_STACK, TASK_STACK + 0x10000):
        made = Placed()
        made.enter(10, "top", TASK_STACK - 8, 0x500)
        made.enter(11, "irq", stack - 8, 0x700, HARDIRQ)
        made.leave(12, "irq", stack - 8, HARDIRQ)
        made.enter(13, "irq", stack - 8, 0x700, HARDIRQ)  # not seen to return
        made.enter(14, "leaf", TASK_STACK - 0x80, 0x1010)
        made.leave(15, "leaf", TASK_STACK - 0x80)
        made.leave(16, "top", TASK_STACK - 8)
        assert depths(made) == [("irq", 1, 1), ("leaf", 1, 1), ("top", 0, 6)]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.booleans()), max_size=60))
def test_whatever_returns_are_missed_no_depth_is_wrong(steps: list[tuple[int, int, bool]]) -> None:
    """Programs that call three functions to any depth, and a recorder that misses some of the returns: what is shown is true.

    A call whose return was missed is still around what it calls, and around nothing else.
    """
    made, ts, stack, true = Placed(), 10, list[tuple[str, int, int, bool]](), list[tuple[str, int, int]]()
    names = ("top", "leaf", "irq")

    def leave() -> None:
        name, sp, begun, is_missed = stack.pop()
        if not is_missed:
            made.leave(ts, name, sp)
            true.append((name, len(stack), ts - begun))

    for ups, which, is_missed in steps:
        for _ in range(min(ups, len(stack))):
            leave()
            ts += 1
        sp = (stack[-1][1] if stack else TASK_STACK) - 0x40
        made.enter(ts, names[which], sp, 0x500 + len(stack))
        stack.append((names[which], sp, ts, is_missed))
        ts += 1
    while stack:
        leave()
        ts += 1
    assert depths(made) == true


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, 0), (2**64 - 2, -2), (2**32 - 2, -2), (2**32 - 4095, -4095), (2**32 - 4096, 2**32 - 4096), (2**63 - 1, 2**63 - 1)],
)
def test_errors_in_32_bits_are_errors_too(value: int, shown: int) -> None:
    assert signed(value) == shown
