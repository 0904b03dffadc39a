"""Format texts changed by tokens, numbers and depth: each compiles or falls back, to the same bounded text in C and twin."""

from __future__ import annotations

import os
import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from random import Random

import pytest

from ftracepy import recording
from ftracepy.printfmt import Target, compile_for
from ftracepy.printfmt.lexer import Token, tokens
from ftracepy.printfmt.nodes import PrintFmtFault
from ftracepy.schema import EventFormat, FormatFault, parse_event_format
from tests.support.corpus import ROOT
from tests.support.textmachines import event, machines

ROUNDS = int(os.environ.get("FTRACEPY_FUZZ_ROUNDS", "40"))
SEED = os.environ.get("FTRACEPY_FUZZ_SEED", "")
_NUMBERS = ("0", "1", "2147483647", "4294967295", "0xffffffffffffffff", "-1", "64", "99999999999999999999999")
_MOST_TEXT_BYTES = 1 << 20
_MOST_MEMORY_BYTES = 64 << 20
_TARGETS = (
    Target("kernel"), Target("trace-cmd"), Target("kernel", form="raw"), Target("trace-cmd", form="raw"),
    Target("trace-cmd", form="latency"), Target("kernel", big_endian=True, long_bytes=4),
)  # fmt: skip
_FILES = [
    path for path in sorted(ROOT.glob("dat/*/*.dat")) if path.name.startswith(("all", "mod_", "fmt_v7_none", "probe", "block"))
]

pytestmark = pytest.mark.skipif(not _FILES, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)")


@cache
def samples() -> list[EventFormat]:
    """Events of unlike print fmts, from several kernels."""
    found: dict[str, EventFormat] = {}
    for path in _FILES:
        for one in recording.open(path).schema.formats.values():
            found.setdefault(re.sub(r"\w+", "w", one.print_fmt), one)
    return list(found.values())


@cache
def words() -> list[str]:
    return sorted({token.text for one in islice(samples(), 300) for token in _tokens(one.print_fmt)})


def _tokens(print_fmt: str) -> list[Token]:
    with suppress(PrintFmtFault):
        return [*tokens(print_fmt)]
    return []


def damaged_fmt(print_fmt: str, dice: Random) -> str:
    """The print fmt with a few tokens left out, doubled, put elsewhere, taken from others, made extreme or deep."""
    parts = [token.text for token in _tokens(print_fmt)] or [print_fmt]
    for _ in range(dice.choice([1, 1, 2, 4, 8])):
        at, other = dice.randrange(len(parts)), dice.randrange(len(parts))
        match dice.randrange(8):
            case 0:
                parts[at : at + dice.randrange(1, 4)] = []
            case 1:
                parts[at:at] = parts[other : other + dice.randrange(1, 30)]
            case 2:
                parts[at], parts[other] = parts[other], parts[at]
            case 3:
                parts[at] = dice.choice(words())
            case 4:
                parts[at] = dice.choice(_NUMBERS)
            case 5:
                depth = dice.choice([2, 30, 3000])
                parts[at : at + 1] = [dice.choice(["(", "-", "~", "!", "(u8)"]) * depth, parts[at], ")" * dice.choice([0, depth])]
            case 6:
                parts[at] = parts[at].replace("%", dice.choice(["%*", "%.*", "%99999999", "%.99999999", "%-", "%ll", "%p", "%"]))
            case _:
                parts[at] = parts[at][: dice.randrange(len(parts[at]) + 1)]
        parts = parts or [""]
    return " ".join(parts)


def damaged_fields(text: str, dice: Random) -> str:
    """The field lines with a place or a size that lies or is not there."""
    numbers = [*re.finditer(r"(?:offset|size|signed):(-?\d+)", text)]
    if numbers and dice.random() < 0.5:
        one = dice.choice(numbers)
        text = text[: one.start(1)] + dice.choice(_NUMBERS) + text[one.end(1) :]
    return text


def damaged(one: EventFormat, seed: str) -> EventFormat | None:
    dice = Random(seed)
    head, _, print_fmt = one.text.partition("print fmt: ")
    text = f"{damaged_fields(head, dice)}print fmt: {damaged_fmt(print_fmt, dice)}"
    try:
        made = parse_event_format(text, one.system)
        assert made.fields is not None
    except FormatFault:
        return None
    return made


@contextmanager
def bounded() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < _MOST_MEMORY_BYTES
    finally:
        tracemalloc.stop()


def payloads(dice: Random) -> Iterator[bytes]:
    for size in (0, 3, 40, dice.randrange(400)):
        yield dice.choice([dice.randbytes(size), bytes(size), b"\xff" * size, b"%s%n\x00\x04\x00\x00"[:size].ljust(size, b"A")])


def same_text(one: EventFormat, target: Target, dice: Random) -> None:
    """Both machines say the same of each record, and not too much."""
    program = compile_for(one, target)
    found = machines(kernel=target.exact, big_endian=target.big_endian, long_bytes=target.long_bytes)
    for machine in found:
        machine.add(1, one.name.encode("utf-8", "surrogateescape"), *program)
    for payload in payloads(dice):
        raw = b"\x01\x00\x00\x00\x2a\x00\x00\x00" + payload
        texts = {machine.text(1, raw) for machine in found}
        assert len(texts) == 1, (one.text, target, raw)
        assert len(texts.pop() or b"") < _MOST_TEXT_BYTES, (one.text, target, raw)


@pytest.mark.parametrize("part", range(8))
def test_a_changed_format_is_compiled_or_falls_back(part: int) -> None:
    chosen = samples()[part::8]
    made = 0
    for number in range(ROUNDS * 5):
        one = chosen[number % len(chosen)]
        seed = f"{SEED} {part} {number}"
        with bounded():
            changed = damaged(one, seed)
            if changed is not None:
                made += 1
                same_text(changed, _TARGETS[number % len(_TARGETS)], Random(seed))
    assert made > ROUNDS


@pytest.mark.parametrize("opening", ["(", "-", "~", "!", "(int)", "a ? b : ", "a[", "1 + ", "f("])
def test_no_depth_is_too_deep(opening: str) -> None:
    for depth in (100, 10_000, 200_000):
        one = event(f'"%d", {opening * depth}REC->x', "int x@8:4s")
        same_text(one, Target("kernel"), Random(depth))
