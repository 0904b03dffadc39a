"""Sections and notes of an ELF file: what stripping may have left of them (gabi 4+, section header table; notes)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ftracepy.symbols.elf import Elf
from ftracepy.values import dataclass

SHT_SYMTAB, SHT_NOBITS, SHT_DYNSYM = 2, 8, 11
SHT_GNU_VERDEF, SHT_GNU_VERSYM = 0x6FFFFFFD, 0x6FFFFFFF
PT_NOTE = 4
_NT_GNU_BUILD_ID = 3
_XINDEX = 0xFFFF


@dataclass(frozen=True, slots=True)
class Section:
    """A section header; `index` is its place in the table, `size` in bytes."""

    index: int
    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    entry_bytes: int


@dataclass(frozen=True, slots=True)
class Note:
    """One note: whose (`owner`), of which kind, and its bytes."""

    owner: bytes
    kind: int
    body: bytes


def sections(elf: Elf) -> list[Section]:
    """Every section header; [] where the file has none, or a table that does not lie in it."""
    if elf.is_64:
        (table,), (entry_bytes, count, names) = elf.unpack("Q", 40), elf.unpack("HHH", 58)
        layout, size = "IIQQQQIIQQ", 64
    else:
        (table,), (entry_bytes, count, names) = elf.unpack("I", 32), elf.unpack("HHH", 46)
        layout, size = "IIIIIIIIII", 40
    if not table or entry_bytes != size or table + entry_bytes > len(elf.data):
        return []
    first = elf.unpack(layout, table)
    count, names = count or first[5], first[6] if names == _XINDEX else names
    if table + entry_bytes * count > len(elf.data) or names >= count:
        return []
    heads = [elf.unpack(layout, table + entry_bytes * at) for at in range(count)]
    strings = elf.data[heads[names][4] : heads[names][4] + heads[names][5]]
    return [_section(at, head, strings) for at, head in enumerate(heads)]


def _section(index: int, head: tuple[int, ...], strings: bytes) -> Section:
    name, kind, flags, address, offset, size, link, _info, _align, entry_bytes = head
    return Section(index, string(strings, name), kind, flags, address, offset, size, link, entry_bytes)


def string(table: bytes, at: int) -> str:
    """The NUL-terminated text at `at`; bytes that are not UTF-8 become escapes."""
    end = table.find(b"\0", at)
    return table[at : end if end >= 0 else None].decode("utf-8", "backslashreplace") if at < len(table) else ""


def named(elf: Elf, name: str) -> Section | None:
    return next((one for one in sections(elf) if one.name == name), None)


def content(elf: Elf, section: Section) -> bytes:
    """The section's bytes in the file; b"" for one that has none there."""
    return b"" if section.kind == SHT_NOBITS else elf.data[section.offset : section.offset + section.size]


def notes(elf: Elf, block: bytes) -> Iterator[Note]:
    """The notes of a section or segment, up to the first that does not fit."""
    at, order = 0, elf.order
    while at + 12 <= len(block):
        owner_bytes, body_bytes, kind = struct.unpack_from(order + "III", block, at)
        body_at = at + 12 + (owner_bytes + 3 & ~3)
        if body_at + body_bytes > len(block):
            return
        yield Note(block[at + 12 : at + 12 + owner_bytes].rstrip(b"\0"), kind, block[body_at : body_at + body_bytes])
        at = body_at + (body_bytes + 3 & ~3)


def build_id(elf: Elf) -> str:
    """The linker's hash of the file, in hex; "" where it was linked without one."""
    for one in elf.segments:
        if one.kind == PT_NOTE:
            for note in notes(elf, elf.data[one.offset : one.offset + one.size]):
                if (note.owner, note.kind) == (b"GNU", _NT_GNU_BUILD_ID):
                    return note.body.hex()
    return ""
