"""One program or library on disk: what its symbols are, wherever they are kept, and where in the file they lie."""

from __future__ import annotations

from bisect import bisect_right
from fnmatch import fnmatchcase
from functools import cached_property

from ftracepy.symbols import debugfiles, elf, sections, symtab
from ftracepy.symbols.elf import Elf, ElfFault
from ftracepy.symbols.symtab import Symbol
from ftracepy.values import replace


class Image:
    """`path` is where it can be read, `root` the root of the file tree it belongs to. Raises ElfFault where it is no ELF file."""

    def __init__(self, path: str, root: str = "/") -> None:
        self.path, self.root = path, root
        self.elf: Elf = elf.read(path)

    @cached_property
    def build_id(self) -> str:
        return sections.build_id(self.elf)

    @cached_property
    def debug(self) -> tuple[str, Elf] | None:
        """The file of debug information that belongs to it, where there is one."""
        return debugfiles.separate(self.elf, self.path, self.root)

    @cached_property
    def symbols(self) -> list[Symbol]:
        """Every name for code, by address; the order of names of one address is: those that are exported, the shortest."""
        found = {(one.name, one.address, one.version): one for one in symtab.code(self.elf)}
        known = {(one.name, one.address) for one in found.values()}  # a debug file's table often lacks the versions
        for other in (debugfiles.packed(self.elf), self.debug[1] if self.debug else None):
            if other is not None:
                moved = debugfiles.shift(self.elf, other)
                for one in symtab.code(other):
                    one = replace(one, address=one.address + moved)
                    if (one.name, one.address) not in known:
                        found.setdefault((one.name, one.address, one.version), one)
        return sorted(found.values(), key=lambda one: (one.address, one.local, one.kind == "label", len(one.name), one.name))

    @property
    def is_stripped(self) -> bool:
        """Whether names are left only of what the dynamic loader needs."""
        return all(not one.local for one in self.symbols)

    @cached_property
    def by_name(self) -> dict[str, list[Symbol]]:
        found: dict[str, list[Symbol]] = {}
        for one in self.symbols:
            found.setdefault(one.name, []).append(one)
        return found

    @cached_property
    def _addresses(self) -> list[int]:
        return [one.address for one in self.symbols]

    def named(self, name: str) -> list[Symbol]:
        """The symbols that `name` means: name, name@VERSION or name@@VERSION, or a pattern with * ? [."""
        name, at, version = name.partition("@")
        version = version.removeprefix("@")
        if any(mark in name for mark in "*?["):
            found = [one for one in self.symbols if fnmatchcase(one.name, name)]
        else:
            found = self.by_name.get(name, [])
        if at:
            return [one for one in found if one.version == version]
        current = [one for one in found if not one.hidden]
        return current or found

    def at(self, address: int) -> tuple[Symbol, int] | None:
        """The symbol that holds an address, and how far into it; one of unknown size reaches to the next."""
        after = bisect_right(self._addresses, address)
        if not after:
            return None
        start = self._addresses[after - 1]
        first = after - 1
        while first and self._addresses[first - 1] == start:
            first -= 1
        one = self.symbols[first]
        size = max((other.size for other in self.symbols[first:after]), default=0)
        return (one, address - start) if not size or address < start + size else None

    def aliases(self, symbol: Symbol) -> list[Symbol]:
        """Other names of the same address."""
        first = bisect_right(self._addresses, symbol.address - 1)
        last = bisect_right(self._addresses, symbol.address)
        return [one for one in self.symbols[first:last] if one.name != symbol.name]

    def file_offset(self, address: int) -> int:
        """Raises ElfFault where no segment holds the address."""
        return self.elf.file_offset(address)

    def address_of(self, offset: int) -> int | None:
        """The address that the byte at a file offset is meant for; None where it is mapped nowhere."""
        for one in self.elf.segments:
            if one.kind == elf.PT_LOAD and one.offset <= offset < one.offset + one.size:
                return offset - one.offset + one.address
        return None

    def is_code(self, offset: int) -> bool:
        """Whether the byte at a file offset is mapped to be run."""
        return any(one.offset <= offset < one.offset + one.size for one in self.elf.code)


__all__ = ["ElfFault", "Image", "Symbol"]
