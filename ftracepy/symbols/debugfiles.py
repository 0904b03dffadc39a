"""Where the symbols of a stripped file may be: inside it, compressed, or in a file of their own.

.gnu_debugdata is an ELF file packed by xz; a file of debug information is named by the build id or by .gnu_debuglink
(GDB manual, "Debugging Information in Separate Files" and "MiniDebugInfo").
"""

from __future__ import annotations

import lzma
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from ftracepy.symbols import elf as elf_files
from ftracepy.symbols import sections
from ftracepy.symbols.elf import PT_LOAD, Elf, ElfFault

_PLACE = "usr/lib/debug"
_MAX_BYTES = 1 << 26


def packed(elf: Elf) -> Elf | None:
    """The ELF file of symbols that lies compressed in this one."""
    if (section := sections.named(elf, ".gnu_debugdata")) is None:
        return None
    try:
        return Elf(lzma.LZMADecompressor().decompress(sections.content(elf, section), _MAX_BYTES))
    except (lzma.LZMAError, ElfFault, EOFError):
        return None


def separate(elf: Elf, path: str, root: str = "/") -> tuple[str, Elf] | None:
    """The file that holds this one's debug information, and where it lies; `path` is below `root`."""
    wanted = sections.build_id(elf)
    for candidate in _by_build_id(wanted, root):
        if (found := _read(candidate)) is not None and sections.build_id(found) == wanted:
            return candidate, found
    if (link := _link(elf)) is not None:
        name, crc = link
        for candidate in _by_name(name, path, root):
            if os.path.exists(candidate) and _crc(candidate) == crc and (found := _read(candidate)) is not None:
                return candidate, found
    return None


def _by_build_id(build_id: str, root: str) -> Iterator[str]:
    if len(build_id) > 2:
        yield os.path.join(root, _PLACE, ".build-id", build_id[:2], build_id[2:] + ".debug")


def _by_name(name: str, path: str, root: str) -> Iterator[str]:
    folder = os.path.dirname(os.path.realpath(path))
    yield os.path.join(folder, name)
    yield os.path.join(folder, ".debug", name)
    yield os.path.join(root, _PLACE, os.path.relpath(folder, root), name)


def _link(elf: Elf) -> tuple[str, int] | None:
    if (section := sections.named(elf, ".gnu_debuglink")) is None:
        return None
    data = sections.content(elf, section)
    name = data.partition(b"\0")[0]
    at = len(name) + 4 & ~3
    if not name or at + 4 > len(data):
        return None
    return os.fsdecode(name), int.from_bytes(data[at : at + 4], "little" if elf.order == "<" else "big")


def _crc(path: str) -> int | None:
    try:
        return zlib.crc32(Path(path).read_bytes())
    except OSError:
        return None


def _read(path: str) -> Elf | None:
    try:
        return elf_files.read(path)
    except ElfFault:
        return None


def shift(elf: Elf, debug: Elf) -> int:
    """What to add to an address of the debug file: prelinking moves a library after its debug information was split off."""
    first = [next((one.address for one in each.segments if one.kind == PT_LOAD), None) for each in (elf, debug)]
    return first[0] - first[1] if first[0] is not None and first[1] is not None else 0
