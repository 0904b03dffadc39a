"""What the kernel counts by itself: hist triggers' tables (events/*/*/hist) and the hits of kprobes (kprobe_profile)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ftracepy.tracefs import files
from ftracepy.values import dataclass

_ENTRY = re.compile(r"^\{ (.+) \} hitcount: +(\d+)\s*$")
_HITS = re.compile(r"^    Hits: (\d+)$", re.MULTILINE)
_DROPPED = re.compile(r"^    Dropped: (\d+)$", re.MULTILINE)
_U64 = 1 << 64


@dataclass(frozen=True, slots=True)
class Table:
    """The totals of one hist trigger by its keys' values; `dropped` hits found the table full."""

    counts: dict[tuple[int, ...], int]
    dropped: int


def hist_trigger(keys: Sequence[str], size: int, filter_: str) -> str:
    """The text to write to an event's `trigger`, which from then on counts its hits by these fields' values."""
    return f"hist:keys={','.join(keys)}:size={size}" + (f" if {filter_}" if filter_ else "")


def read_hist(folder: Path, signed: Sequence[bool]) -> Table:
    """The table of an event (`folder` is events/SYSTEM/NAME) that has one hist trigger, whose keys are all numbers.

    The kernel prints every number as unsigned: `signed` says of each key whether it is not. Raises FtracepyError.
    """
    text = _hist(folder)
    entries = (match for line in text.split("\n") if (match := _ENTRY.match(line)))
    return Table({_key(match[1], signed): int(match[2]) for match in entries}, _number(_DROPPED, text))


def read_hist_hits(folder: Path) -> int:
    """All hits of an event that has one hist trigger, dropped ones too. Raises FtracepyError."""
    text = _hist(folder)
    return _number(_HITS, text) + _number(_DROPPED, text)


def _hist(folder: Path) -> str:
    return files.read_text(folder / "hist", "cannot read what the kernel has counted")


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0


def _key(text: str, signed: Sequence[bool]) -> tuple[int, ...]:
    values = [int(part.rpartition(":")[2]) for part in text.split(",")]
    return tuple(value - _U64 if is_signed and value >> 63 else value for value, is_signed in zip(values, signed, strict=True))


def read_profile(root: Path) -> dict[str, int]:
    """Hits of each kprobe by its event's name, whichever group it is in. Raises FtracepyError."""
    lines = files.read_text(root / "kprobe_profile", "cannot read how often the probes were hit").splitlines()
    words = (line.split() for line in lines)
    return {one[0]: int(one[1]) for one in words if len(one) == 3}
