"""Offsets of struct members in the running kernel, from /sys/kernel/btf/vmlinux (Documentation/bpf/btf.rst)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence

from ftracepy.errors import KernelCannot

VMLINUX = "/sys/kernel/btf/vmlinux"
_MAGIC = 0xEB9F
_INT, _ARRAY, _STRUCT, _UNION, _ENUM, _FUNC_PROTO, _VAR, _DATASEC, _DECL_TAG, _ENUM64 = 1, 3, 4, 5, 6, 13, 14, 15, 17, 19
_FIXED = {_INT: 4, _ARRAY: 12, _VAR: 4, _DECL_TAG: 4}
_PER_MEMBER = {_STRUCT: 12, _UNION: 12, _ENUM: 8, _FUNC_PROTO: 8, _DATASEC: 12, _ENUM64: 12}


class Btf:
    """The types of one BTF blob. Raises KernelCannot where the bytes are none."""

    def __init__(self, data: bytes) -> None:
        self._order = "<" if data[:2] == b"\x9f\xeb" else ">"
        if len(data) < 24 or struct.unpack_from(self._order + "H", data)[0] != _MAGIC:
            raise KernelCannot("cannot read the kernel's type information", why="it does not start as BTF does")
        header_bytes, types, type_bytes, strings, string_bytes = struct.unpack_from(self._order + "5I", data, 4)
        self._types = data[header_bytes + types : header_bytes + types + type_bytes]
        self._strings = data[header_bytes + strings : header_bytes + strings + string_bytes]
        self._starts = [0, *self._walk()]

    def _walk(self) -> Iterator[int]:
        """Where each type's record starts; the first type has number 1."""
        unpack, at, end = struct.Struct(self._order + "4xI").unpack_from, 0, len(self._types)
        while at + 12 <= end:
            yield at
            (info,) = unpack(self._types, at)
            kind = info >> 24 & 0x1F
            at += 12 + (_FIXED.get(kind) or _PER_MEMBER.get(kind, 0) * (info & 0xFFFF))

    def _name(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode()

    def _name_offsets(self, name: str) -> set[int]:
        """Every place in the string section where this very string starts; names can then be compared as numbers."""
        wanted, found, at = b"\0" + name.encode() + b"\0", set(), -1
        while (at := self._strings.find(wanted, at + 1)) >= 0:
            found.add(at + 1)
        return found

    def structs(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """struct's name -> member's name -> byte offset, for the structs asked for."""
        wanted = {offset: name for name in names for offset in self._name_offsets(name)}
        unpack = struct.Struct(self._order + "II").unpack_from
        found: dict[str, dict[str, int]] = {}
        for at in self._starts[1:]:
            name, info = unpack(self._types, at)
            if name in wanted and info >> 24 & 0x1F == _STRUCT:
                found.setdefault(wanted[name], {}).update(self._members(at, 0))
        return found

    def _members(self, at: int, base: int) -> Iterator[tuple[str, int]]:
        """(name, byte offset); the members of unnamed structs and unions count as the outer one's."""
        _, info, _ = struct.unpack_from(self._order + "III", self._types, at)
        mask = 0xFFFFFF if info >> 31 else 0xFFFFFFFF
        rows = self._types[at + 12 : at + 12 + 12 * (info & 0xFFFF)]
        for name, kind, bits in struct.iter_unpack(self._order + "III", rows):
            offset = base + (bits & mask) // 8
            if name:
                yield self._name(name), offset
            elif self._is_compound(kind):
                yield from self._members(self._starts[kind], offset)

    def _is_compound(self, number: int) -> bool:
        (info,) = struct.unpack_from(self._order + "4xI", self._types, self._starts[number])
        return info >> 24 & 0x1F in (_STRUCT, _UNION)


def member_offsets(members: Sequence[tuple[str, str]], path: str | os.PathLike[str] = VMLINUX) -> list[int]:
    """The byte offset of each (struct, member). Raises KernelCannot without BTF or where a member is missing."""
    try:
        with open(path, "rb") as file:
            btf = Btf(file.read())
    except OSError:
        what = "cannot read the kernel's type information"
        raise KernelCannot(what, why=f"there is no {path}", hint="a kernel with CONFIG_DEBUG_INFO_BTF=y") from None
    found = btf.structs([name for name, _ in members])
    try:
        return [found[name][member] for name, member in members]
    except KeyError as missing:
        raise KernelCannot("the kernel's types are other than expected", why=f"no {missing.args[0]} in BTF") from None
