"""A line on the screen before it has colours: pieces of text, each with the name of a style."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len, set_cell_size

Style = Literal[
    "", "dim", "bold", "head", "error", "loss", "good", "key", "comm", "number", "event", "bar", "found", "chosen",
    "flame0", "flame1", "flame2", "flame3", "chosen_frame",
]  # fmt: skip
_BARS = "▁▂▃▄▅▆▇█"
Span = tuple[str, Style]
Line = list[Span]


def pad(line: Line, width: int) -> Line:
    """A line with blanks up to `width`."""
    missing = width - length(line)
    return [*line, (" " * missing, "")] if missing > 0 else line


def cell(text: str, width: int, right: bool) -> str:
    """A text in a column of `width`, cut with a mark where it is too long; characters may be two columns wide."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    return " " * (width - size) + text if right else text + " " * (width - size)


def length(line: Line) -> int:
    """The columns that a line takes."""
    return sum(cell_len(text) for text, _style in line)


def marked(line: Line, text: str) -> Line:
    """The line with the places where it holds `text` in the style of what was found."""
    whole = plain(line)
    places = [found.span() for found in re.finditer(re.escape(text), whole, re.IGNORECASE)]
    if not places:
        return line
    result: Line = []
    at = 0
    for piece, style in line:
        start, end = at, at + len(piece)
        for low, high in places:
            low, high = max(low, start), min(high, end)
            if low < high and low >= at:
                result += [(whole[at:low], style), (whole[low:high], "found")]
                at = high
        result.append((whole[at:end], style))
        at = end
    return [one for one in result if one[0]]


def duration(ns: int) -> str:
    """A time in its largest unit."""
    for size, unit in ((1_000_000_000, "s"), (1_000_000, "ms"), (1000, "µs")):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns} ns"


def spark(values: Sequence[float]) -> str:
    """Numbers as small bars, of the largest one's height at most."""
    most = max(values, default=0) or 1
    return "".join(_BARS[min(int(value / most * (len(_BARS) - 1)), len(_BARS) - 1)] for value in values)


def plain(line: Line) -> str:
    """The text of a line."""
    return "".join(text for text, _style in line)
