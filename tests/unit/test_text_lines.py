"""Whole lines: the columns before an event's text in both styles, and lost events in their place."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ftracepy.schema import Schema, TimeScale, parse_cmdlines, parse_event_format
from ftracepy.text import Formatter, printk_strings
from tests.support.decoders import decode, implementations
from tests.support.pages import PageWriter, event_format, schema
from tests.support.textmachines import COMMON

TICK = f'name: tick\nID: 7\nformat:\n{COMMON}\n\tfield:int n;\toffset:8;\tsize:4;\tsigned:1;\n\nprint fmt: "n=%d", REC->n\n'
SECOND = 1_000_000_000


@pytest.fixture(params=implementations())
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FTRACEPY_TWIN", "0" if request.param == "_core" else "1")
    return str(request.param)


def ticking(**more: object) -> Schema:
    made = schema(parse_event_format(TICK, "test"))
    made.cmdlines = {42: "sh", 43: "a b=c", 44: "sixteen-letters-"}
    for name, value in more.items():
        setattr(made, name, value)
    return made


def lines(implementation: str, made: Schema, style: str = "kernel", **columns: Any) -> list[str]:
    """One page of CPU 1 at 5 s: events of four tasks, flags and preempt counts of all kinds."""
    writer = PageWriter(made)
    events = [
        writer.event("tick", delta=0, pid=42, n=1),
        writer.event("tick", delta=1499, pid=0, flags=0x0D, preempt_count=0x21, n=-2),
        writer.event("tick", delta=1, pid=43, flags=0xFF, preempt_count=0xFF, n=3),
        writer.event("tick", delta=1, pid=44, flags=0x80, n=4),
        writer.event("tick", delta=1, pid=1234567, flags=0x02, n=5),
    ]
    batch = decode(implementation, made, {1: writer.page(5 * SECOND, *events, lost=17)})
    text = Formatter(made, style, **columns).lines(batch)  # type: ignore[arg-type]
    assert text.endswith(b"\n")
    return text.decode().splitlines()


def test_as_the_kernel(implementation: str) -> None:
    assert lines(implementation, ticking()) == [
        "CPU:1 [LOST 17 EVENTS]",
        "              sh-42      [001] .....     5.000000: tick: n=1",
        "          <idle>-0       [001] dnh12     5.000001: tick: n=-2",
        "           a b=c-43      [001] DBZff     5.000002: tick: n=3",
        "sixteen-letters--44      [001] b....     5.000002: tick: n=4",
        "           <...>-1234567 [001] .l...     5.000002: tick: n=5",
    ]


def test_as_an_older_kernel(implementation: str) -> None:
    old = lines(implementation, ticking(uname="Linux h 5.10.0-8-amd64 #1 SMP x86_64"))
    assert [line.split("] ")[1].split(" ")[0] for line in old[1:]] == ["....", "dnh21", "DNZff", "b...", "X..."]


def test_as_trace_cmd(implementation: str) -> None:
    assert lines(implementation, ticking(), "trace-cmd") == [
        "CPU:1 [17 EVENTS DROPPED]",
        "              sh-42    [001]     5.000000: tick:                 n=1",
        "          <idle>-0     [001]     5.000001: tick:                 n=-2",
        "           a b=c-43    [001]     5.000002: tick:                 n=3",
        "sixteen-letters--44    [001]     5.000002: tick:                 n=4",
        "           <...>-1234567 [001]     5.000002: tick:                 n=5",
    ]


def test_as_later_versions_of_trace_cmd(implementation: str) -> None:
    later = lines(implementation, ticking(), "trace-cmd", flags=True)
    assert [line[28:48] for line in later[1:4]] == [" .....     5.000000:", " dNh12     5.000001:", " dNHff     5.000002:"]


def test_fields_by_name_and_the_columns_of_latency(implementation: str) -> None:
    raw = lines(implementation, ticking(), "trace-cmd", form="raw", ns=True)
    assert raw[2] == "          <idle>-0     [001]-0xd     5.000001499: tick:                  n=-2"
    latency = lines(implementation, ticking(), "trace-cmd", form="latency")
    assert latency[2:5] == [
        "  <idle>-0       1dNh12     5.000001: tick:                 n=-2",
        "   a b=c-43      1dNHff     5.000002: tick:                 n=3",
        "sixteen--44      1.....     5.000002: tick:                 n=4",
    ]
    assert lines(implementation, ticking(), form="raw")[2].endswith(": tick: n=0xfffffffe (-2)")


def test_an_instance_stands_before_its_lines(implementation: str) -> None:
    assert lines(implementation, ticking(), "trace-cmd", prefix=b"foo: ")[2] == (
        "foo:           <idle>-0     [001]     5.000001: tick:                 n=-2"
    )


def test_nanoseconds_and_clocks_that_are_no_time(implementation: str) -> None:
    assert "     5.000001499: tick" in lines(implementation, ticking(), ns=True)[2]
    assert "   5000001499: tick" in lines(implementation, ticking(time=TimeScale(is_ns=False)))[2]
    scaled = ticking(time=TimeScale(mult=3, shift=1, offset_ns=SECOND))
    assert "     8.500000: tick" in lines(implementation, scaled)[1]


def test_a_part_of_a_batch_has_its_own_losses_only(implementation: str) -> None:
    made = ticking()
    writer = PageWriter(made)
    pages = [writer.page(at * SECOND, writer.event("tick", delta=0, pid=42, n=at), lost=at) for at in (1, 2, 3)]
    batch = decode(implementation, made, {0: b"".join(pages)})
    formatter = Formatter(made)
    parts = b"".join(formatter.lines(batch, at, at + 1) for at in range(3))
    assert parts == formatter.lines(batch)
    assert parts.count(b"LOST 2 EVENTS") == 1


def test_comms_learned_later_are_shown(implementation: str) -> None:
    made = ticking()
    writer = PageWriter(made)
    batch = decode(implementation, made, {0: writer.page(0, writer.event("tick", delta=0, pid=99, n=1))})
    formatter = Formatter(made)
    assert formatter.lines(batch).startswith(b"           <...>-99 ")
    made.cmdlines = made.cmdlines | {99: "late"}
    assert formatter.lines(batch).startswith(b"            late-99 ")
    made.cmdlines = made.cmdlines | {99: "later"}
    assert formatter.lines(batch).startswith(b"           later-99 ")


def test_an_event_without_a_format_does_not_spoil_the_rest(implementation: str) -> None:
    both = ticking()
    both.add([event_format("gone", 9)])
    writer = PageWriter(both)
    page = writer.page(0, writer.event("gone", delta=0), writer.event("tick", delta=1, pid=42, n=6))
    made = ticking()
    text = Formatter(made).lines(decode(implementation, made, {0: page})).decode()
    assert text.splitlines()[-1].endswith("tick: n=6")


def test_one_event_alone(implementation: str) -> None:
    made = ticking()
    writer = PageWriter(made)
    batch = decode(implementation, made, {0: writer.page(0, writer.event("tick", delta=0, n=8))})
    assert Formatter(made).text(batch[0]) == "n=8"


def test_printk_formats() -> None:
    text = '0xffffffff81000000 : "a\\tb \\"c\\""\n0x10 : ""\nnot a line\n'
    assert printk_strings(text) == {0xFFFFFFFF81000000: b'a\tb "c"', 0x10: b""}


def test_both_implementations_are_tested_where_both_are_built() -> None:
    assert "twin" in implementations()
    assert os.environ.get("FTRACEPY_TWIN") in {None, "", "0", "1"}


def test_names_that_are_no_utf_8(implementation: str) -> None:
    """The line has the bytes that the kernel has; what tools show of them is readable everywhere."""
    made = ticking(cmdlines=parse_cmdlines(b"42 w\xfe \xc3\xa9".decode("utf-8", "surrogateescape")))
    writer = PageWriter(made)
    batch = decode(implementation, made, {0: writer.page(SECOND, writer.event("tick", delta=0, pid=42, n=1))})
    assert Formatter(made).lines(batch) == b"           w\xfe \xc3\xa9-42      [000] .....     1.000000: tick: n=1\n"
    assert made.comm(42) == "w\\xfe é"


def test_the_block_tracer_s_event(implementation: str) -> None:
    """It has no format; trace-cmd 3.4 shows the record behind user_stack's number as a task's pid, and its fields with -R."""
    stack = event_format("user_stack", 12, "unsigned int tgid; 8; 4; 0", system="ftrace")
    made = schema(stack, event_format("stand_in", 13, "u64 a; 16; 8; 0", "u64 b; 24; 8; 0", "u64 c; 32; 8; 0", "u64 d; 40; 8; 0"))
    fields = {"a": 19458, "b": 1703937 << 32 | 327680, "c": 7340032 << 32 | 226, "d": 1}
    writer = PageWriter(made)
    page = writer.page(SECOND, writer.event("stand_in", delta=0, pid=226, **fields))
    del made.formats[13]
    batch = decode(implementation, made, {0: page})
    assert Formatter(made, "trace-cmd").lines(batch).endswith(b": blktrace:             226\n")
    raw = (
        b"blktrace:              sector=19458 bytes=327680 action=1703937 pid=226 device=7340032 cpu=1 error=0 pdu_len=0 data=0\n"
    )
    assert Formatter(made, "trace-cmd", form="raw").lines(batch).endswith(raw)
    assert b": blktrace: sector=0x4c02 (19458) bytes=0x50000 (327680) " in Formatter(made).lines(batch)


def test_without_irq_info(implementation: str) -> None:
    """6.12's own columns with the option off."""
    made = ticking()
    writer = PageWriter(made)
    batch = decode(implementation, made, {0: writer.page(74 * SECOND, writer.event("tick", delta=0, pid=42, n=1))})
    formatter = Formatter(made, options=("noirq-info", "annotate"))
    assert formatter.lines(batch) == b"              sh-42      [000]     74.000000: tick: n=1\n"
    assert formatter.heading(1).decode().splitlines()[2:] == [
        "#           TASK-PID     CPU#     TIMESTAMP  FUNCTION",
        "#              | |         |         |         |",
    ]
