"""Looks for a text from line to line, a piece at a time so that the screen never waits for it."""

from __future__ import annotations

from ftracepy.tui.model.page import Page, Spare

_PIECE = 50


class Looking:
    """Something that is looked for, a `piece` at a time, until it is `over`."""

    over = False

    def tick(self, spare: Spare) -> bool:
        """Look further while there is time to `spare`, one piece at least; whether it is over."""
        while not self.over:
            self.piece()
            if not spare():
                break
        return self.over

    def piece(self) -> None:
        """Look a little further."""


class Search(Looking):
    """The next line from `start` on, forwards or backwards, that holds `text`. `place` is where it was found, None: not yet."""

    def __init__(self, page: Page, text: str, start: int, step: int) -> None:
        self.page, self.text, self.step = page, text, step
        self._wanted = text.casefold()
        self._at = start
        self.place: int | None = None

    def piece(self) -> None:
        page, step = self.page, self.step
        self._at = max(self._at, page.first) if step > 0 else self._at
        stop = min(self._at + _PIECE, page.end) if step > 0 else max(self._at - _PIECE, page.first - 1)
        for place in range(self._at, stop, step):
            if page.holds(place, self._wanted):
                self.place, self.over = place, True
                return
        self._at = stop
        self.over = stop >= page.end if step > 0 else stop < page.first
