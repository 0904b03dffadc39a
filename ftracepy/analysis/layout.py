"""How a sink lays out its lines, told to analyses that make many lines of plain text at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftracepy.values import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One column's place in a line: what stands `before` it, its least `width`, what stands for no value.

    `text` makes the text of a value that is no number, and `whole` all that stands in its place, escapes and padding with it.
    """

    name: str
    before: bytes
    none: bytes
    width: int = 0
    right: bool = False
    text: Callable[[Any], str] = str
    whole: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class Layout:
    """A line's cells in order and its `end`. Text is plain here unless it has a byte outside printable ASCII, or in `refused`.

    `quote` stands around text. `put` takes whole lines, at their place among the rows.
    """

    cells: tuple[Cell, ...]
    end: bytes
    refused: bytes
    put: Callable[[bytes], None]
    quote: bytes = b""
