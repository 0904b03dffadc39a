"""Which stored items pass a filter, found a piece at a time so that the screen never waits for it."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Protocol

_DROP = 100_000


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
    """A store's items of one moment in the order of a key; `again` sorts those of now."""

    def __init__(self, store: Numbered, among: All | Matches, key: Callable[[Any], Any], backwards: bool) -> None:
        self._store, self._among, self._key, self._backwards = store, among, key, backwards
        self._numbers: list[int] = []
        self.again()

    def again(self) -> None:
        """Sort what is there now; what has no value (None) comes last."""
        found = []
        for place in range(self._among.first, self._among.end):
            number = self._among.number(place)
            items = self._store.items(number, 1)
            if items and (key := self._key(items[0])) is not None:
                found.append((key, number))
        found.sort(key=lambda one: (isinstance(one[0], str), one[0]), reverse=self._backwards)
        self._numbers = [number for _key, number in found]

    def scan(self, most: int) -> bool:
        return self._among.scan(most)

    first = 0

    @property
    def end(self) -> int:
        return len(self._numbers)

    def number(self, place: int) -> int:
        return self._numbers[place]

    def place(self, number: int) -> int:
        """Where item `number` stands; the first place where it is not here."""
        return self._numbers.index(number) if number in self._numbers else 0
