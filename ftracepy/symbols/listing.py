"""What can be probed in a program or library: its functions and USDT probes."""

from __future__ import annotations

from collections.abc import Iterator

from ftracepy.errors import UsageFault
from ftracepy.symbols import demangle, targets, usdt
from ftracepy.symbols.definition import parse
from ftracepy.symbols.elf import ElfFault
from ftracepy.symbols.image import Image
from ftracepy.symbols.spots import Search
from ftracepy.symbols.symtab import Symbol
from ftracepy.values import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` is what a definition may call it; `offset` None: it lies in no part of the file."""

    address: int
    offset: int | None
    size: int
    kind: str
    name: str


def listed(text: str, pid: int | None = None) -> Iterator[Entry]:
    """The functions that `TARGET` or `TARGET:PATTERN` names, or the USDT probes of `[TARGET:]usdt:PROVIDER:NAME`.

    Raises UsageFault where there is no such file, or nothing of that name.
    """
    if not text:
        raise UsageFault("the functions of what?", hint="ftracepy uprobe -l libc:mem*")
    if ":" not in text:
        text = f"{text}:*"
    if text.endswith("usdt:*"):
        text += ":*"
    asked = parse(text)
    if asked.place.form == "usdt":
        for event in Search(asked, pid).events():
            yield from _usdt(event.image, {spot.label for spot in event.spots})
        return
    search = Search(asked, pid)
    target = search.target()
    image = search.image(target)
    if not (found := image.named(asked.place.name)):
        found = [one for one in image.symbols if _demangled_holds(one, asked.place.name)]
    if not found:
        raise asked.fault(
            f"{target.shown} has no function '{asked.place.name}'", asked.place.at, hint="a pattern, as in '*read*'"
        )
    for one in found:
        yield Entry(one.address, _offset(image, one.address), one.size, one.kind, _name(one))


def _demangled_holds(symbol: Symbol, name: str) -> bool:
    from fnmatch import fnmatchcase

    return symbol.name.startswith(("_Z", "_R")) and fnmatchcase(demangle.plain(symbol.name), name)


def _name(symbol: Symbol) -> str:
    readable = demangle.demangled(symbol.name)
    return symbol.full_name if readable == symbol.name else f"{symbol.full_name} {readable}"


def _usdt(image: Image, labels: set[str]) -> Iterator[Entry]:
    for one in usdt.probes(image.elf):
        if one.full_name in labels:
            name = f"{image.path}:usdt:{one.full_name} {one.arguments}".strip()
            yield Entry(one.address, _offset(image, one.address), 0, "usdt", name)


def _offset(image: Image, address: int) -> int | None:
    try:
        return image.file_offset(address)
    except ElfFault:
        return None


__all__ = ["Entry", "listed", "targets"]
