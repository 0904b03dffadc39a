"""Counts by size class, in whole numbers: the size classes are powers, equal steps, or bounds of one's own.

A bucket holds the values low <= value < high; values below 0 share one bucket of their own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, zip_longest
from typing import Protocol

from ftracepy.values import dataclass

# A stretch of empty buckets longer than this is left out of a listing: one outlier must not make a thousand lines.
_LONGEST_GAP = 16


@dataclass(frozen=True, slots=True)
class Span:
    """What one bucket holds: low <= value < high, None where there is no such bound."""

    low: int | None
    high: int | None


class Scale(Protocol):
    """How values are put into buckets, which are numbered in order; those of values below 0 are -1."""

    def place(self, value: int) -> int:
        """The number of the bucket that `value` belongs to."""

    def span(self, place: int) -> Span:
        """What the bucket of that number holds."""

    @property
    def size(self) -> int | None:
        """How many buckets there are from 0 on; None: as many as it takes."""


class Powers:
    """0, then a bucket for each power of `base`: 1 to base-1, base to base²-1, and so on; the last one begins above `most`."""

    def __init__(self, base: int = 2, most: int | None = None) -> None:
        if base < 2:
            raise ValueError(f"powers of {base} do not grow")
        self._base = base
        self._lows = [0, 1]
        self.size = None if most is None else self._place(most) + 2

    def place(self, value: int) -> int:
        place = self._place(value)
        return place if self.size is None else min(place, self.size - 1)

    def _place(self, value: int) -> int:
        if value < 0:
            return -1
        if self._base == 2:
            return value.bit_length()
        while self._lows[-1] <= value:
            self._lows.append(self._lows[-1] * self._base)
        return bisect_right(self._lows, value) - 1

    def span(self, place: int) -> Span:
        if place < 0:
            return Span(None, 0)
        low = 0 if place == 0 else self._base ** (place - 1)
        return Span(low, None if self.size is not None and place == self.size - 1 else self._base**place)


class Steps:
    """Buckets of one width."""

    size = None

    def __init__(self, step: int) -> None:
        if step < 1:
            raise ValueError(f"steps of {step} do not grow")
        self._step = step

    def place(self, value: int) -> int:
        return -1 if value < 0 else value // self._step

    def span(self, place: int) -> Span:
        return Span(None, 0) if place < 0 else Span(place * self._step, (place + 1) * self._step)


class Bounds:
    """Buckets between bounds given, with one below the first and one from the last on."""

    def __init__(self, bounds: tuple[int, ...]) -> None:
        if not bounds or any(one >= other for one, other in pairwise(bounds)):
            raise ValueError("bounds have to grow")
        self._lows = bounds if bounds[0] <= 0 else (0, *bounds)

    @property
    def size(self) -> int:
        return len(self._lows)

    def place(self, value: int) -> int:
        return bisect_right(self._lows, value) - 1

    def span(self, place: int) -> Span:
        high = self._lows[place + 1] if place + 1 < len(self._lows) else None
        return Span(None, self._lows[0]) if place < 0 else Span(self._lows[place], high)


class Scaled:
    """Another scale's buckets in units of `unit`: values are cut down to whole units, bounds are told in full."""

    def __init__(self, scale: Scale, unit: int) -> None:
        self._scale, self._unit = scale, unit

    @property
    def size(self) -> int | None:
        return self._scale.size

    def place(self, value: int) -> int:
        return self._scale.place(value // self._unit)

    def span(self, place: int) -> Span:
        span = self._scale.span(place)
        low, high = (None if one is None else one * self._unit for one in (span.low, span.high))
        return Span(low, high)


class Histogram:
    """How many values fell into each bucket of a scale."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self._counts: Counter[int] = Counter()

    def add(self, value: int, count: int = 1) -> None:
        self._counts[self.scale.place(value)] += count

    def merge(self, other: Histogram) -> None:
        """Take in what another one over the same scale has counted."""
        self._counts.update(other._counts)

    def __len__(self) -> int:
        """How many values were added."""
        return self._counts.total()

    @property
    def largest(self) -> int:
        """The count of the fullest bucket."""
        return max(self._counts.values(), default=0)

    def buckets(self) -> Iterator[tuple[Span, int]]:
        """Buckets with their counts, in order: all that a scale of fixed size has, else from the first filled to the last."""
        filled = sorted(place for place, count in self._counts.items() if count)
        if self.scale.size is not None:
            filled = [*(place for place in filled if place < 0), *range(self.scale.size)]
        for place, after in zip_longest(filled, filled[1:]):
            yield self.scale.span(place), self._counts[place]
            if after is not None and place >= 0 and after - place <= _LONGEST_GAP + 1:
                yield from ((self.scale.span(empty), 0) for empty in range(place + 1, after))
