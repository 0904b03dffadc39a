"""uprobe's rows from events and facts made by hand: texts out of words, stacks by maps that come later, and what is not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ftracepy.sidefacts import Kind
from ftracepy.symbols import words
from ftracepy.tools import kit
from tests.support.recorded import Recorded, kernel_format

IP = "unsigned long __probe_ip; 8; 8; 0"
WORK = kernel_format(
    "ftracepy_1_1", "work", 81, [IP, "u64 t[4]; 16; 32; 0", "u64 t__at; 48; 8; 0", "s32 n; 56; 4; 1", "u64 caller__at; 64; 8; 0"],
    '"(%lx) t={0x%Lx,0x%Lx,0x%Lx,0x%Lx} t__at=0x%Lx n=%d caller__at=0x%Lx", REC->__probe_ip, REC->t[0], REC->t[1], REC->t[2], '
    "REC->t[3], REC->t__at, REC->n, REC->caller__at",
)  # fmt: skip
OTHER = kernel_format("ftracepy_1_1", "path_kernel", 82, [IP], '"(%lx)", REC->__probe_ip')
USER_STACK = kernel_format("ftrace", "user_stack", 83, ["unsigned int tgid; 8; 4; 0", "unsigned long caller[8]; 16; 64; 0"], '""')
HEADER = {"ways": [{"what": "user stacks", "how": "frame pointers, at most 8 frames"}]}
PROBE = {
    "event": "work", "typed": "x:work", "kind": "p", "file": "/no/such/x", "identity": "00", "spots": [[0x1139, "work"]],
    "code": [[0x1000, 0x300]], "texts": {"t": "t__at"}, "arguments": ["t", "n"],
}  # fmt: skip
S = 1_000_000_000


def as_words(text: bytes) -> tuple[int, ...]:
    padded = text.ljust(32, b"\0")
    found = tuple(int.from_bytes(padded[at : at + 8], "little") for at in range(0, 32, 8))
    assert words.raw(found, "little") == padded
    return found


@pytest.fixture
def made() -> Recorded:
    return Recorded(WORK, OTHER, USER_STACK)


def hit(made: Recorded, ts: int, number: int = 1, text: bytes = b"odd\0", *, ip: int = 0x555500001139, **more: Any) -> None:
    values: Mapping[str, Any] = {
        "__probe_ip": ip,
        "t": as_words(text),
        "t__at": 1,
        "n": number,
        "caller__at": 0,
        "pid": 7,
        **more,
    }
    made.at(ts, "work", **values)


def told(made: Recorded, *, aide: bool = True) -> None:
    made.fact(1, Kind.HEADER, json.dumps(HEADER if aide else {}).encode())
    made.fact(2, Kind.USER_PROBE, json.dumps(PROBE).encode())


def maps(made: Recorded, ts: int, pid: int = 7, at: int = 0x555500001000) -> None:
    body = f"{at:x} {at + 0x1000:x} 1000 00 /no/such/x\n7f0000000000 7f0000001000 0 - [vdso]"
    made.fact_of(pid, ts, Kind.MAPS, body.encode())


def rows(made: Recorded, *, batch_events: int = 65536, **options: Any) -> list[Any]:
    loaded = kit.load("uprobe")
    asked = loaded.options(**options)
    return list(loaded.run(made.feed(batch_events=batch_events), asked))


def test_texts_stand_in_the_place_of_words(made: Recorded) -> None:
    told(made)
    hit(made, 10)
    hit(made, 20, 2, b"x" * 32)
    hit(made, 30, 3, b"", t__at=0)
    shown = [(row.fields["t"], row.fields["n"], row.text.partition(") ")[2]) for row in rows(made)]
    assert shown == [("odd", 1, 't="odd" n=1'), ("x" * 32, 2, f't="{"x" * 32}"... n=2'), (None, 3, "t=(fault) n=3")]
    assert set(rows(made)[0].fields) == {"__probe_ip", "t", "n"}


def test_other_probes_of_ours_are_not_shown_but_a_recording_without_facts_is(made: Recorded) -> None:
    told(made)
    hit(made, 10)
    made.at(11, "path_kernel", __probe_ip=1, pid=7)
    assert [row.event for row in rows(made)] == ["work"]
    bare = Recorded(WORK, OTHER, USER_STACK)
    hit(bare, 10)
    assert "t={0x646464" in rows(bare)[0].text or rows(bare)[0].event == "work"


@pytest.mark.parametrize("batch_events", [1, 65536])
def test_a_stack_waits_for_the_maps(made: Recorded, batch_events: int) -> None:
    told(made)
    hit(made, 10, caller__at=0x555500001164)
    made.at(11, "user_stack", pid=7, caller=(0x555500001139, 0x55550000118E, 0x7F0000000123, 0, 5))
    maps(made, 30)
    made.fact(40, Kind.CAUGHT_UP, b"maps")
    [row] = rows(made, stacks=True, batch_events=batch_events)
    assert row.stack == ["/no/such/x+0x1139", "/no/such/x+0x1164", "/no/such/x+0x118e", "[vdso] 0x7f0000000123"]


def test_maps_of_after_an_exec_are_not_believed(made: Recorded) -> None:
    """The probe's file lies elsewhere then; what follows from the place that was hit is still known."""
    told(made)
    hit(made, 10)
    made.at(11, "user_stack", pid=7, caller=(0x555500001139, 0x55550000118E, 0x7F0000000123, 0))
    maps(made, 30, at=0x666600001000)
    made.fact(40, Kind.CAUGHT_UP, b"maps")
    [row] = rows(made, stacks=True)
    assert row.stack == ["/no/such/x+0x1139", "/no/such/x+0x118e", "0x7f0000000123"]


