"""The arguments that the function tracers record, in plain Python: what core/text_args.c does. Change this first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ftracepy.printfmt.arith import signed64

_HEAD_BYTES = 5


class ArgumentMachine(Protocol):
    """What the arguments are read and named with."""

    long_bytes: int
    arguments: dict[int, tuple[int, int]]
    prototypes: dict[int, bytes]

    def number(self, raw: bytes, at: int, size: int) -> int: ...


def function_of(machine: ArgumentMachine, id: int, raw: bytes) -> int | None:
    """The function whose arguments this record holds; None where it holds none."""
    places = machine.arguments.get(id)
    if places is None or len(raw) < places[1] + machine.long_bytes:
        return None
    return machine.number(raw, places[0], machine.long_bytes)


def arguments(machine: ArgumentMachine, id: int, raw: bytes) -> bytes:
    """name=value, …: as many as were recorded."""
    function = function_of(machine, id, raw)
    if function is None:
        return b""
    size, start = machine.long_bytes, machine.arguments[id][1]
    values = [machine.number(raw, at, size) for at in range(start, len(raw) - size + 1, size)]
    return b", ".join(_shown(machine.prototypes.get(function, b""), values))


def _shown(rows: bytes, values: list[int]) -> Iterator[bytes]:
    at = 0
    for conv, bits, shift, words, text in _rows(rows):
        if conv == "r":
            yield from (text + b"%x" % value for value in values)
            return
        if at >= len(values):
            yield b"..."
            return
        value = (values[at] >> shift) & (1 << bits) - 1
        if conv == "s":
            some = values[at : at + words]
            cut = b":..." if len(some) < words else b""
            yield text + b":".join(b"0x%x" % one for one in some) + cut + b"]"
            if cut:
                return
            at += words - 1
        else:
            yield text + (b"0x%x" % value if conv == "x" else b"%d" % signed64(value) if conv == "d" else b"")
        at += 1


def _rows(rows: bytes) -> Iterator[tuple[str, int, int, int, bytes]]:
    """Conversion, bits, shift, words and text of each row (printfmt/prototypes.py)."""
    at = 0
    while at + _HEAD_BYTES <= len(rows):
        conv, bits, shift, words, length = rows[at : at + _HEAD_BYTES]
        yield chr(conv), bits, shift, words, rows[at + _HEAD_BYTES : at + _HEAD_BYTES + length]
        at += _HEAD_BYTES + length
