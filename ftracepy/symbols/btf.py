"""Types of the kernel from a BTF blob: found by name or number, each read when it is asked for (Documentation/bpf/btf.rst).

One pass notes where the 126,000 records of a distribution kernel begin, which takes 0.1 s; objects for all of them would
take seconds.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum

from ftracepy.errors import KernelCannot
from ftracepy.values import dataclass

VMLINUX = "/sys/kernel/btf/vmlinux"
_MAGIC = 0xEB9F
_WHAT = "cannot read the kernel's type information"


class Kind(IntEnum):
    """What a record describes (include/uapi/linux/btf.h); VOID has no record."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


_FIXED = {Kind.INT: 4, Kind.ARRAY: 12, Kind.VAR: 4, Kind.DECL_TAG: 4}
_PER_MEMBER = {Kind.STRUCT: 12, Kind.UNION: 12, Kind.ENUM: 8, Kind.FUNC_PROTO: 8, Kind.DATASEC: 12, Kind.ENUM64: 12}
_KINDS: dict[int, Kind] = {int(kind): kind for kind in Kind}
_ROW_BYTES = tuple(_PER_MEMBER.get(_KINDS.get(number, Kind.VOID), 0) for number in range(32))
_FIXED_BYTES = tuple(_FIXED.get(_KINDS.get(number, Kind.VOID), 0) for number in range(32))


@dataclass(frozen=True, slots=True)
class Type:
    """One type. `size` in bytes where the kind has one, `target` the number of the type it refers to, else 0.

    `count` is how many members, parameters or values it has, of an array its elements; `flag` the record's kind_flag.
    """

    number: int
    kind: Kind
    name: str
    count: int = 0
    flag: bool = False
    size: int = 0
    target: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct or union: `bits` is its width where it is a bit-field, else 0."""

    name: str
    type: int
    bit_offset: int
    bits: int = 0


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a function; a nameless one of type 0 stands for `...`."""

    name: str
    type: int