def test_a_stack_nobody_explains_is_not_waited_for_longer_than_a_second(made: Recorded) -> None:
    told(made)
    hit(made, 10)
    made.at(11, "user_stack", pid=7, caller=(0x7F0000000123, 0))
    hit(made, 3 * S, 2)
    assert [(row.fields["n"], row.stack) for row in rows(made, stacks=True)] == [(1, ["0x7f0000000123"]), (2, None)]


def test_a_loss_leaves_a_hit_without_its_stack(made: Recorded) -> None:
    told(made)
    hit(made, 10)
    made.lose(3)
    made.at(30, "user_stack", pid=7, caller=(0x555500001139, 0))
    assert [row.stack for row in rows(made, stacks=True)] == [None]


def test_a_filter_holds_on_a_recording_made_without(made: Recorded) -> None:
    told(made)
    for number in range(5):
        hit(made, 10 + number, number, b"odd" if number % 2 else b"even")
    assert [row.fields["n"] for row in rows(made, filter="n >= 3")] == [3, 4]
    assert [row.fields["n"] for row in rows(made, filter='t == "odd"')] == [1, 3]
    assert [row.fields["n"] for row in rows(made, definition="x:work", filter="t=%si")] == [0, 1, 2, 3, 4]


def test_of_several_definitions_the_one_that_is_asked_for(made: Recorded) -> None:
    told(made)
    made.fact(3, Kind.USER_PROBE, json.dumps({**PROBE, "event": "path_kernel", "typed": "x:other", "texts": {}}).encode())
    hit(made, 10)
    made.at(11, "path_kernel", __probe_ip=1, pid=7)
    assert [row.event for row in rows(made)] == ["work", "path_kernel"]
    assert [row.event for row in rows(made, definition="x:work")] == ["work"]
    assert [row.event for row in rows(made, definition="never:recorded")] == ["work", "path_kernel"]


def test_damaged_facts_are_no_traceback(made: Recorded) -> None:
    for body in (b"", b"{", b"[]", b'{"event": 1}', b'{"event": "work", "spots": 3}', b"\xff"):
        made.fact(1, Kind.USER_PROBE, body)
    made.fact_of(7, 2, Kind.MAPS, b"x y z\n\xff\n1 2")
    hit(made, 10)
    assert len(rows(made, stacks=True)) == 1


def test_options_of_perf_tools_are_all_there() -> None:
    letters = {letter for spec in kit.load("uprobe").options.specs() for letter in spec.letters}
    assert {"-F", "-H", "-s", "-v", "-l", "-p", "-L", "-d"} <= letters
