"""A program's arguments, out of what the different probes and side facts captured of them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from ftracepy.analysis.walk import number
from ftracepy.symbols import words
from ftracepy.values import dataclass, field

if TYPE_CHECKING:
    from ftracepy._fastparse import Event


@dataclass(frozen=True, slots=True)
class Argv:
    """`args` as far as they were captured; `cut`: there were more, or the last one was longer. The higher `rank` is the surer."""

    args: list[str] = field(default_factory=list)
    cut: bool = False
    provenance: str = "none"
    rank: int = 0


def from_kernel(event: Event, order: words.Order) -> Argv:
    """argv_kernel: the arguments from `start` to `end`, or `argc` of them, each NUL-terminated, as much as its fields hold."""
    if isinstance(argc := event.get("argc"), int):
        args, whole = words.strings(_block(event, order), max(argc, 0))
        return Argv(args, not whole, "kernel-copy", 4)
    length = number(event, "end") - number(event, "start")
    block = _block(event, order)
    parts = block[: max(length, 0)].split(b"\0")
    if parts[-1] == b"":
        parts.pop()
    return Argv([_text(part) for part in parts], length > len(block), "kernel-copy", 4)


def from_loader(event: Event, order: words.Order) -> Argv:
    """argv_loader: argc, and memory from argv[0] on; what follows the last argument is the environment.

    The kernel has copied it there, and nobody else has that memory: no instruction of the program has run.
    """
    argc = number(event, "argc")
    if argc <= 0:
        return Argv([], False, "kernel-copy", 3)
    args, whole = words.strings(_block(event, order), argc)
    return Argv(args, not whole, "kernel-copy", 3)


def from_site(event: Event, order: words.Order) -> tuple[str | None, Argv]:
    """exec_site: path, pointers of argv up to NULL, and the start of each of the first arguments."""
    path, _whole = _words_text(event, "path", order)
    pointers = event.get("argv")
    pointers = pointers if isinstance(pointers, tuple) else ()
    argc = pointers.index(0) if 0 in pointers else len(pointers)
    args, cut = [], argc == len(pointers)
    for at in range(argc):
        if event.get(f"arg{at}") is None:
            cut = True
            break
        arg, whole = _words_text(event, f"arg{at}", order)
        args.append(arg if whole else arg + "...")
        cut = cut or not whole
    return path or None, (Argv(args, cut, "user@enter", 1) if args else Argv())


def from_fact(body: bytes) -> Argv:
    """An ARGV side fact: NUL-terminated arguments."""
    return Argv([_text(part) for part in body.removesuffix(b"\0").split(b"\0")], False, "proc-after", 2) if body else Argv()


def _block(event: Event, order: words.Order) -> bytes:
    block = b""
    for at in count():
        value = event.get(f"block{at}")
        if not isinstance(value, tuple):
            return block
        block += words.raw(value, order)
    return block


def _words_text(event: Event, field: str, order: words.Order) -> tuple[str, bool]:
    value = event.get(field)
    return words.text(value, order) if isinstance(value, tuple) else ("", False)


def _text(part: bytes) -> str:
    return part.decode("utf-8", "backslashreplace")
