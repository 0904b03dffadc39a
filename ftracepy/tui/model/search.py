"""Looks for a text from line to line, a piece at a time so that the screen never waits for it."""

from __future__ import annotations

from ftracepy.tui.model.page import Page, Spare

_PIECE = 50


class Search:
    """The next line from `start` on, forwards or backwards, that holds `text`. `place` is where it was found, None: not yet."""

    def __init__(self, page: Page, text: str, start: int, step: int) -> None:
        self.page, self.text, self.step = page, text, step
        self._wanted = text.casefold()
        self._start = self._at = start
        self.place: int | None = None
        self.over = False

    def tick(self, spare: Spare) -> bool:
        """Look further while there is time to `spare`, one piece at least; whether it is over."""
        while not self.over:
            self._piece()
            if not spare():
                break
        return self.over

    def _piece(self) -> None:
        page, step = self.page, self.step
        self._at = max(self._at, page.first) if step > 0 else self._at
        stop = min(self._at + _PIECE, page.end) if step > 0 else max(self._at - _PIECE, page.first - 1)
        for place in range(self._at, stop, step):
            if page.holds(place, self._wanted):
                self.place, self.over = place, True
                return
        self._at = stop
        self.over = stop >= page.end if step > 0 else stop < page.first

    @property
    def lines(self) -> int:
        """How many lines have been looked at."""
        return abs(self._at - self._start)
