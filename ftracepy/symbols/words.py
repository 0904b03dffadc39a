"""Memory that a probe captured as an array of 64-bit words, turned back into bytes and strings."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Literal

Order = Literal["little", "big"]


def raw(words: Iterable[int], order: Order = sys.byteorder) -> bytes:
    """The bytes as they lay in memory; `order` is the traced machine's."""
    return b"".join((word & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, order) for word in words)


def text(words: Iterable[int], order: Order = sys.byteorder) -> tuple[str, bool]:
    """The string that starts at the first word, and whether its end was captured."""
    found, end, _ = raw(words, order).partition(b"\0")
    return found.decode(errors="backslashreplace"), bool(end)


def strings(block: bytes, count: int) -> tuple[list[str], bool]:
    """Up to `count` NUL-terminated strings of an argv block, and whether all `count` are whole."""
    parts = block.split(b"\0", count)
    whole = parts[:count] if len(parts) > count else parts[:-1]
    found = whole if len(whole) == count or not parts[-1] else parts
    return [part.decode(errors="backslashreplace") for part in found], len(whole) == count
