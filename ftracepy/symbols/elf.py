"""The few things of an ELF file that probing needs: entry point, code, interpreter, and where functions start.

Only program headers are read, for they survive stripping (ELF-64/ELF-32 object file format, gabi 4+; the function
table is .eh_frame_hdr, Linux Standard Base 5.0 core, 10.6.2).
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from functools import cached_property

from ftracepy.values import dataclass

PT_LOAD, PT_INTERP, PT_GNU_EH_FRAME, _PF_X = 1, 3, 0x6474E550, 1
EM_386, EM_X86_64, EM_AARCH64 = 3, 62, 183
_UDATA4, _SDATA4_PCREL, _SDATA4_DATAREL = 0x03, 0x1B, 0x3B
_MAX_FILE_BYTES = 1 << 28


class ElfFault(ValueError):
    """Not an ELF file, or one whose headers contradict its bytes."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A program header: `address` is where the file's bytes from `offset` on are meant to lie."""

    kind: int
    executable: bool
    offset: int
    address: int
    size: int


class Elf:
    """One ELF file's bytes and what its headers say. Raises ElfFault where they are no ELF."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 52 or data[:4] != b"\x7fELF" or data[4] not in (1, 2) or data[5] not in (1, 2):
            raise ElfFault("not an ELF file")
        self.data = data
        self.is_64 = data[4] == 2
        self.order = "<" if data[5] == 1 else ">"
        self.machine = self.unpack("H", 18)[0]
        self.entry = self.unpack("Q" if self.is_64 else "I", 24)[0]
        self.segments = tuple(self._segments())

    def unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        """Whole numbers at a file offset, `layout` as struct has it without a byte order."""
        try:
            return struct.unpack_from(self.order + layout, self.data, offset)
        except (struct.error, OverflowError):  # the latter from 2**63 on
            raise ElfFault(f"the file ends before byte {offset}") from None

    def _segments(self) -> list[Segment]:
        if self.is_64:
            (table,), (entry_bytes, count), layout = self.unpack("Q", 32), self.unpack("HH", 54), "IIQQQQ"
        else:
            (table,), (entry_bytes, count), layout = self.unpack("I", 28), self.unpack("HH", 42), "IIIIIII"
        return [self._segment(self.unpack(layout, table + entry_bytes * at)) for at in range(count)]

    def _segment(self, header: tuple[int, ...]) -> Segment:
        if self.is_64:
            kind, flags, offset, address, _, size = header
        else:
            kind, offset, address, _, size, _, flags = header
        return Segment(kind, bool(flags & _PF_X), offset, address, size)

    @property
    def word_bytes(self) -> int:
        """Size of a pointer."""
        return 8 if self.is_64 else 4

    @property
    def code(self) -> list[Segment]:
        """The executable segments."""
        return [one for one in self.segments if one.kind == PT_LOAD and one.executable]

    @property
    def is_dynamic(self) -> bool:
        """Whether a loader runs before the program (PT_INTERP)."""
        return any(one.kind == PT_INTERP for one in self.segments)

    def file_offset(self, address: int) -> int:
        """Where in the file the byte meant for `address` is. Raises ElfFault where no segment holds it."""
        for one in self.segments:
            if one.kind == PT_LOAD and one.address <= address < one.address + one.size:
                return address - one.address + one.offset
        raise ElfFault(f"no segment holds address {address:#x}")

    @cached_property
    def function_starts(self) -> list[int]:
        """File offsets of functions, ascending; [] where the file has no search table of them."""
        header = next((one for one in self.segments if one.kind == PT_GNU_EH_FRAME), None)
        if header is None or header.offset + 12 > len(self.data):
            return []
        version, frame_encoding, count_encoding, table_encoding = self.data[header.offset : header.offset + 4]
        if (version, table_encoding) != (1, _SDATA4_DATAREL) or frame_encoding != _SDATA4_PCREL or count_encoding != _UDATA4:
            return []
        (count,) = self.unpack("I", header.offset + 8)
        pairs = self.unpack(f"{2 * count}i", header.offset + 12)
        return sorted(self.file_offset(header.address + start) for start in pairs[::2])

    def function_at(self, offset: int) -> tuple[int, int] | None:
        """File offsets (start, next function's start) of the function that holds `offset`."""
        starts = self.function_starts
        at = bisect_right(starts, offset)
        return (starts[at - 1], starts[at]) if 0 < at < len(starts) else None


def read(path: str | os.PathLike[str]) -> Elf:
    """Read a file. Raises ElfFault, also where it is missing or not a regular file of sane size."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > _MAX_FILE_BYTES:
                raise ElfFault(f"{path} is larger than any library")
            return Elf(file.read())
    except OSError as error:
        raise ElfFault(str(error)) from None