class Btf:
    """The types of one blob; with `base` those of a module, whose numbers go on where the kernel's end.

    Raises KernelCannot where the bytes are no BTF.
    """

    def __init__(self, data: bytes, base: Btf | None = None) -> None:
        self.order = "<" if checked(data)[:2] == b"\x9f\xeb" else ">"
        header_bytes, types, type_bytes, strings, string_bytes = struct.unpack_from(self.order + "5I", data, 4)
        self._base = base
        self._types = data[header_bytes + types : header_bytes + types + type_bytes]
        self._strings = data[header_bytes + strings : header_bytes + strings + string_bytes]
        self._first = base.end if base else 1
        self._first_string = base.end_of_strings if base else 0
        self._starts, self._names, self._infos = array("L"), array("L"), array("L")
        self._scan()

    @property
    def end(self) -> int:
        """One more than the last type's number."""
        return self._first + len(self._starts)

    @property
    def end_of_strings(self) -> int:
        return self._first_string + len(self._strings)

    def _scan(self) -> None:
        unpack, at, end = struct.Struct(self.order + "II").unpack_from, 0, len(self._types) - 12
        types, fixed, rows = self._types, _FIXED_BYTES, _ROW_BYTES
        starts, names, infos = self._starts.append, self._names.append, self._infos.append
        while at <= end:
            name, info = unpack(types, at)
            starts(at)
            names(name)
            infos(info)
            kind = info >> 24 & 0x1F
            at += 12 + fixed[kind] + rows[kind] * (info & 0xFFFF)

    def _text(self, offset: int) -> str:
        if offset < self._first_string and self._base:
            return self._base._text(offset)
        start = offset - self._first_string
        end = self._strings.find(b"\0", start)
        return self._strings[start : end if end >= 0 else None].decode("utf-8", "backslashreplace")

    def _offsets_of(self, name: str) -> Iterator[int]:
        """Every place where this very string starts, in the base's strings too; names then compare as numbers."""
        if self._base:
            yield from self._base._offsets_of(name)
        wanted, at = b"\0" + name.encode("utf-8", "surrogateescape") + b"\0", -1
        while (at := self._strings.find(wanted, at + 1)) >= 0:
            yield self._first_string + at + 1

    def type(self, number: int) -> Type:
        """The type of this number. Raises KernelCannot where there is none, which a sound blob never makes happen."""
        if number == 0:
            return Type(0, Kind.VOID, "void")
        if number < self._first and self._base:
            return self._base.type(number)
        index = number - self._first
        if not 0 <= index < len(self._starts) or (kind := _KINDS.get(self._infos[index] >> 24 & 0x1F)) is None:
            raise KernelCannot(_WHAT, why=f"it has no type {number}")
        info, at = self._infos[index], self._starts[index]
        (third,) = struct.unpack_from(self.order + "I", self._types, at + 8)
        name, flag, count = self._text(self._names[index]), bool(info >> 31), info & 0xFFFF
        if kind == Kind.ARRAY:
            target, _index, count = self._unpack("III", at + 12)
            return Type(number, kind, name, count, flag, 0, target)
        has_size = kind in (Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FLOAT, Kind.DATASEC)
        return Type(number, kind, name, count, flag, *((third, 0) if has_size else (0, third)))

    def _unpack(self, layout: str, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + layout, self._types, at)
        except struct.error:
            raise KernelCannot(_WHAT, why="it ends in the middle of a type") from None

    def _rows(self, one: Type, layout: str) -> Iterator[tuple[int, ...]]:
        """What follows a type's record, as many times as it has members."""
        if one.number < self._first and self._base:
            yield from self._base._rows(one, layout)
            return
        start, size = self._starts[one.number - self._first] + 12, struct.calcsize(self.order + layout)
        for at in range(start, start + one.count * size, size):
            yield self._unpack(layout, at)

    def int_encoding(self, one: Type) -> tuple[bool, int, int]:
        """Of an INT: whether it is signed, and the bit offset and width by which old BTF tells bit-fields."""
        if one.number < self._first and self._base:
            return self._base.int_encoding(one)
        (word,) = self._unpack("I", self._starts[one.number - self._first] + 12)
        return bool(word >> 24 & 1), word >> 16 & 0xFF, word & 0xFF

    def members(self, one: Type) -> Iterator[Member]:
        """The members of a struct or union in order, unnamed ones included."""
        for name, number, place in self._rows(one, "III"):
            if one.flag:
                yield Member(self._text(name), number, place & 0xFFFFFF, place >> 24)
            else:
                yield Member(self._text(name), number, place)

    def params(self, prototype: Type) -> Iterator[Param]:
        """The parameters of a FUNC_PROTO in order."""
        for name, number in self._rows(prototype, "II"):
            yield Param(self._text(name), number)

    def enumerators(self, one: Type) -> Iterator[tuple[str, int]]:
        """Names and values of an enum; the flag says that the values are signed."""
        if one.kind == Kind.ENUM64:
            for name, low, high in self._rows(one, "III"):
                value = high << 32 | low
                yield self._text(name), value - (1 << 64) if one.flag and value >> 63 else value
            return
        for name, value in self._rows(one, "Ii" if one.flag else "II"):
            yield self._text(name), value

    def find(self, name: str, *kinds: Kind) -> Type | None:
        """The first type of this name and one of these kinds, a module's own before the kernel's."""
        wanted = set(self._offsets_of(name))
        found = next(self._numbers(wanted, kinds), None)
        if found is not None:
            return self.type(found)
        return self._base.find(name, *kinds) if self._base else None

    def _numbers(self, names: Iterable[int], kinds: Sequence[Kind]) -> Iterator[int]:
        """Numbers of own types with one of these names and kinds, lowest first."""
        hits: list[int] = []
        for name in names:
            at = -1
            while True:
                try:
                    at = self._names.index(name, at + 1)
                except ValueError:
                    break
                if self._infos[at] >> 24 & 0x1F in kinds:
                    hits.append(self._first + at)
        yield from sorted(hits)

    def named(self, kind: Kind) -> Iterator[tuple[str, int]]:
        """Name and number of each own type of this kind, in the order of the blob."""
        for index, info in enumerate(self._infos):
            if info >> 24 & 0x1F == kind:
                yield self._text(self._names[index]), self._first + index

    def all_names(self, *kinds: Kind) -> Iterator[str]:
        """Every name that types of these kinds have, for patterns and near misses."""
        if self._base:
            yield from self._base.all_names(*kinds)
        yield from self.own_names(*kinds)

    def own_names(self, *kinds: Kind) -> Iterator[str]:
        """Those of a module's own types, without the kernel's below."""
        for name, info in zip(self._names, self._infos, strict=True):
            if info >> 24 & 0x1F in kinds and name:
                yield self._text(name)

    def per_cpu(self) -> frozenset[int]:
        """Numbers of the variables of which each CPU has its own."""
        section = self.find(".data..percpu", Kind.DATASEC)
        return frozenset(number for number, _offset, _size in self._rows(section, "III")) if section else frozenset()

    def structs(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """struct's name -> member's name -> byte offset; members of unnamed structs and unions count as the outer one's."""
        found: dict[str, dict[str, int]] = {}
        for name in names:
            for number in self._numbers(set(self._offsets_of(name)), (Kind.STRUCT,)):
                found.setdefault(name, {}).update(self._flat(self.type(number), 0))
        return found

    def _flat(self, one: Type, base: int) -> Iterator[tuple[str, int]]:
        for member in self.members(one):
            if member.name:
                yield member.name, base + member.bit_offset // 8
            elif (inner := self.type(member.type)).kind in (Kind.STRUCT, Kind.UNION):
                yield from self._flat(inner, base + member.bit_offset // 8)


def checked(data: bytes) -> bytes:
    """`data`; raises KernelCannot where it does not start as BTF does."""
    if len(data) < 24 or _MAGIC not in struct.unpack_from("<H", data) + struct.unpack_from(">H", data):
        raise KernelCannot(_WHAT, why="it does not start as BTF does")
    return data


def read(path: str | os.PathLike[str], base: Btf | None = None) -> Btf:
    """The blob in a file. Raises KernelCannot where it is missing or no BTF."""
    try:
        with open(path, "rb") as file:
            return Btf(file.read(), base)
    except OSError:
        raise KernelCannot(_WHAT, why=f"there is no {path}", hint="a kernel with CONFIG_DEBUG_INFO_BTF=y") from None


def running() -> bytes:
    """The running kernel's blob; b"" where it shows none."""
    try:
        with open(VMLINUX, "rb") as file:
            return file.read()
    except OSError:
        return b""


def member_offsets(members: Sequence[tuple[str, str]], path: str | os.PathLike[str] = VMLINUX) -> list[int]:
    """The byte offset of each (struct, member). Raises KernelCannot without BTF or where a member is missing."""
    found = read(path).structs([name for name, _ in members])
    try:
        return [found[name][member] for name, member in members]
    except KeyError as missing:
        raise KernelCannot("the kernel's types are other than expected", why=f"no {missing.args[0]} in BTF") from None
