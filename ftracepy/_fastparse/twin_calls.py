"""System calls counted in plain Python, by columns: what core/calls.c does, for batches of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch

_MAX_ERRNO = 4095
_RESTARTS = frozenset({-512, -513, -514, -516})


class CallCounter:
    """See _core.pyi."""

    def __init__(
        self, raw_enter: int, raw_exit: int, enters: dict[int, int], exits: dict[int, int], handled: Iterable[int]
    ) -> None:
        self._raw_enter, self._raw_exit = raw_enter, raw_exit
        self._enters, self._exits, self._handled = enters, exits, frozenset(handled)
        self._open: dict[int, tuple[int, int]] = {}  # by tid: key and start of the call it is in
        self._tallies: dict[int, dict[int, list[int]]] = {}  # by tid, then key: calls, errors, total, longest
        self._own: set[int] = set()
        self._batch: Batch | None = None
        self._columns: _Columns

    def count(self, batch: Batch, start: int, stop: int, raw: bool, /) -> int:
        if batch is not self._batch:
            self._batch = batch
            self._columns = _Columns(batch, self._raw_enter, self._raw_exit, () if raw else self._exits)
        columns, opened = self._columns, self._open
        enters, exits = ({}, {}) if raw else (self._enters, columns.rets)
        for at in range(start, stop):
            ident, tid, ts = columns.ids[at], columns.tids[at], columns.stamps[at]
            if ident == self._raw_enter and columns.entered:
                key = columns.entered()
            elif ident == self._raw_exit and columns.left and columns.returned:
                self._leave(tid, columns.left(), columns.returned(), ts)
                continue
            elif ident in enters:
                key = enters[ident]
            elif ident in exits:
                self._leave(tid, self._exits[ident], exits[ident](), ts)
                continue
            elif ident in self._handled:
                return at
            else:
                continue
            if tid not in self._own:
                opened[tid] = key, ts
                self._tally(tid, key)[0] += 1
        return stop

    def _leave(self, tid: int, key: int, ret: int, ts: int) -> None:
        entered = self._open.pop(tid, None)
        if entered is None or entered[0] != key:
            return
        tally, took = self._tally(tid, key), ts - entered[1]
        tally[2] += took
        tally[3] = max(tally[3], took)
        if -_MAX_ERRNO <= ret < 0 and ret not in _RESTARTS:
            tally[1] += 1

    def _tally(self, tid: int, key: int) -> list[int]:
        return self._tallies.setdefault(tid, {}).setdefault(key, [0, 0, 0, 0])

    def leave_out(self, tids: Iterable[int], /) -> None:
        self._own.update(tids)

    def tids(self) -> list[int]:
        return list(self._tallies)

    def take(self, tid: int, /) -> list[tuple[int, int, int, int, int]]:
        return [(key, *tally) for key, tally in self._tallies.pop(tid, {}).items()]  # type: ignore[misc]

    def lost(self) -> None:
        self._open.clear()

    def trim(self) -> None:
        """Nothing is kept here of threads that make no calls."""


class _Columns:
    """The values of one batch's system call events, each a function that gives the next one; None where there are no numbers."""

    def __init__(self, batch: Batch, raw_enter: int, raw_exit: int, exits: Iterable[int]) -> None:
        self._batch = batch
        self.ids, self.tids, self.stamps = batch.id.tolist(), batch.pid.tolist(), batch.ts.tolist()
        self._present = set(self.ids)
        self.entered = self._next(raw_enter, "id")
        self.left = self._next(raw_exit, "id")
        self.returned = self._next(raw_exit, "ret")
        self.rets = {ident: values for ident in exits if (values := self._next(ident, "ret"))}

    def _next(self, ident: int, field: str) -> Callable[[], int] | None:
        if ident not in self._present:
            return None
        try:
            return iter(self._batch.column(ident, field)[1].tolist()).__next__
        except (KeyError, TypeError):
            return None
