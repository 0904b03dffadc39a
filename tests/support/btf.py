"""Writes BTF blobs from what they mean (Documentation/bpf/btf.rst), so that a test shows types and not hex."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from ftracepy.symbols.btf import Kind

Member = tuple[str, int, int] | tuple[str, int, int, int]  # name, type, bit offset, width where it is a bit-field


class BtfWriter:
    """Each method adds a type and returns its number; `base` makes it a module's blob on top of another."""

    def __init__(self, base: BtfWriter | None = None, order: str = "<") -> None:
        self._order = order
        self._types = b""
        self._strings = b"" if base else b"\0"
        self._first_string: int = base._first_string + len(base._strings) if base else 0
        self._next: int = base._next if base else 1
        self._base = base

    def _text(self, name: str) -> int:
        if not name:
            return 0
        at = self._first_string + len(self._strings)
        self._strings += name.encode() + b"\0"
        return at

    def _add(self, kind: Kind, name: str, count: int, third: int, rest: bytes = b"", flag: bool = False) -> int:
        info = count | kind << 24 | flag << 31
        self._types += struct.pack(self._order + "III", self._text(name), info, third) + rest
        self._next += 1
        return self._next - 1

    def _rows(self, layout: str, rows: Sequence[Sequence[int]]) -> bytes:
        return b"".join(struct.pack(self._order + layout, *row) for row in rows)

    def integer(self, name: str, size: int, *, signed: bool = False, bits: int = 0, offset: int = 0) -> int:
        return self._add(
            Kind.INT, name, 0, size, struct.pack(self._order + "I", signed << 24 | offset << 16 | (bits or size * 8))
        )

    def to(self, kind: Kind, target: int, name: str = "") -> int:
        """A pointer, typedef, qualifier or tag."""
        return self._add(kind, name, 0, target)

    def ptr(self, target: int) -> int:
        return self.to(Kind.PTR, target)

    def array(self, element: int, count: int, index: int = 0) -> int:
        return self._add(Kind.ARRAY, "", 0, 0, self._rows("III", [(element, index, count)]))

    def record(self, name: str, size: int, *members: Member, kind: Kind = Kind.STRUCT) -> int:
        flag = any(len(one) == 4 for one in members)
        rows = [(self._text(one[0]), one[1], one[2] | (one[3] << 24 if len(one) == 4 else 0)) for one in members]
        return self._add(kind, name, len(rows), size, self._rows("III", rows), flag)

    def enum(self, name: str, values: Mapping[str, int], *, size: int = 4, signed: bool = False) -> int:
        if size == 8:
            split = [(self._text(one), value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF) for one, value in values.items()]
            return self._add(Kind.ENUM64, name, len(values), size, self._rows("III", split), signed)
        rows = [(self._text(one), value & 0xFFFFFFFF) for one, value in values.items()]
        return self._add(Kind.ENUM, name, len(values), size, self._rows("II", rows), signed)

    def function(self, name: str, returns: int, *params: tuple[str, int]) -> int:
        rows = [(self._text(called), number) for called, number in params]
        prototype = self._add(Kind.FUNC_PROTO, "", len(rows), returns, self._rows("II", rows))
        return self._add(Kind.FUNC, name, 1, prototype) if name else prototype

    def variable(self, name: str, type_: int) -> int:
        return self._add(Kind.VAR, name, 0, type_, struct.pack(self._order + "I", 1))

    def section(self, name: str, *variables: int) -> int:
        return self._add(Kind.DATASEC, name, len(variables), 0, self._rows("III", [(one, 0, 8) for one in variables]))

    def blob(self) -> bytes:
        types, strings = self._types, self._strings
        return struct.pack(self._order + "HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings
