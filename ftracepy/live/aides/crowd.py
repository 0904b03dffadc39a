"""Decides when others open so many files that being told of all opens costs more than it is worth, and when to try again."""

from __future__ import annotations

_RATE = 5_000  # others' opens a second that are put up with for ever: each costs some 1.2 us of ours (measured)
_BURST, _TRIAL = 5_000, 1_000  # what may come at once: at first, and when it is tried again
_PAUSE_NS, _LONGEST_NS, _LONGER = 2_000_000_000, 128_000_000_000, 4
_CALM_NS = 10_000_000_000


class Crowd:
    """A bucket that others' opens fill and time empties. All times in nanoseconds of one clock."""

    def __init__(self) -> None:
        self.is_left = False
        self.again_at = 0
        self._level, self._at, self._room = 0.0, 0, _BURST
        self._pause, self._since = _PAUSE_NS, 0

    def is_too_much(self, opens: int, now: int) -> bool:
        """Count `opens` of others, told until `now`."""
        if self.is_left or not opens:
            return False
        self._level = max(0.0, self._level - (now - self._at) * _RATE / 1e9) + opens
        self._at = now
        return self._level > self._room

    def leave(self, now: int) -> None:
        """Opens are told no more; after some calm the next pause is a short one, otherwise each is longer."""
        if now - self._since >= _CALM_NS:
            self._pause = _PAUSE_NS
        self.is_left, self.again_at = True, now + self._pause
        self._pause = min(self._pause * _LONGER, _LONGEST_NS)

    def is_due(self, now: int) -> bool:
        return self.is_left and now >= self.again_at

    def come_back(self, now: int) -> None:
        """Opens are told again."""
        self.is_left, self._level, self._at, self._since, self._room = False, 0.0, now, now, _TRIAL
