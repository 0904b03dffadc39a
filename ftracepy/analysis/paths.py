"""The files that fanotify saw opened (PATH side facts), and the successful opens of the same thread that wait for them.

A fact tells thread and path, after the open and in the order of the opens, but not which open: opens of the same
file by one thread are told once if the queue was not read in between. CAUGHT_UP says that every open before its
`when_ns` has been told. How the two are paired stands in pathfacts.py; storedpaths.py has it done by the C core.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from ftracepy.analysis.shares import Told
from ftracepy.analysis.walk import ways_of
from ftracepy.sidefacts import Kind, SideFact

T = TypeVar("T")
Make = Callable[["str | None", bool], T]
AIDE = b"opens"
PATIENCE = 1_000_000_000
_MOST, _MOST_DIGITS = (1 << 64) - 1, 20
MOST_NUMBERS = 8  # FP_HELD_KEYS of core/rows_paths.h: no call has so many arguments
O_PATH = 0o10000000  # such opens are told by nobody


class Paths(ABC, Generic[T]):
    """Finished calls in their order, held until the paths of the opens among them are known or cannot come."""

    def __init__(self, emit: Callable[[T], None]) -> None:
        self._emit = emit
        self.expected = False  # whether facts come at all
        self.told_from = 0  # opens that began before are told by nobody
        self._is_silent = False

    @abstractmethod
    def waiting(self) -> bool:
        """Whether anything is held back."""

    @abstractmethod
    def passes(self, item: T) -> None:
        """Something that needs no path, in its place in the order."""

    def wait(
        self, tid: int, span: tuple[int, int], args: Mapping[str, Any], passed: str | None, make: Make[T],
    ) -> None:  # fmt: skip
        """A successful open, `span` being when; `make(path, sure)` builds what is emitted (None: it cannot be known).

        Not `sure` is a path that was chosen, among those the thread opened then, by the text passed.
        """
        flags = args.get("flags")
        if not self.expected or span[0] < self.told_from or (isinstance(flags, int) and flags & O_PATH):
            self.passes(make(None, False))
        else:
            self._wait(tid, span, _numbers(args), passed, make)

    @abstractmethod
    def _wait(self, tid: int, span: tuple[int, int], numbers: tuple[int, ...], passed: str | None, make: Make[T]) -> None: ...

    def fact(self, fact: SideFact, ts: int) -> None:
        """A side fact written at `ts`."""
        if self._is_silent:
            self._heard(fact, ts)
        elif fact.kind is Kind.PATH:
            self.expected = True
            self._tell(fact.tid, _told(fact, ts))
        elif fact.kind is Kind.CAUGHT_UP and fact.body == AIDE:
            self.expected = True
            self._caught_up(fact.when_ns, ts)
        elif fact.kind is Kind.SILENT and fact.body == AIDE:
            self.expected, self._is_silent = False, True
            self.lost()
        elif fact.kind is Kind.HEADER:
            self.expected = "fanotify" in ways_of(fact)

    def _heard(self, fact: SideFact, ts: int) -> None:
        """Where the word that opens are told again was lost, a path tells it, too."""
        if fact.kind is Kind.PATH or (fact.kind is Kind.TELLS and fact.body == AIDE):
            self._is_silent, self.expected = False, True
            self.told_from = fact.when_ns if fact.kind is Kind.TELLS else ts

    @abstractmethod
    def _tell(self, tid: int, told: Told) -> None: ...

    @abstractmethod
    def _caught_up(self, when: int, now: int) -> None:
        """All that happened before `when` has been told; it is `now`."""

    @abstractmethod
    def lost(self) -> None:
        """Opens are missing here: what is waiting is matched no more."""

    def advance(self, now: int) -> None:
        """Where the aide does not answer in time, show what is known."""
        self._give_up(now - PATIENCE)

    @abstractmethod
    def _give_up(self, before: int) -> None: ...


def _numbers(args: Mapping[str, Any]) -> tuple[int, ...]:
    """What the core compares: texts are in the path passed."""
    return tuple(value & _MOST for value in args.values() if isinstance(value, int))[:MOST_NUMBERS]


def _told(fact: SideFact, ts: int) -> Told:
    path, _, since = fact.body.partition(b"\0")
    return Told(path.decode("utf-8", "backslashreplace"), fact.when_ns, ts, _number(since))


def _number(digits: bytes) -> int:
    """Decimal digits; 0 where there is anything else."""
    if not digits.isdigit():
        return 0
    return _MOST if len(digits) > _MOST_DIGITS else min(int(digits), _MOST)
