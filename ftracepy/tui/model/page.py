"""What a screen shows: lines with places that they keep, under a heading."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ftracepy.tui.model.spans import Line

Spare = Callable[[], bool]


class Page:
    """One view of a run. Lines have the places `first` to `end`.

    `grows` says that new ones come at the end, to be followed; `replaces` that new ones take the places of all.
    """

    title = ""
    grows = False
    replaces = False

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

    def find(self, text: str, start: int, step: int) -> int | None:
        """The place of the next line that holds `text`."""
        wanted = text.casefold()
        stop = self.end if step > 0 else self.first - 1
        found = (place for place in range(start, stop, step) if wanted in _text(self.line(place, 10_000)))
        return next(found, None)

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


def _text(line: Line) -> str:
    return "".join(text for text, _style in line).casefold()
