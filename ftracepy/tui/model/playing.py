"""Plays a list: the line of each moment, as time goes on as it did then, or faster or slower."""

from __future__ import annotations

import time

from ftracepy.tui.model.listpage import ListPage


class Playing:
    """From a time on, in nanoseconds; `speed` 1 is as it happened."""

    def __init__(self, page: ListPage, start_ns: int) -> None:
        self.speed = 1.0
        self._page = page
        self._from_ns, self._since = start_ns, time.monotonic()

    @property
    def now_ns(self) -> int:
        """The time that is played at this moment."""
        return self._from_ns + int((time.monotonic() - self._since) * 1e9 * self.speed)

    def faster(self, factor: float) -> None:
        """From now on at another speed."""
        self._from_ns, self._since = self.now_ns, time.monotonic()
        self.speed = min(max(self.speed * factor, 1 / 1024), 1024)

    def place(self) -> int:
        """The newest line that has happened by now."""
        page = self._page
        return max(page.place_at(self.now_ns + 1, page.listing.look.ts) - 1, page.first)
