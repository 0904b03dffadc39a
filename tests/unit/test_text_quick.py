"""The C's own forms of common instructions: the same text as the twin's for every size, edge, length of literal and record."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from ftracepy.printfmt import compile_for
from ftracepy.printfmt.target import Style, Target
from tests.support.textmachines import event, machines

EDGES = (0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 99_999, 10**8 - 1, 10**8, 2**31, 10**16, 2**63, 10**19)
SIZES = {1: "hh", 2: "h", 4: "", 8: "ll"}
COMMON = b"\x01\x00\x00\x00\x2a\x00\x00\x00"


def texts(print_fmt: str, fields: list[str], payloads: list[bytes], style: Style = "kernel", *, big: bool = False) -> list[bytes]:
    """Each payload's text as every machine makes it; they must agree."""
    form = event(print_fmt, *fields)
    target = Target(style, big_endian=big)
    made: list[list[bytes]] = []
    for machine in machines(kernel=target.exact, big_endian=big):
        machine.add(1, form.name.encode(), *compile_for(form, target))
        made.append([machine.text(1, COMMON + payload) for payload in payloads])
    for left, right in pairwise(made):
        assert [pair for pair in zip(left, right, payloads, strict=True) if pair[0] != pair[1]][:3] == []
    return made[0]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("conversion", ["d", "u", "x", "02x", "08x", "016x", "3d", "03d", "-6d", "#x", "X"])
def test_numbers(conversion: str, size: int, big: bool) -> None:
    spec = conversion[:-1] + SIZES[size] + conversion[-1]
    fields = [f"s64 n@8:{size}s" if conversion.endswith("d") else f"u64 n@8:{size}"]
    most = 2 ** (size * 8) - 1
    values = sorted({value & most for edge in EDGES for value in (edge, edge - 1, -edge)})
    payloads = [value.to_bytes(size, "big" if big else "little") for value in values]
    shown = texts(f'"%{spec}", REC->n', fields, payloads, big=big)
    signed = conversion.endswith("d")
    plain = [value - most - 1 if signed and value > most // 2 else value for value in values]
    assert shown == [(f"%{conversion}" % value).encode() for value in plain]


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 32, 33, 64, 65, 200])
def test_literals_of_every_length_before_a_number(length: int) -> None:
    literal = "abcdefghij" * 21
    shown = texts(f'"{literal[:length]}%d{literal[:length]}%x.", REC->n, REC->n', ["int n@8:4s"], [b"\x0a\0\0\0"])
    assert shown == [f"{literal[:length]}10{literal[:length]}a.".encode()]


def test_a_record_that_ends_anywhere() -> None:
    fields = ["char comm[16]@8:16", "u8 a@24:1", "u16 b@26:2", "int c@28:4s", "u64 d@32:8", "char wide[20]@40:20"]
    payload = b"sixteen-letters-\x7f\0" + bytes(range(200, 234)) + b"tail"
    cut = [payload[:length] for length in range(len(payload) + 1)]
    shown = texts('"%s|%d|%u|%d|%llx|%s", REC->comm, REC->a, REC->b, REC->c, REC->d, REC->wide', fields, cut)
    assert shown[0] == b"|0|0|0|0|"
    assert shown[7] == b"sixteen|0|0|0|0|"
    assert shown[16] == b"sixteen-letters-|0|0|0|0|"
    named = [b"\0" * 16, b"a\0bcdefghijklmno", b"abcdefghijklmno\0"]
    assert [text.partition(b"|")[0] for text in texts('"%s|", REC->comm', fields, named)] == [b"", b"a", b"abcdefghijklmno"]


def test_a_choice_by_the_bits_of_a_field() -> None:
    choice = '"%s|%d", (REC->state & 3) ? __print_flags(REC->state & 3, "|", { 1, "S" }, { 2, "D" }) : "R", REC->n'
    payloads = [state.to_bytes(8, "little") + b"\x07\0\0\0" for state in (0, 1, 2, 3, 4, 2**63)]
    shown = texts(choice, ["long state@8:8s", "int n@16:4s"], [*payloads, b"\x01"])
    assert shown == [b"R|7", b"S|7", b"D|7", b"S|D|7", b"R|7", b"R|7", b"R|0"]


def test_mixed_programs() -> None:
    """Programs put together by chance, on payloads of chance."""
    chance = random.Random(20261123)
    fields = [
        "char comm[16]@8:16",
        "u8 a@24:1",
        "s8 b@25:1s",
        "u16 c@26:2",
        "s16 d@28:2s",
        "u32 e@32:4",
        "int f@36:4s",
        "u64 g@40:8",
        "s64 h@48:8s",
    ]
    parts = [
        '%s", REC->comm', '%d", REC->a', '%d", REC->b', '%u", REC->c', '%hd", REC->d', '%x", REC->e', '%d", REC->f',
        '%08x", REC->f', '%llx", REC->g', '%lld", REC->h', '%5lld", REC->h', '%-20s", REC->comm', '%lu", REC->g & 0xff',
        '%c", REC->a % 26 + 65',
    ]  # fmt: skip
    payloads = [chance.randbytes(chance.choice([48, 48, 48, 20, 33])) for _ in range(40)]
    for _ in range(60):
        chosen = [part.split('", ') for part in chance.choices(parts, k=chance.randint(1, 9))]
        between = [chance.choice([" ", ", ", "=", " some longer literal of more than one piece "]) for _ in chosen]
        template = "".join(text + spec for text, (spec, _) in zip(between, chosen, strict=True))
        texts(
            f'"{template}", {", ".join(argument for _, argument in chosen)}',
            fields,
            payloads,
            chance.choice(["kernel", "trace-cmd"]),
        )
