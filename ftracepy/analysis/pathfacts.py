"""Pairs opens with the paths told of their thread (paths.py).

Facts are counted against opens; where the numbers fit, they pair in order; where not, the texts passed to the calls and equal
arguments help (shares.py); where nothing does, the path stays unknown. core/rows_paths.c does the same for many.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ftracepy.analysis.paths import Make, Paths
from ftracepy.analysis.shares import Told, settled
from ftracepy.values import dataclass, field

T = TypeVar("T")
_SOON = 200_000_000  # how long a thread that never pauses is waited for, hoping for a moment when the numbers fit
_MOST_HELD_BACK = 65536


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


def _distinct(opens: deque[_Open[T]]) -> bool:
    """Whether no two have equal arguments: then hardly any two opened the same file."""
    return len({one.key for one in opens}) == len(opens)
