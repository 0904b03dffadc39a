"""Symbols of an ELF file that are code: names, versions, kinds, addresses (gabi 4+, symbol table; LSB 5.0, versions)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ftracepy.symbols import sections
from ftracepy.symbols.elf import EM_AARCH64, Elf
from ftracepy.symbols.sections import SHT_DYNSYM, SHT_GNU_VERDEF, SHT_GNU_VERSYM, SHT_SYMTAB, Section
from ftracepy.values import dataclass

_NOTYPE, _FUNC, _GNU_IFUNC, _LOCAL = 0, 2, 10, 0
_SHF_EXECINSTR = 4
_HIDDEN, _FIRST_NAMED = 0x8000, 2
_KINDS = {_FUNC: "function", _GNU_IFUNC: "resolver", _NOTYPE: "label"}


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for a place in the code.

    `kind` is function, label (no type: written in assembler) or resolver (STT_GNU_IFUNC: it runs once and chooses the
    function that calls will reach, it is not that function). `version` is the symbol version, `hidden` says that only old
    programs link to it. `address` is the one in the file, `size` 0 where it is not told.
    """

    name: str
    address: int
    size: int
    kind: str = "function"
    version: str = ""
    hidden: bool = False
    local: bool = False

    @property
    def full_name(self) -> str:
        """As nm shows it: name@VERSION, or name@@VERSION for the one that new programs get."""
        return f"{self.name}{'@' if self.hidden else '@@'}{self.version}" if self.version else self.name


def code(elf: Elf) -> list[Symbol]:
    """Every symbol of .symtab and .dynsym that is defined in executable sections, each once, in no order."""
    heads = sections.sections(elf)
    found: dict[tuple[str, int, str], Symbol] = {}
    for table in heads:
        if table.kind in (SHT_SYMTAB, SHT_DYNSYM) and table.link < len(heads):
            for one in _of_table(elf, heads, table):
                found.setdefault((one.name, one.address, one.version), one)
    versioned = {(one.name, one.address) for one in found.values() if one.version}
    return [one for one in found.values() if one.version or (one.name, one.address) not in versioned]


def _of_table(elf: Elf, heads: list[Section], table: Section) -> Iterator[Symbol]:
    """A symbol of a file of debug information alone lies in a section that has no bytes: its flags still tell code."""
    names = sections.content(elf, heads[table.link])
    layout = struct.Struct(elf.order + ("IBBHQQ" if elf.is_64 else "IIIBBH"))
    data = sections.content(elf, table)
    versions = _versions(elf, heads) if table.kind == SHT_DYNSYM else []
    runnable = {one.index for one in heads if one.flags & _SHF_EXECINSTR}
    for at, raw in enumerate(layout.iter_unpack(data[: len(data) // layout.size * layout.size])):
        name, info, section, address, size = (raw[0], raw[1], *raw[3:]) if elf.is_64 else (raw[0], raw[3], raw[5], *raw[1:3])
        if info & 15 in _KINDS and section in runnable and name:
            text = sections.string(names, name)
            if not _is_mark(text, elf):
                yield _symbol(text, address, size, info, versions[at] if at < len(versions) else ("", False))


def _is_mark(name: str, elf: Elf) -> bool:
    """Mapping symbols mark data in arm code (ELF for the Arm 64-bit architecture, 5.5.5); others name nothing."""
    return not name or (elf.machine == EM_AARCH64 and name.startswith("$"))


def _symbol(text: str, address: int, size: int, info: int, version: tuple[str, bool]) -> Symbol:
    """In .symtab the version is part of the name."""
    name, at, rest = text.partition("@")
    if at and name:
        version = rest.lstrip("@"), not rest.startswith("@")
    return Symbol(name or text, address, size, _KINDS[info & 15], *version, local=info >> 4 == _LOCAL)


def _versions(elf: Elf, heads: list[Section]) -> list[tuple[str, bool]]:
    """(version, hidden) of each entry of .dynsym; [] where the library has none."""
    table = next((one for one in heads if one.kind == SHT_GNU_VERSYM), None)
    defined = next((one for one in heads if one.kind == SHT_GNU_VERDEF), None)
    if table is None or defined is None or defined.link >= len(heads):
        return []
    names = dict(_definitions(elf, sections.content(elf, defined), sections.content(elf, heads[defined.link])))
    data = sections.content(elf, table)
    numbers = struct.unpack(f"{elf.order}{len(data) // 2}H", data[: len(data) // 2 * 2])
    return [(names.get(one & ~_HIDDEN, ""), bool(one & _HIDDEN)) for one in numbers]


def _definitions(elf: Elf, data: bytes, strings: bytes) -> Iterator[tuple[int, str]]:
    """(number, name) of each version that the library defines; the first is the library itself."""
    at = 0
    while at + 20 <= len(data):
        _version, _flags, number, _count, _hash, aux, following = struct.unpack_from(elf.order + "HHHHIII", data, at)
        if number >= _FIRST_NAMED and at + aux + 4 <= len(data):
            yield number, sections.string(strings, struct.unpack_from(elf.order + "I", data, at + aux)[0])
        if not following:
            return
        at += following


def address_of(elf: Elf, name: str) -> int | None:
    """Where the variable or function `name` lies; None where no table has it."""
    heads = sections.sections(elf)
    layout = struct.Struct(elf.order + ("IBBHQQ" if elf.is_64 else "IIIBBH"))
    for table in heads:
        if table.kind in (SHT_SYMTAB, SHT_DYNSYM) and table.link < len(heads):
            names = sections.content(elf, heads[table.link])
            data = sections.content(elf, table)
            for raw in layout.iter_unpack(data[: len(data) // layout.size * layout.size]):
                section, address = (raw[3], raw[4]) if elf.is_64 else (raw[5], raw[1])
                if section and sections.string(names, raw[0]) == name:
                    return int(address)
    return None
