"""Source lines to addresses by DWARF line tables (DWARF 5, 6.2), through pyelftools: the extra ftracepy[symbols]."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.symbols.image import Image
from ftracepy.values import dataclass

_NEAR = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One place where a statement begins."""

    file: str
    line: int
    address: int


def addresses(image: Image, file: str, line: int) -> list[int]:
    """Where the code of a source line begins: the lowest address in each function that has any.

    Raises KernelCannot without pyelftools or line tables, UsageFault where the line has no code or the file is not known.
    """
    rows = list(_rows(image, file))
    if not rows:
        raise _unknown_file(image, file)
    exact = [row.address for row in rows if row.line == line]
    if not exact:
        near = sorted({row.line for row in rows}, key=lambda other: (abs(other - line), other))[:_NEAR]
        hint = f"nearest lines that have: {', '.join(map(str, sorted(near)))}"
        raise UsageFault(f"{file}:{line} has no code of its own", hint=hint)
    return _first_of_each_function(image, exact)


def _first_of_each_function(image: Image, found: list[int]) -> list[int]:
    lowest: dict[int, int] = {}
    for address in sorted(found):
        holder = image.at(address)
        lowest.setdefault(address - holder[1] if holder else address, address)
    return sorted(lowest.values())


def _rows(image: Image, file: str) -> Iterator[Row]:
    for shift, unit in _units(image):
        program = unit.dwarfinfo.line_program_for_CU(unit)
        if program is None:
            continue
        names = _file_names(program)
        wanted = {number for number, name in names.items() if _is(name, file)}
        if wanted:
            for entry in program.get_entries():
                state = entry.state
                if state is not None and state.file in wanted and state.is_stmt and not state.end_sequence and state.line:
                    yield Row(names[state.file], state.line, state.address + shift)


def _is(path: str, wanted: str) -> bool:
    """`main.c`, `src/main.c` and the whole path name a file."""
    return path == wanted or path.endswith("/" + wanted.removeprefix("./"))


def _units(image: Image) -> Iterator[tuple[int, Any]]:
    """(what to add to its addresses, compilation unit)."""
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError:
        what = "source lines need the extra symbols"
        raise KernelCannot(what, why="pyelftools is not installed", hint="pip install 'ftracepy[symbols]'") from None
    from ftracepy.symbols import debugfiles

    path, shift = image.path, 0
    if image.debug is not None:
        path, shift = image.debug[0], debugfiles.shift(image.elf, image.debug[1])
    with open(path, "rb") as stream:
        try:
            elf = ELFFile(stream)
            if not elf.has_dwarf_info():
                raise _no_lines(image)
            for unit in elf.get_dwarf_info(follow_links=False).iter_CUs():
                yield shift, unit
        except (ELFError, KeyError, ValueError, AssertionError) as fault:
            what = f"the debug information of {path} cannot be read"
            raise FtracepyError(what, why=str(fault) or type(fault).__name__) from None


def _no_lines(image: Image) -> FtracepyError:
    why = "it was built without -g, or its debug information is in a package that is not installed"
    return KernelCannot(f"{image.path} has no source lines", why=why, hint="a build with -g, or its -dbgsym package")


def _file_names(program: Any) -> dict[int, str]:
    """The paths of a line table by number; numbers start at 0 since DWARF 5, at 1 before."""
    header = program.header
    folders = [_text(one) for one in header["include_directory"]]
    first = 0 if header["version"] >= 5 else 1
    found: dict[int, str] = {}
    for number, entry in enumerate(header["file_entry"], first):
        at = entry.dir_index - first  # before version 5 number 0 is the folder of the compilation, and not listed
        folder = folders[at] if 0 <= at < len(folders) else ""
        found[number] = os.path.normpath(os.path.join(folder, _text(entry.name)))
    return found


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _unknown_file(image: Image, file: str) -> FtracepyError:
    from difflib import get_close_matches

    known = sorted({os.path.basename(name) for _shift, unit in _units(image) for name in _names_of(unit)})
    if not known:
        return _no_lines(image)
    near = get_close_matches(os.path.basename(file), known, n=3) or known[:5]
    return UsageFault(f"no code of {image.path} comes from a file {file}", hint=f"there are {', '.join(near)}")


def _names_of(unit: Any) -> list[str]:
    program = unit.dwarfinfo.line_program_for_CU(unit)
    return list(_file_names(program).values()) if program is not None else []
