"""The compact program a `print fmt` becomes: instructions, table entries and literal bytes, run by C or its twin.

An instruction is 24 bytes, in the running machine's byte order: op u16, size u8, flags u8, width i16,
precision i16, a u32, b u32, v i64. Expressions work on a small stack of 64-bit values; a reference to bytes
of the record is two of them, offset and length. Jumps only go forward, so every program ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

INSTRUCTION = struct.Struct("=HBBhhIIq")
ENTRY = struct.Struct("=QII")  # value, offset and length of its text in the literals
MAX_STACK = 64

LEFT, ZERO, PLUS, SPACE, ALT, SIGNED, REL, STAR = 1, 2, 4, 8, 16, 32, 64, 128


class Op(IntEnum):
    """What an instruction does; the numbers are the contract with core/text.h."""

    CONST = 1  # push v
    LOAD = 2  # push the size bytes at a
    INDEX = 3  # pop i, push element i (size bytes each) of the b bytes at a
    DYN_INDEX = 4  # pop i, push element i of the bytes that the location word at a names
    DYN_LEN = 5  # push the length that the location word at a gives
    TO = 6  # convert the top to an integer of size bytes
    NEG = 7
    INVERT = 8
    NOT = 9
    ADD = 10
    SUB = 11
    MUL = 12
    DIV = 13
    MOD = 14
    AND = 15
    OR = 16
    XOR = 17
    SHL = 18
    SHR = 19
    LT = 20
    LE = 21
    GT = 22
    GE = 23
    EQ = 24
    NE = 25
    BOTH = 26
    EITHER = 27
    JUMP_ZERO = 28  # pop; if zero skip a instructions
    JUMP = 29  # skip a instructions
    WIDTH = 30  # pop into the width register
    PRECISION = 31  # pop into the precision register
    REF = 32  # push reference to b bytes at a
    REF_LOC = 33  # push reference to what the location word at a names
    REF_REST = 34  # push reference to everything from a
    LIMIT = 35  # pop n, shorten the reference on top to n bytes
    TEXT = 40  # b bytes of literals at a
    NUMBER = 41  # pop; conversion b, size bytes of it
    FIELD_NUMBER = 42  # LOAD and NUMBER in one
    STRING = 43  # up to b bytes at a, to the NUL
    STRING_LOC = 44
    STRING_REST = 45
    STRING_REF = 46  # pop a reference
    OPEN = 47  # begin a piece of text
    CLOSE = 48  # end it: cut to precision, pad to width
    FLAGS = 49  # pop; b entries from a, delimiter v = offset << 32 | length
    SYMBOLIC = 50  # pop; b entries from a
    HEX = 51  # pop reference; bytes as %02x, separator b; ALT: before the first too
    ARRAY = 52  # pop count and reference; elements of size bytes: {0x1,0x2}
    SYMBOL = 53  # pop address; b: 0 name, 1 +offset, 2 +offset/size, 3 /-offset, 8 no module, 16 no small numbers; ALT: kernel's
    POINTER = 54  # pop; ALT: size bytes of zero-padded hex, as the kernel does
    MAC = 55  # pop reference; separator b
    IP4 = 56  # pop reference; b: 1 for leading zeros, 2 for reversed bytes
    IP6 = 57  # pop reference; b: 1 without colons, 2 compressed
    SOCKADDR = 58  # pop reference; b: 1 with port, 2 compressed, 4 with flow, 8 with scope
    UUID = 59  # pop reference; b: 1 little endian, 2 upper case
    BITMASK = 60  # pop reference; b: 1 as a list of ranges
    STRING_POINTER = 61  # pop address of a string known from printk_formats; b: behind a colon, or nothing
    # addresses of size bytes from a on, as a stack; b: 1 user's, 2 trace-cmd's; v: 1 +offset/size, 2 <address>, 4 what lies
    # there in the memory of the process whose number stands at v >> 8
    STACK = 62
    # pop reference; ARRAY[..], or b 1: text till one was not (3: zeros follow); b 2: quoted, 4: and cut; 5: text, or what of it
    # can be shown and its bytes
    RAW_FIELD = 63
    QUOTED_LOC = 64  # "text" of the location word at a, (fault) where empty
    BPRINT = 65  # run the program of the format whose address (size bytes) is at a, arguments from b
    NEXT = 66  # push the next argument of size bytes of a binary printk
    NEXT_STRING = 67  # print the next string argument of a binary printk
    CALL_INDENT = 68  # pop function and caller: spaces for how deep the caller stands among those its CPU called last
    LEARN_COMM = 69  # pop pid: up to b bytes at a are the name of that task where none was known
    ARGUMENTS = 71  # what the function was called with, in brackets; nothing where the record does not hold it
    LAST_TIME = 72  # pop; the event's time less that, as its line shows times
    BLOCK = 73  # the block tracer's record; b: 1 long words, 2 in the classic form, 4 laid out as since 6.19
    HEX_DUMP = 70  # pop reference; lines of size bytes (16 or 32), a per group; b: 1 with letters, 2 with offsets; v: prefix


class Instruction(NamedTuple):
    op: int
    size: int = 0
    flags: int = 0
    width: int = 0
    precision: int = -1
    a: int = 0
    b: int = 0
    v: int = 0


class Program(NamedTuple):
    """What C takes: three flat byte strings."""

    code: bytes
    entries: bytes
    literals: bytes


class Pool:
    """Literals and table entries of one program, each text stored once."""

    def __init__(self) -> None:
        self._literals = bytearray()
        self._where: dict[bytes, int] = {}
        self._entries = bytearray()
        self._tables: dict[tuple[tuple[int, bytes], ...], int] = {}

    def literal(self, text: bytes) -> int:
        """The offset of `text`."""
        if text not in self._where:
            self._where[text] = len(self._literals)
            self._literals += text
        return self._where[text]

    def table(self, rows: Iterable[tuple[int, bytes]]) -> tuple[int, int]:
        """First entry and number of entries of a table of values and names."""
        key = tuple(rows)
        if key not in self._tables:
            self._tables[key] = len(self._entries) // ENTRY.size
            for value, text in key:
                self._entries += ENTRY.pack(value & (1 << 64) - 1, self.literal(text), len(text))
        return self._tables[key], len(key)

    def text(self, text: bytes) -> list[Instruction]:
        """Instructions that print `text`."""
        return [Instruction(Op.TEXT, a=self.literal(text), b=len(text))] if text else []

    def program(self, code: Iterable[Instruction]) -> Program:
        packed = b"".join(INSTRUCTION.pack(*one) for one in self._merged(list(code)))
        return Program(packed, bytes(self._entries), bytes(self._literals))

    def _merged(self, code: list[Instruction]) -> list[Instruction]:
        """Join neighbouring literals where no jump can tell the difference."""
        if any(one.op in {Op.JUMP, Op.JUMP_ZERO} for one in code):
            return code
        done: list[Instruction] = []
        for one in code:
            if one.op == Op.TEXT and done and done[-1].op == Op.TEXT:
                joined = self._slice(done.pop()) + self._slice(one)
                one = self.text(joined)[0]
            done.append(one)
        return done

    def _slice(self, one: Instruction) -> bytes:
        return bytes(self._literals[one.a : one.a + one.b])
