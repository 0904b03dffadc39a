"""What scripts/fuzz found: each fault under its name."""

from __future__ import annotations

from ftracepy.printfmt import Target, compile_for
from ftracepy.schema import parse_event_format
from tests.support.textmachines import event, machines, show


def test_a_chain_of_operators_is_no_deeper_than_the_stack() -> None:
    one = event(f'"%d", {"1 + " * 20_000}REC->x', "int x@8:4s")
    assert "x=7 (0x7)" in show(one, b"\x07\0\0\0") or "x=0x7 (7)" in show(one, b"\x07\0\0\0")


def test_of_two_like_arrays_the_one_that_held_no_text_is_shown_as_numbers_from_then_on() -> None:
    one = event("no string", "char first[4]@8:4", "char second[4]@12:4")
    found = []
    for machine in machines():
        machine.add(1, b"one", *compile_for(one, Target("trace-cmd")))
        found.append([machine.text(1, b"\x01\0\0\0\x2a\0\0\0" + data) for data in (b"abc\0\xff\xff\xff\xff", b"abc\0def\0")])
    assert found[0] == found[-1]
    assert found[0][1] is not None
    assert b"first=abc second=ARRAY[64, 65, 66, 00]" in found[0][1]


def test_a_place_that_no_record_reaches_is_no_field() -> None:
    field = "field:int far[3];\toffset:4294967290;\tsize:4294967295;\tsigned:1;"
    text = f'name: x\nID: 1\nformat:\n\t{field}\n\nprint fmt: "%d", REC->far[2]\n'
    one = parse_event_format(text, "test")
    assert one.fields == ()
    assert compile_for(one, Target("kernel"))
