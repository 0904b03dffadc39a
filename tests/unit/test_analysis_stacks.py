"""Which stack belongs to which hit: by thread and context, in spite of interrupts, other events, batch ends and losses."""

from __future__ import annotations

import pytest

from ftracepy.analysis.stacks import hits
from ftracepy.analysis.tasks import Tasks
from tests.support.pages import event_format
from tests.support.recorded import Recorded, kallsyms

HIT = event_format("hit", 77, "int number; 8; 4; 1")
OTHER = event_format("other", 78, "int number; 8; 4; 1")
SYMBOLS = kallsyms({"inner": 0x1000, "outer": 0x2000, "last": 0x3000, "_etext": 0x4000})
END = 2**64 - 1
HARDIRQ, SOFTIRQ, NMI = 0x08, 0x10, 0x40


@pytest.fixture
def made() -> Recorded:
    return Recorded(HIT, OTHER, kallsyms=SYMBOLS)


def shown(made: Recorded, *, batch_events: int = 65536) -> list[tuple[int, tuple[str, ...] | None]]:
    found = hits(made.feed(batch_events=batch_events), {HIT.id}, Tasks(made.schema), stacks=True)
    return [(hit.event["number"], hit.stack) for hit in found]


@pytest.mark.parametrize("batch_events", [1, 2, 65536])
def test_a_stack_follows_its_hit(made: Recorded, batch_events: int) -> None:
    made.at(10, "hit", number=1, pid=7)
    made.at(20, "kernel_stack", pid=7, size=2, caller=(0x1004, 0x2008))
    made.at(30, "hit", number=2, pid=7)
    made.at(40, "kernel_stack", pid=7, size=2, caller=(0x2008, 0x3000, END, 0x1000))
    assert shown(made, batch_events=batch_events) == [(1, ("inner", "outer")), (2, ("outer", "last"))]


def test_an_interrupt_between_has_its_own(made: Recorded) -> None:
    made.at(10, "hit", number=1, pid=7)
    made.at(11, "hit", number=2, pid=7, flags=SOFTIRQ)
    made.at(12, "hit", number=3, pid=7, flags=HARDIRQ | SOFTIRQ)
    made.at(13, "kernel_stack", pid=7, flags=HARDIRQ | SOFTIRQ, caller=(0x3000,))
    made.at(14, "kernel_stack", pid=7, flags=SOFTIRQ, caller=(0x2000,))
    made.at(15, "kernel_stack", pid=7, caller=(0x1000,))
    assert shown(made) == [(1, ("inner",)), (2, ("outer",)), (3, ("last",))]


def test_other_cpus_do_not_matter(made: Recorded) -> None:
    made.at(10, "hit", number=1, pid=0, cpu=0)
    made.at(11, "hit", number=2, pid=0, cpu=1)
    made.at(12, "kernel_stack", pid=0, cpu=0, caller=(0x1000,))
    made.at(13, "kernel_stack", pid=0, cpu=1, caller=(0x2000,))
    assert shown(made) == [(1, ("inner",)), (2, ("outer",))]


@pytest.mark.parametrize("flags", [0, HARDIRQ])
def test_a_stack_behind_another_event_is_that_ones(made: Recorded, flags: int) -> None:
    made.at(10, "hit", number=1, pid=7, flags=flags)
    made.at(11, "other", number=1, pid=7)
    made.at(12, "kernel_stack", pid=7, caller=(0x1000,))
    assert shown(made) == [(1, None)]


def test_a_stack_of_another_thread_is_not_taken(made: Recorded) -> None:
    made.at(10, "hit", number=1, pid=7)
    made.at(11, "kernel_stack", pid=8, caller=(0x1000,))
    assert shown(made) == [(1, None)]


def test_a_loss_forgets_what_waits(made: Recorded) -> None:
    made.at(10, "hit", number=1, pid=7)
    made.lose(3)
    made.at(11, "kernel_stack", pid=7, caller=(0x1000,))
    assert shown(made) == [(1, None)]
    assert made.losses == [(0, 3)]


def test_a_hit_without_a_stack_holds_nothing_back_for_long(made: Recorded) -> None:
    made.at(10, "hit", number=1, pid=7)
    for at in range(5):
        made.at(20 + at, "hit", number=2 + at, pid=8)
        made.at(20 + at, "kernel_stack", pid=8, caller=(0x1000,))
    made.at(2_000_000_000, "other", number=1, pid=9)
    made.at(9_000_000_000, "hit", number=7, pid=7)
    found = hits(made.feed(batch_events=1), {HIT.id}, Tasks(made.schema), stacks=True)
    assert [hit.event["number"] for hit, _ in zip(found, range(6), strict=False)] == [1, 2, 3, 4, 5, 6]


def test_unknown_addresses_and_the_trampoline(made: Recorded) -> None:
    made.at(10, "hit", number=1, pid=7)
    made.at(20, "kernel_stack", pid=7, caller=(0x7FFFFFFF, 0x1000, 0x9000_0000))
    assert shown(made) == [(1, ("[FTRACE TRAMPOLINE]", "inner", "0x90000000"))]


def test_the_tracing_itself_is_no_part_of_a_stack() -> None:
    names = ("kprobe_trace_func", "kprobe_ftrace_handler", "traced", "caller", "kretprobe_trampoline", "_etext")
    made = Recorded(HIT, kallsyms=kallsyms({name: 0x1000 * at for at, name in enumerate(names, 1)}))
    made.at(10, "hit", number=1, pid=7)
    made.at(11, "kernel_stack", pid=7, caller=(0x1004, 0x2004, 0x9999_0000, 0x3004, 0x4004))
    made.at(20, "hit", number=2, pid=7)
    made.at(21, "kernel_stack", pid=7, caller=(0x1004, 0x5000))
    assert shown(made) == [(1, ("traced", "caller")), (2, ())]


def test_without_stacks_nothing_waits(made: Recorded) -> None:
    made.at(10, "hit", number=1, pid=7)
    made.at(20, "kernel_stack", pid=7, caller=(0x1000,))
    assert [hit.stack for hit in hits(made.feed(), {HIT.id}, Tasks(made.schema))] == [None]
