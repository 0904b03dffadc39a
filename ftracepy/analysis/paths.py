"""Pairs the files that an aide saw opened (PATH side facts) with the successful opens of the same thread.

An aide such as fanotify tells path and thread, in order, but neither time nor flags, and it tells one of several
opens of the same file by the same thread that happened before it looked. What is known of a fact: the open
happened before the aide's read that brought it (its `when_ns` is just before that read; facts of one read share it), and
a CAUGHT_UP fact says that everything older than its `when_ns` has been told. So facts are matched read by read; where
the numbers do not fit, opens with equal arguments are taken for the ones told once; and where that does not
explain it either, the path is not known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ftracepy.analysis.walk import ways_of
from ftracepy.sidefacts import Kind, SideFact

T = TypeVar("T")
PATIENCE = 1_000_000_000
_MOST_HELD_BACK = 65536
AIDE = "fanotify"


@dataclass(slots=True)
class _Open(Generic[T]):
    """A successful open whose file is not known yet, or (`made` set) a row behind it that keeps its place."""

    start: int
    end: int
    key: tuple[Any, ...]
    make: Callable[[str | None], T] | None
    made: T | None = None


@dataclass(slots=True)
class _Read:
    """What one read of the aide told of one thread."""

    when: int
    written: int
    paths: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Thread(Generic[T]):
    opens: deque[_Open[T]] = field(default_factory=deque)
    reads: deque[_Read] = field(default_factory=deque)


class PathFacts(Generic[T]):
    """Holds finished calls in their order until the paths of the opens among them are known or cannot come.

    `in_flight(tid)` tells whether a thread is inside an open now, whose fact may have come before its end.
    """

    def __init__(self, emit: Callable[[T], None], in_flight: Callable[[int], bool] = lambda _tid: False) -> None:
        self._emit = emit
        self._in_flight = in_flight
        self._queue: deque[_Open[T]] = deque()
        self._threads: dict[int, _Thread[T]] = {}
        self._expected = False

    def passes(self, item: T) -> None:
        """Something that needs no path, in its place in the order."""
        if not self._queue:
            self._emit(item)
        else:
            self._queue.append(_Open(0, 0, (), None, item))

    def wait(self, tid: int, start: int, end: int, key: tuple[Any, ...], make: Callable[[str | None], T]) -> None:
        """A successful open by `tid`; `make(path)` builds what is emitted (path None: it cannot be known)."""
        if not self._expected:
            self.passes(make(None))
            return
        one = _Open(start, end, key, make)
        self._queue.append(one)
        self._threads.setdefault(tid, _Thread()).opens.append(one)
        if len(self._queue) > _MOST_HELD_BACK:
            self._give_up(self._queue[0].end)

    def fact(self, fact: SideFact, ts: int) -> None:
        """A side fact written at `ts`."""
        if fact.kind is Kind.PATH:
            self._expected = True
            reads = self._threads.setdefault(fact.tid, _Thread()).reads
            if not reads or reads[-1].when != fact.when_ns:
                reads.append(_Read(fact.when_ns, ts))
            reads[-1].paths.append(fact.body.decode("utf-8", "backslashreplace"))
        elif fact.kind is Kind.CAUGHT_UP and fact.body.startswith(AIDE.encode()):
            self._expected = True
            self._caught_up(fact.when_ns)
        elif fact.kind is Kind.HEADER:
            self._expected = AIDE in ways_of(fact)

    def lost(self) -> None:
        """Opens are missing from here on back: what is waiting is matched no more."""
        for one in self._queue:
            _finish(one, None)
        self._threads.clear()
        self._flush()

    def advance(self, now: int) -> None:
        """The aide does not answer (or never will): show what is known."""
        self._give_up(now - PATIENCE)

    def _give_up(self, before: int) -> None:
        if not self._queue and not self._threads:
            return
        for one in self._queue:
            if one.make and one.end <= before:
                _finish(one, None)
        for tid, thread in list(self._threads.items()):
            thread.opens = deque(one for one in thread.opens if one.make)
            thread.reads = deque(read for read in thread.reads if read.written > before)
            if not thread.opens and not thread.reads:
                del self._threads[tid]
        self._flush()

    def _caught_up(self, when: int) -> None:
        for tid, thread in list(self._threads.items()):
            reads, thread.reads = thread.reads, deque()
            for read in reads:
                self._match(tid, thread, read)
            while thread.opens and thread.opens[0].end < when:
                _finish(thread.opens.popleft(), None)
            if not thread.opens and not thread.reads:
                del self._threads[tid]
        self._flush()

    def _match(self, tid: int, thread: _Thread[T], read: _Read) -> None:
        candidates = [one for one in thread.opens if one.start < read.written]
        surely = sum(one.end < read.when for one in candidates)
        told = len(read.paths)
        if told > len(candidates) and self._in_flight(tid):
            thread.reads.append(_Read(read.when, read.written, read.paths[-1:]))
            told -= 1
        taken = candidates[: max(surely, min(told, len(candidates)))]
        for one, path in zip(taken, _share_out([one.key for one in taken], read.paths[:told]), strict=True):
            thread.opens.popleft()
            _finish(one, path)

    def _flush(self) -> None:
        while self._queue and self._queue[0].make is None:
            made = self._queue.popleft().made
            if made is not None:
                self._emit(made)


def _finish(one: _Open[T], path: str | None) -> None:
    if one.make is not None:
        one.made, one.make = one.make(path), None


def _share_out(keys: list[tuple[Any, ...]], paths: list[str]) -> list[str | None]:
    """The path of each open: one each, or one for all opens with equal arguments, or not known."""
    if len(paths) == len(keys):
        return list(paths)
    distinct = list(dict.fromkeys(keys))
    if len(paths) == len(distinct):
        by_key = dict(zip(distinct, paths, strict=True))
        return [by_key[key] for key in keys]
    return [None] * len(keys)
