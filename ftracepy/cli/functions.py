"""The kernel's functions by name, for `list` and for completion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_CODE = frozenset("tTwW")


def hookable(root: Path) -> list[tuple[str, str]]:
    """(name, [module]) of what the function tracer can hook, none where the kernel lacks it or does not let us read."""
    return [_split(line) for line in _lines(root / "available_filter_functions")]


def symbols(path: Path = Path("/proc/kallsyms")) -> Iterator[tuple[str, str]]:
    """(name, [module]) of every symbol that is code: all that a kprobe needs."""
    for line in _lines(path):
        _address, kind, rest = line.split(" ", 2)
        if kind in _CODE:
            yield _split(rest)


def _split(line: str) -> tuple[str, str]:
    name, _, module = line.replace("\t", " ").partition(" ")
    return name, module


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="backslashreplace").splitlines()
    except OSError:
        return []
