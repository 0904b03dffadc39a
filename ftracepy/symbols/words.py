"""Memory that a probe captured as an array of 64-bit words, turned back into bytes and strings."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from typing import Literal

Order = Literal["little", "big"]
_SIGNS: dict[Order, str] = {"little": "<", "big": ">"}


def raw(words: Sequence[int], order: Order = sys.byteorder) -> bytes:
    """The bytes as they lay in memory, the words being all signed or all not; `order` is the traced machine's."""
    try:
        return struct.pack(f"{_SIGNS[order]}{len(words)}Q", *words)
    except struct.error:
        return struct.pack(f"{_SIGNS[order]}{len(words)}q", *words)


def text(words: Sequence[int], order: Order = sys.byteorder) -> tuple[str, bool]:
    """The string that starts at the first word, and whether its end was captured."""
    return text_in(raw(words, order))


def text_in(memory: bytes) -> tuple[str, bool]:
    """The string that starts where `memory` does, and whether its end was captured."""
    found, end, _ = memory.partition(b"\0")
    return found.decode(errors="backslashreplace"), bool(end)


def strings(block: bytes, count: int) -> tuple[list[str], bool]:
    """Up to `count` NUL-terminated strings of an argv block, and whether all `count` are whole."""
    parts = block.split(b"\0", count)
    whole = parts[:count] if len(parts) > count else parts[:-1]
    found = whole if len(whole) == count or not parts[-1] else parts
    return [part.decode(errors="backslashreplace") for part in found], len(whole) == count
