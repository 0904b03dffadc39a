"""What a screen shows: lines with places that they keep, under a heading."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from textwrap import wrap

from ftracepy.tui.model.spans import Line, length

Spare = Callable[[], bool]


class Pace:
    """Lets something be done as often as it takes a tenth of the time, so that work goes on beside it."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def run(self, action: Callable[[], object]) -> bool:
        """Do it, unless it is too soon; whether it was done."""
        if (begin := time.monotonic()) < self._next_s:
            return False
        action()
        self._next_s = time.monotonic() + 10 * (time.monotonic() - begin)
        return True


class Page:
    """One view of a run. Lines have the places `first` to `end`.

    `grows` says that new ones come at the end, to be followed; `replaces` that new ones take the places of all.
    """

    title = ""
    grows = False
    replaces = False
    height = 22  # lines of the screen that it has, heading and all; kept up to date by who shows it
    behind = False  # there is more to take in than the last tick had time for
    jump: int | None = None  # where the cursor is to go, found a little after it was asked for

    @property
    def first(self) -> int:
        return 0

    @property
    def end(self) -> int:
        return 0

    def heading(self, width: int) -> list[Line]:
        """Lines that stay on top."""
        return []

    def line(self, place: int, width: int) -> Line:
        """One line, as long as it is or `width`."""
        return []

    def tick(self, spare: Spare, width: int) -> bool:
        """Take in what is new while there is time to `spare`; whether anything that is shown has changed."""
        return False

    def steer(self, right: int, down: int) -> int | None:
        """Arrow keys, on pages where they choose more than a line: the place of the line where the choice is; None: lines do."""
        return None

    def point(self, x: int) -> bool:
        """A click on the last line of the heading; whether a column is there to sort by, which is the chosen one then."""
        return False

    def arrived(self, place: int) -> None:
        """The cursor has come to a line."""

    def mark(self, text: str) -> None:
        """What is searched for, to be shown where it is."""

    def holds(self, place: int, wanted: str) -> bool:
        """Whether the line there holds `wanted`, which is casefolded."""
        return wanted in "".join(text for text, _style in self.line(place, 10_000)).casefold()

    def hints(self) -> str:
        """A few words on what can be done here."""
        return ""


class Lines(Page):
    """A page of lines that stay as they are."""

    def __init__(self, title: str, lines: Sequence[Line], heading: Sequence[Line] = ()) -> None:
        self.title = title
        self._lines, self._heading = list(lines), list(heading)

    @property
    def end(self) -> int:
        return len(self._lines)

    def heading(self, width: int) -> list[Line]:
        return self._heading

    def line(self, place: int, width: int) -> Line:
        return self._lines[place] if 0 <= place < len(self._lines) else []


class Text(Lines):
    """Lines that are broken where the screen ends, the rest set in behind the first piece of each."""

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__(title, lines)
        self._whole, self._width = list(lines), 0

    def tick(self, spare: Spare, width: int) -> bool:
        if width == self._width:
            return False
        self._width = width
        self._lines = [part for line in self._whole for part in _broken(line, width)]
        return True


def _broken(line: Line, width: int) -> list[Line]:
    indent, style = length(line[:1]), line[1][1] if len(line) > 1 else ""
    parts = wrap("".join(text for text, _style in line[1:]), max(width - indent, 20), break_on_hyphens=False) or [""]
    return [[*(line[:1] if not at else [(" " * indent, "")]), (part, style)] for at, part in enumerate(parts)]
