"""Addresses of user code to names, by the maps of the process as they were then and the files if they still are the same.

A file's identity is its build id; one linked without is told by "~SIZE.MTIME". Another file of the same name says nothing.
"""

from __future__ import annotations

import os
from bisect import bisect_right

from ftracepy.symbols import demangle, elf, sections
from ftracepy.symbols.image import Image
from ftracepy.values import dataclass

_HEAD_BYTES = 1 << 16  # headers and notes are in front; a program may be large


def identity(path: str) -> str:
    """What tells the file from others of its name; "" where it cannot be read."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            found = sections.build_id(elf.Elf(file.read(_HEAD_BYTES)))
    except (OSError, elf.ElfFault):
        return ""
    return found or f"~{status.st_size}.{status.st_mtime_ns}"


@dataclass(frozen=True, slots=True)
class Mapped:
    """A stretch of a process's memory: the file's bytes from `offset` on, to be run."""

    start: int
    end: int
    offset: int
    identity: str
    path: str


class Maps:
    """What one process could run at one time, from the body of a MAPS fact; lines that are damaged are left out."""

    def __init__(self, body: bytes) -> None:
        lines = body.decode("utf-8", "backslashreplace").split("\n")
        self._areas = sorted((one for line in lines if (one := _area(line))), key=lambda one: one.start)
        self._starts = [one.start for one in self._areas]

    def at(self, address: int) -> Mapped | None:
        """The stretch that holds an address."""
        index = bisect_right(self._starts, address) - 1
        return self._areas[index] if index >= 0 and address < self._areas[index].end else None


def _area(line: str) -> Mapped | None:
    parts = line.split(" ", 4)
    try:
        start, end, offset = (int(part, 16) for part in parts[:3])
        return Mapped(start, end, offset, parts[3], parts[4])
    except (ValueError, IndexError):
        return None


class Names:
    """Names of user code; each file is read once."""

    def __init__(self) -> None:
        self._images: dict[tuple[str, str], Image | None] = {}

    def frame(self, mapped: Mapped, address: int, pid: int, *, is_return: bool) -> str:
        """`symbol+0x12 (/path)`, or `/path+0x1234` with the offset in the file where no name is known here.

        A return address lies behind its call, which may be the last instruction of a function.
        """
        offset = address - mapped.start + mapped.offset
        image = self._image(mapped, pid)
        place = image.address_of(offset - is_return) if image else None
        found = image.at(place) if image and place is not None else None
        if found is None:
            return f"{mapped.path}+{offset:#x}" if mapped.path.startswith("/") else f"{mapped.path} {address:#x}"
        symbol, within = found
        return f"{demangle.demangled(symbol.name)}+{within + is_return:#x} ({mapped.path})"

    def _image(self, mapped: Mapped, pid: int) -> Image | None:
        key = (mapped.identity, mapped.path)
        if key not in self._images:
            self._images[key] = _opened(mapped, pid)
        return self._images[key]


def _opened(mapped: Mapped, pid: int) -> Image | None:
    """The file at its path, or as the process sees it, if that is still the same."""
    if mapped.identity == "-" or not mapped.path.startswith("/"):
        return None
    for root in ("/", f"/proc/{pid}/root"):
        path = mapped.path if root == "/" else root + mapped.path
        if identity(path) == mapped.identity:
            try:
                return Image(path, root)
            except elf.ElfFault:
                return None
    return None
