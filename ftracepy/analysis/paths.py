"""Pairs the files that fanotify saw opened (PATH side facts) with the successful opens of the same thread.

A fact tells thread and path, after the open and in the order of the opens, but not which open: opens of the same
file by one thread are told once if the queue was not read in between. CAUGHT_UP says that every open before its
`when_ns` has been told. So facts are counted against opens; where the numbers fit, they pair in order; where not, the
texts passed to the calls and equal arguments help (shares.py); where nothing does, the path stays unknown.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from ftracepy.analysis.shares import Told, settled
from ftracepy.analysis.walk import ways_of
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.values import dataclass, field

T = TypeVar("T")
Make = Callable[["str | None", bool], T]
AIDE = b"opens"
PATIENCE = 1_000_000_000
_SOON = 200_000_000  # how long a thread that never pauses is waited for, hoping for a moment when the numbers fit
_MOST_HELD_BACK = 65536
_MOST, _MOST_DIGITS = (1 << 64) - 1, 20
MOST_NUMBERS = 8  # FP_HELD_KEYS of core/rows_paths.h: no call has so many arguments
O_PATH = 0o10000000  # such opens are told by nobody


@dataclass(slots=True)
class _Open(Generic[T]):
    """A successful open whose file is not known yet, or (`made` set) something that keeps its place in the order."""

    start: int = 0
    end: int = 0
    key: tuple[Any, ...] = ()
    passed: str | None = None
    make: Callable[[str | None, bool], T] | None = None
    made: T | None = None

    def finish(self, path: str | None, *, sure: bool = False) -> None:
        if self.make is not None:
            self.made, self.make = self.make(path, sure), None


@dataclass(slots=True)
class _Thread(Generic[T]):
    opens: deque[_Open[T]] = field(default_factory=deque)
    told: deque[Told] = field(default_factory=deque)


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


class PathFacts(Paths[T]):
    """Each open and fact by itself. `in_open(tid)` tells whether a thread is inside an open now, which may have been told
    before its end.
    """

    def __init__(self, emit: Callable[[T], None], in_open: Callable[[int], bool] = lambda _tid: False) -> None:
        super().__init__(emit)
        self._in_open = in_open
        self._queue: deque[_Open[T]] = deque()
        self._threads: dict[int, _Thread[T]] = {}

    def waiting(self) -> bool:
        return bool(self._queue)

    def passes(self, item: T) -> None:
        if not self._queue:
            self._emit(item)
        else:
            self._queue.append(_Open(made=item))

    def _wait(self, tid: int, span: tuple[int, int], numbers: tuple[int, ...], passed: str | None, make: Make[T]) -> None:
        one = _Open(*span, (numbers, passed), passed, make)
        self._queue.append(one)
        self._of(tid).opens.append(one)
        if len(self._queue) > _MOST_HELD_BACK:
            self._give_up(self._queue[0].end)

    def _of(self, tid: int) -> _Thread[T]:
        """Not by setdefault: it would make a thread for each open and fact."""
        if (thread := self._threads.get(tid)) is None:
            thread = self._threads[tid] = _Thread()
        return thread

    def _tell(self, tid: int, told: Told) -> None:
        self._of(tid).told.append(told)

    def lost(self) -> None:
        for one in self._queue:
            one.finish(None)
        self._threads.clear()
        self._flush()

    def _give_up(self, before: int) -> None:
        for one in self._queue:
            if one.end > before:
                break
            one.finish(None)
        for tid, thread in list(self._threads.items()):
            while thread.opens and thread.opens[0].make is None:
                thread.opens.popleft()
            while thread.told and thread.told[0].written <= before:
                thread.told.popleft()
            self._forget_if_done(tid, thread)
        self._flush()

    def _forget_if_done(self, tid: int, thread: _Thread[T]) -> None:
        if not thread.opens and not thread.told:
            del self._threads[tid]

    def _caught_up(self, when: int, now: int) -> None:
        for tid, thread in list(self._threads.items()):
            while thread.told and (not thread.opens or thread.told[0].written < thread.opens[0].start):
                if not thread.opens and self._in_open(tid):
                    break
                thread.told.popleft()
            if thread.opens and thread.opens[0].end < when:
                self._match(tid, thread, when, now)
            self._forget_if_done(tid, thread)
        self._flush()

    def _match(self, tid: int, thread: _Thread[T], when: int, now: int) -> None:
        """Settle the opens that ended before `when`; later ones may have been told already, and one that has not ended."""
        closed = self._apart(thread, [one for one in thread.opens if one.end < when])
        if not closed:
            return
        later = len(thread.opens) - len(closed)
        told, most = len(thread.told), len(thread.opens) + self._in_open(tid)
        fits = len(thread.opens) <= told <= most
        if fits or not later:
            count = len(closed) if fits else told
        elif len(closed) <= told < most and (_distinct(thread.opens) or closed[0].end < now - _SOON):
            count = len(closed)
        elif closed[0].end >= now - _SOON:
            return
        else:
            count = told
        self._settle(thread, closed, [thread.told.popleft() for _ in range(count)])

    def _apart(self, thread: _Thread[T], closed: list[_Open[T]]) -> list[_Open[T]]:
        """Settle those that time sets apart from the ones behind them, with what was told of them; returns the rest."""
        opens, told = list(thread.opens), list(thread.told)
        begun = taken = mine = before = 0
        for at, one in enumerate(closed[: len(opens) - 1], 1):
            while mine < len(told) and told[mine].since <= one.end:
                mine += 1
            while before < len(told) and told[before].when < opens[at].start:
                before += 1
            if mine <= before:
                self._settle(thread, closed[begun:at], told[taken:mine])
                begun, taken = at, before
        for _ in range(taken):
            thread.told.popleft()
        return closed[begun:]

    def _settle(self, thread: _Thread[T], closed: list[_Open[T]], told: list[Told]) -> None:
        spans, asked = [(one.start, one.end) for one in closed], [(one.key, one.passed) for one in closed]
        for one, (path, sure) in zip(closed, settled(spans, asked, told), strict=True):
            thread.opens.popleft()
            one.finish(path, sure=sure)

    def _flush(self) -> None:
        while self._queue and self._queue[0].make is None:
            made = self._queue.popleft().made
            if made is not None:
                self._emit(made)


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


def _distinct(opens: deque[_Open[T]]) -> bool:
    """Whether no two have equal arguments: then hardly any two opened the same file."""
    return len({one.key for one in opens}) == len(opens)
