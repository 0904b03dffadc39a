"""USDT probes of an ELF file: its .note.stapsdt notes (systemtap's sys/sdt.h, version 3).

A note holds three addresses (the probe's, the linker's idea of .stapsdt.base, the semaphore's) and three texts: provider,
name, arguments. Prelinking moves sections but not notes: the difference of .stapsdt.base to what the note says is what
both addresses have moved by.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ftracepy.symbols import sections
from ftracepy.symbols.elf import PT_LOAD, Elf, ElfFault
from ftracepy.values import dataclass

_NT_STAPSDT = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """One place of a USDT probe; `semaphore` is the address of its counter, 0 where it has none. Addresses as in the file."""

    provider: str
    name: str
    address: int
    semaphore: int
    arguments: str

    @property
    def full_name(self) -> str:
        return f"{self.provider}:{self.name}"


def probes(elf: Elf) -> list[Probe]:
    """Every place of every probe, in the order of the file."""
    heads = sections.sections(elf)
    base = next((one.address for one in heads if one.name == ".stapsdt.base"), 0)
    found: list[Probe] = []
    for one in heads:
        if one.name == ".note.stapsdt":
            for note in sections.notes(elf, sections.content(elf, one)):
                if (note.owner, note.kind) == (b"stapsdt", _NT_STAPSDT):
                    found.extend(_probe(elf, note.body, base))
    return found


def _probe(elf: Elf, body: bytes, base: int) -> Iterator[Probe]:
    words = struct.Struct(elf.order + ("3Q" if elf.is_64 else "3I"))
    if len(body) < words.size:
        return
    address, noted, semaphore = words.unpack_from(body)
    provider, _, rest = body[words.size :].partition(b"\0")
    name, _, rest = rest.partition(b"\0")
    arguments = rest.partition(b"\0")[0]
    moved = base - noted if base and noted else 0
    texts = (part.decode("utf-8", "backslashreplace") for part in (provider, name, arguments))
    provider_text, name_text, arguments_text = texts
    yield Probe(provider_text, name_text, address + moved, semaphore + moved if semaphore else 0, arguments_text)


def semaphore_offset(elf: Elf, address: int) -> int:
    """The file offset of a semaphore, by which the kernel counts it up (REF_CTR_OFFSET). Raises ElfFault where it has none."""
    for one in elf.segments:
        if one.kind == PT_LOAD and one.address <= address < one.address + one.size:
            return address - one.address + one.offset
    raise ElfFault(f"the semaphore at {address:#x} lies in no part of the file")
