"""Which stored items pass a filter, found a piece at a time so that the screen never waits for it."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ftracepy.tui.model.page import Pace

_DROP = 100_000
_AT_ONCE = 5000  # so many are in order when the list is first shown
_PIECE = 1000
_NUMBER_BITS = 48  # of a place in a store; what is above is the key
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1
T = TypeVar("T")


class Numbered(Protocol):
    """A store: items with numbers from `first` to `end`."""

    @property
    def first(self) -> int: ...
    @property
    def end(self) -> int: ...
    def items(self, start: int, count: int) -> list[Any]: ...


class Matches:
    """The numbers of the items that pass `test`, in order; `scan` looks further each time it is called.

    Each match has a place, counted from the first one that was found, that it keeps.
    """

    def __init__(self, store: Numbered, test: Callable[[Any], bool]) -> None:
        self._store, self._test = store, test
        self._numbers: array[int] = array("Q")
        self._dropped = 0
        self.scanned = store.first

    def scan(self, most: int) -> bool:
        """Look at `most` more items; False once everything has been looked at."""
        start = max(self.scanned, self._store.first)
        found, test = self._numbers.append, self._test
        number = start
        for number, item in enumerate(self._store.items(start, most), start):
            if test(item):
                found(number)
            self.scanned = number + 1
        return self.scanned < self._store.end

    @property
    def first(self) -> int:
        """The place of the oldest match whose item is still there."""
        gone = bisect_left(self._numbers, self._store.first)
        if gone > _DROP:
            del self._numbers[:gone]
            self._dropped += gone
            gone = 0
        return self._dropped + gone

    @property
    def end(self) -> int:
        return self._dropped + len(self._numbers)

    def number(self, place: int) -> int:
        """The item's number at a place among the matches."""
        return self._numbers[place - self._dropped]

    def place(self, number: int) -> int:
        """The place of the first match that is not older than item `number`."""
        return self._dropped + bisect_left(self._numbers, number)


class All:
    """Every item of a store: place and number are the same."""

    def __init__(self, store: Numbered) -> None:
        self._store = store

    def scan(self, most: int) -> bool:
        return False

    @property
    def first(self) -> int:
        return self._store.first

    @property
    def end(self) -> int:
        return self._store.end

    def number(self, place: int) -> int:
        return place

    def place(self, number: int) -> int:
        return number


class Sorted:
    """A store's items in the order of a key, found and put in order a piece at a time; what has no value (None) is left out.

    What has come since is sorted in now and then, so that it takes a tenth of the time at most.
    """

    first = 0

    def __init__(self, store: Numbered, among: All | Matches, key: Callable[[Any], Any], backwards: bool) -> None:
        self._store, self._among, self._key, self._backwards = store, among, key, backwards
        self.again()

    def again(self) -> None:
        """Begin anew, for a store whose items have all been replaced."""
        self._wholes, self._others = Runs[int](), Runs[tuple[bool, Any, int]]()
        self._at, self._low = self._among.first, self._store.first
        self._pace = Pace()
        while self._at < _AT_ONCE + self._among.first and self.scan(_PIECE):
            pass

    def scan(self, most: int) -> bool:
        """Take `most` more; False once all are there."""
        among = self._among
        more = among.scan(most)
        start = max(self._at, among.first)
        self._at = min(start + most, among.end)
        self._take(start, self._at)
        if more or self._at < among.end:
            return True
        self._pace.run(self._finish)
        return False

    def _take(self, start: int, stop: int) -> None:
        """A whole number and its place make one number: a million pairs would not fit the memory."""
        wholes: list[int] = []
        others: list[tuple[bool, Any, int]] = []
        for place in range(start, stop):
            number = self._among.number(place)
            items = self._store.items(number, 1)
            value = self._key(items[0]) if items else None
            if isinstance(value, int):
                wholes.append((value << _NUMBER_BITS) + number)
            elif value is not None:
                others.append((isinstance(value, str), value, number))
        self._wholes.add(wholes)
        self._others.add(others)

    def _finish(self) -> None:
        self._wholes.finish()
        self._others.finish()
        low = self._store.first
        if low > self._low:
            self._low = low
            self._wholes.order = [one for one in self._wholes.order if one & _NUMBER_MASK >= low]
            self._others.order = [one for one in self._others.order if one[2] >= low]

    @property
    def end(self) -> int:
        return len(self._wholes.order) + len(self._others.order)

    def number(self, place: int) -> int:
        place = self.end - 1 - place if self._backwards else place
        wholes = self._wholes.order
        return wholes[place] & _NUMBER_MASK if place < len(wholes) else self._others.order[place - len(wholes)][2]

    def place(self, number: int) -> int:
        """Where item `number` stands; the first place where it is not here."""
        return next((place for place in range(self.end) if self.number(place) == number), 0)


class Runs(Generic[T]):
    """Puts what comes in pieces in order: runs in order are merged, none with one much shorter, so no step takes long."""

    def __init__(self) -> None:
        self.order: list[T] = []
        self._runs: list[list[T]] = []

    def add(self, piece: list[T]) -> None:
        """One more piece."""
        if piece:
            self._runs.append(sorted(piece))  # type: ignore[type-var]
        while len(self._runs) > 1 and len(self._runs[-2]) <= len(self._runs[-1]):
            self._merge()

    def _merge(self) -> None:
        """Python's sort sees runs that are in order, and merges them."""
        last = self._runs.pop()
        self._runs[-1] += last
        self._runs[-1].sort()

    def finish(self) -> None:
        """Bring all pieces into `order`."""
        while len(self._runs) > 1:
            self._merge()
        if self._runs:
            self.order += self._runs.pop()
            self.order.sort()
