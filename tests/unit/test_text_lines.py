"""Whole lines: the columns before an event's text in both styles, and lost events in their place."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ftracepy.schema import Schema, TimeScale, parse_cmdlines, parse_event_format, parse_tgids
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
    made.uname = "Linux vm 6.1.0 x86_64"
    assert Formatter(made).lines(batch).endswith(b":   7,0    Q  WS 19458 + 640 [<...>]\n")


_GROUPED = 1 << 8
_BLOCK_LINES = (
    # action, bytes, error, what belongs to it, as blktrace.c shows it: remap and split have big-endian numbers
    (0x10001 | 1 << 20, 4096, 0, b"", "  Q   R 264 + 8 [dd]"),
    (0x20007, 4096, 0, b"", "  D   W 264 + 8 [dd]"),
    (0x80020008, 512, 5, b"", "  C  WF 264 + 1 [5]"),
    (0x40000008, 0, 65531, b"", "  C   N 264 [65531]"),
    (0x1A000007, 36, 0, b"\x12\0\0\0\x24\0\0\0", "  D RAM 36 (12 00 00 00 24 00 ..) [dd]"),
    (0x02000008, 36, 1, b"\x12\x34", "  C   R (12 34) [1]"),
    (0x00000009, 0, 0, b"", "  P   N [dd]"),
    (0x0000000A, 0, 0, (7).to_bytes(8, "big"), "  U   N [dd] 7"),
    (0x0000000B, 0, 0, (7).to_bytes(8, "big"), " UT   N [dd] 7"),
    (0x2002000D, 1024, 0, (300).to_bytes(8, "big"), "  X   D 264 / 300 [dd]"),
    (0x0001000F, 1024, 0, (8 << 20 | 3).to_bytes(4, "big") + b"\0\0\0\x01" + (99).to_bytes(8, "big"),
     "  A   R 264 + 2 <- (8,3) 99"),
    (0x04000002, 0, 0, b"hello", "  m   N hello"),
    (0x000E0001 | _GROUPED, 4096, 0, (1 << 32 | 0x2A).to_bytes(8, "little"), " 2a,1  Q FWS 264 + 8 [dd]"),
    (0x04000002 | _GROUPED, 0, 0, (0x2A).to_bytes(8, "little") + b"hi", " 2a,0  m   N hi"),
    (0x00000077, 0, 0, b"", "Unknown action 77"),
)  # fmt: skip


def test_the_block_tracer_s_text(implementation: str) -> None:
    """kernel/trace/blktrace.c, print_one_line; in a cgroup its number stands before what belongs to the action."""
    stack = event_format("user_stack", 12, "unsigned int tgid; 8; 4; 0", system="ftrace")
    fields = ("u64 sector; 16; 8; 0", "u64 sizes; 24; 8; 0", "u64 where; 32; 8; 0", "u64 rest; 40; 8; 0", "u8 pdu[]; 48; 0; 0")
    made = schema(stack, event_format("stand_in", 13, *fields))
    made.cmdlines, made.uname = {42: "dd"}, "Linux vm 6.12.0 x86_64"
    writer = PageWriter(made)
    events = [
        writer.event(
            "stand_in", delta=0, pid=42, sector=264, sizes=action << 32 | size, where=(259 << 20) << 32,
            rest=len(pdu) << 48 | error << 32, pdu=pdu,
        )
        for action, size, error, pdu, _ in _BLOCK_LINES
    ]  # fmt: skip
    page = writer.page(SECOND, *events)
    del made.formats[13]
    batch = decode(implementation, made, {0: page})
    lines = Formatter(made).lines(batch).decode().splitlines()
    wanted = [text if text.startswith("Unknown") else f"259,0  {text}" for *_, text in _BLOCK_LINES]
    assert [line.split(": ", 1)[1] for line in lines] == wanted
    classic = Formatter(made, options=("blk_classic", "nocontext-info")).lines(batch).decode().splitlines()
    assert classic[0] == "259,0    0     1.000000000    42  Q   R 264 + 8 [dd]"
    words = Formatter(made, options=("verbose",)).lines(batch).decode().splitlines()
    assert [words[at].split()[5] for at in (0, 6, 11)] == ["queue", "plug", "message"]


def test_the_block_tracer_s_text_since_6_19(implementation: str) -> None:
    """struct blk_io_trace2: a wide action behind the pid, and room behind the lengths."""
    stack = event_format("user_stack", 12, "unsigned int tgid; 8; 4; 0", system="ftrace")
    fields = ("u64 sector; 16; 8; 0", "u64 sizes; 24; 8; 0", "u64 action; 32; 8; 0", "u64 where; 40; 8; 0",
              "u64 rest; 48; 8; 0", "u64 pad; 56; 8; 0", "u8 pdu[]; 64; 0; 0")  # fmt: skip
    made = schema(stack, event_format("stand_in", 13, *fields))
    made.cmdlines, made.uname = {42: "dd"}, "Linux vm 7.2.0 x86_64"
    writer, group = PageWriter(made), (0x2A).to_bytes(8, "little")
    rows = (
        (0x1A0001 | _GROUPED, 4096, 0, group, "2a,0  Q  WS 264 + 8 [dd]"),
        (0x00020008, 512, 5, b"", " C   W 264 + 1 [5]"),
        (0x00100012, 0, 0, b"", "ZP   N [dd]"),
        (0x00100013, 0, 0, (3).to_bytes(8, "big"), "ZU   N [dd] 3"),
        (0x00000010, 0, 0, b"", "Unknown action 10"),
    )
    events = [
        writer.event(
            "stand_in", delta=0, pid=42, sector=264, sizes=size, action=action, where=259 << 20, rest=len(pdu) << 16 | error,
            pdu=pdu,
        )
        for action, size, error, pdu, _ in rows
    ]  # fmt: skip
    page = writer.page(SECOND, *events)
    del made.formats[13]
    lines = Formatter(made).lines(decode(implementation, made, {0: page})).decode().splitlines()
    wanted = [text if text.startswith("Unknown") else f"259,0   {text}" for *_, text in rows]
    assert [line.split(": ", 1)[1] for line in lines] == wanted


def test_repeated_functions(implementation: str) -> None:
    """trace_output.c, trace_func_repeats_print, and plugin_function.c: when the last of them was."""
    fields = ("unsigned long ip; 8; 8; 0", "unsigned long parent_ip; 16; 8; 0", "u16 count; 24; 2; 0",
              "u16 top_delta_ts; 26; 2; 0", "u32 bottom_delta_ts; 28; 4; 0")  # fmt: skip
    made = schema(event_format("func_repeats", 1, *fields, system="ftrace"))
    made.kallsyms = "0000000000001000 T work\n0000000000002000 T caller\n0000000000003000 T _etext\n"
    writer = PageWriter(made)
    event = writer.event(
        "func_repeats", delta=0, pid=42, ip=0x1000, parent_ip=0x2010, count=20, top_delta_ts=1, bottom_delta_ts=5000
    )
    batch = decode(implementation, made, {0: writer.page(7 * SECOND, event)})
    last = f"{(7 * SECOND - (1 << 32) - 5000 + 500) // 1000 / 1e6:.6f}"
    assert Formatter(made).lines(batch).decode().endswith(f"     7.000000: work <-caller (repeats: 20, last_ts:     {last})\n")
    theirs = Formatter(made, "trace-cmd", form="latency").lines(batch).decode()
    assert theirs.endswith(f": func_repeats:         work (count: 20  last_ts:     {last})\n")


def test_columns_that_options_bring_and_take(implementation: str) -> None:
    """trace_output.c, trace_print_context, and trace.c, print_func_help_header_irq."""
    made = ticking(cmdlines={42: "w"}, tgids=parse_tgids("42 40\n"))
    writer = PageWriter(made)
    pids = (42, 0, 43)
    batch = decode(implementation, made, {0: writer.page(SECOND, *(writer.event("tick", delta=0, pid=pid, n=1) for pid in pids))})
    made_with = Formatter(made, options=("record-tgid",))
    assert made_with.lines(batch).decode().splitlines() == [
        "               w-42      (     40) [000] .....     1.000000: tick: n=1",
        "          <idle>-0       (-------) [000] .....     1.000000: tick: n=1",
        "           <...>-43      (-------) [000] .....     1.000000: tick: n=1",
    ]
    assert made_with.heading(1).decode().splitlines()[-2:] == [
        "#           TASK-PID       TGID    CPU#  |||||  TIMESTAMP  FUNCTION",
        "#              | |           |       |   |||||     |         |",
    ]
    bare = Formatter(made, options=("nocontext-info",))
    assert (bare.heading(1), bare.lines(batch)) == (b"", b"tick: n=1\n" * 3)


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


def test_fields_of_texts_since_6_19(implementation: str) -> None:
    """7.2's option `fields`: what is no ASCII is a dot, and all bytes follow; the NUL alone does not count."""
    made = schema(event_format("said", 7, "__data_loc char[] what; 8; 4; 1"))
    writer = PageWriter(made)
    texts = (b"plain\0", "f é.txt\0".encode(), b"two\nlines", b"")
    events = [writer.event("said", delta=0, what=text) for text in texts]
    batch = decode(implementation, made, {0: writer.page(SECOND, *events)})
    made.uname = "Linux vm 7.2.0 x86_64"
    shown = [line.split(": said: ")[1] for line in Formatter(made, form="raw").lines(batch).decode().splitlines()]
    dots = "what=f ...txt. (66:20:c3:a9:2e:74:78:74:00)"
    assert shown == ["what=plain", dots, "what=two.lines (74:77:6f:0a:6c:69:6e:65:73)", "what="]
    made.uname = "Linux vm 6.18.0 x86_64"
    assert "what=f é.txt\n" in Formatter(made, form="raw").lines(batch).decode()
