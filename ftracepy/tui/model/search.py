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
    """The next line from `start` on that holds `text`, forwards or backwards, and beyond the end from the other one.

    `place` is where it was found, None: not yet; `round` says that it went beyond the end.
    """

    def __init__(self, page: Page, text: str, start: int, step: int) -> None:
        self.page, self.text, self.step = page, text, step
        self._wanted = text.casefold()
        self._start = self._at = start
        self.place: int | None = None
        self.round = False

    def piece(self) -> None:
        page, step = self.page, self.step
        self._at = max(self._at, page.first) if step > 0 else min(self._at, page.end - 1)
        end = page.end if step > 0 else page.first - 1
        if self.round:
            end = min(self._start, end) if step > 0 else max(self._start, end)
        stop = min(self._at + _PIECE, end) if step > 0 else max(self._at - _PIECE, end)
        for place in range(self._at, stop, step):
            if page.holds(place, self._wanted):
                self.place, self.over = place, True
                return
        self._at = stop
        if stop >= end if step > 0 else stop <= end:
            self.over = self.round
            self.round, self._at = True, page.first if step > 0 else page.end - 1
