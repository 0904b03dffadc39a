"""What trace-cmd's plugins make of events (report -l); the expected texts are those of trace-cmd 3.4."""

from __future__ import annotations

import struct

import pytest

from ftracepy.printfmt import compile_for
from ftracepy.printfmt.target import Target
from ftracepy.schema import parse_event_format
from ftracepy.text import Formatter
from tests.support.decoders import decode, implementations
from tests.support.pages import PageWriter, schema
from tests.support.textmachines import COMMON, event, machines, show

LATENCY = Target("trace-cmd", form="latency")
FUTEX = ", ".join(
    ['"uaddr: 0x%08lx, op: 0x%08lx, val: 0x%08lx, utime: 0x%08lx, uaddr2: 0x%08lx, val3: 0x%08lx"']
    + [f"((unsigned long)(REC->{name}))" for name in ("uaddr", "op", "val", "utime", "uaddr2", "val3")]
)
FUTEX_FIELDS = ("uaddr", "op", "val", "utime", "uaddr2", "val3")


def futex(op: int) -> str:
    fields = [f"unsigned long {name}@{8 + 8 * at}:8" for at, name in enumerate(FUTEX_FIELDS)]
    made = event(FUTEX, *fields, system="syscalls", name="sys_enter_futex")
    return show(made, struct.pack("=6Q", 0x245CB870, op, 1, 0x20, 0x3000, 0xFFFFFFFF), target=LATENCY)


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (0x81, "op=FUTEX_WAKE|FUTEX_PRIVATE_FLAG uaddr=0x245cb870 val=1"),
        (
            0x189,
            "op=FUTEX_WAIT_BITSET|FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME uaddr=0x245cb870 val=0x00000001 utime=0x00000020 "
            "val3=0xffffffff",
        ),
        (4, "op=FUTEX_CMP_REQUEUE uaddr=0x245cb870 val=1 val2=32 uaddr2=0x00003000 val3=0xffffffff"),
        (7, "op=FUTEX_UNLOCK_PI uaddr=0x245cb870"),
        (13, "uaddr: 0x245cb870, op: 0x0000000d, val: 0x00000001, utime: 0x00000020, uaddr2: 0x00003000, val3: 0xffffffff"),
    ],
)
def test_futex(op: int, text: str) -> None:
    assert futex(op) == text


def test_a_timer_s_function_with_the_way_to_its_name() -> None:
    fields = ("void * hrtimer@8:8", "void * function@16:8", "s64 expires@24:8s", "s64 softexpires@32:8s")
    made = event('"none"', *fields, system="timer", name="hrtimer_start")
    kallsyms = b"ffffffff81000000 T start\nffffffff81001000 T after\n"
    payload = struct.pack("=QQqq", 0xFFFF8E263D733120, 0xFFFFFFFF81000320, 7, 5)
    shown = "hrtimer=0xffff8e263d733120 function=start/0xfffffffffffffce0 expires=7 softexpires=5"
    assert show(made, payload, target=LATENCY, kallsyms=kallsyms) == shown
    assert show(made, payload, target=LATENCY) == shown.replace("start/0xfffffffffffffce0", "0xffffffff81000320")


def test_fields_that_a_plugin_misses() -> None:
    made = event('"n=%d", REC->n', "int n@8:4s", system="timer", name="hrtimer_start")
    assert show(made, struct.pack("=i", 3), target=LATENCY) == "n=3"


WAKEUP = (
    f"name: sched_wakeup\nID: 7\nformat:\n{COMMON}\n\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"
    "\tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;\n\tfield:int prio;\toffset:28;\tsize:4;\tsigned:1;\n"
    '\tfield:int target_cpu;\toffset:32;\tsize:4;\tsigned:1;\n\nprint fmt: "%s", REC->comm\n'
)


@pytest.mark.parametrize("implementation", implementations())
def test_names_learned_from_the_scheduler_s_events(implementation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the line after the event on, and only where the recording's own list has none."""
    monkeypatch.setenv("FTRACEPY_TWIN", "0" if implementation == "_core" else "1")
    made = schema(parse_event_format(WAKEUP, "sched"))
    made.cmdlines = {42: "listed"}
    writer = PageWriter(made)
    events = [
        writer.event("sched_wakeup", delta=1, common_pid=by, pid=pid, comm=comm, prio=120, target_cpu=1)
        for by, pid, comm in ((43, 43, b"first"), (42, 43, b"second"), (43, 42, b"third"), (42, 42, b"third"))
    ]
    batch = decode(implementation, made, {0: writer.page(1_000_000_000, *events)})
    text = Formatter(made, "trace-cmd", form="latency").lines(batch).decode().splitlines()
    assert [line.split("-")[0].strip() for line in text] == ["<...>", "listed", "first", "listed"]


def test_learning_in_both_machines() -> None:
    made = parse_event_format(WAKEUP, "sched")
    for machine in machines(kernel=0):
        machine.add(7, b"sched_wakeup", *compile_for(made, LATENCY))
        raw = bytes(8) + b"woken".ljust(16, b"\0") + struct.pack("=iii", 43, 120, 1)
        assert machine.text(7, raw) == b"woken:43 [120] CPU:001"
