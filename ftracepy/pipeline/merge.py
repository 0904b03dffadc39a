"""Several buffers of one recording in one time order: which run of whose events comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.schema import TimeScale


class Run(NamedTuple):
    """batch[start:stop] of the buffer numbered `number` comes next, with the losses in it."""

    number: int
    batch: Batch
    start: int
    stop: int


class _Head:
    """Where one buffer stands: its batch, the times of that as shown, and the next event in it."""

    def __init__(self, number: int, batches: Iterator[Batch], time: TimeScale) -> None:
        self.number = number
        self._batches = batches
        self._time = time
        self.batch: Batch | None = None
        self.at = 0
        self.times: list[int] = []

    def next_batch(self) -> bool:
        """Go on to the next batch; False after the last."""
        self.batch, self.at = next(self._batches, None), 0
        if self.batch is None:
            return False
        mult, shift, offset = self._time.mult, self._time.shift, self._time.offset_ns
        self.times = [(ts * mult >> shift) + offset for ts in self.batch.ts]
        return True

    @property
    def due(self) -> tuple[int, int]:
        return self.times[self.at], self.number


def merge(buffers: Iterable[tuple[Iterator[Batch], TimeScale]], stopped: Callable[[], bool] = lambda: False) -> Iterator[Run]:
    """Yield runs in time order as shown; of equal times the first buffer's come first. One buffer alone is not compared."""
    buffers = list(buffers)
    if len(buffers) == 1:
        yield from (Run(0, batch, 0, len(batch)) for batch in takewhile(lambda _: not stopped(), buffers[0][0]))
        return
    waiting: list[_Head] = []
    for number, (batches, time) in enumerate(buffers):
        head = _Head(number, batches, time)
        yield from _fill(head, waiting)
    while waiting and not stopped():
        first = min(waiting, key=_due)
        others = [head.due for head in waiting if head is not first]
        yield from _take(first, min(others, default=None))
        if first.at == len(first.times):
            waiting.remove(first)
            yield from _fill(first, waiting)


def _fill(head: _Head, waiting: list[_Head]) -> Iterator[Run]:
    """Put `head` back with its next events; a batch without any may still tell of losses."""
    while head.next_batch():
        if head.times:
            waiting.append(head)
            return
        if head.batch is not None and head.batch.losses:
            yield Run(head.number, head.batch, 0, 0)


def _take(head: _Head, other: tuple[int, int] | None) -> Iterator[Run]:
    """All events that come before `other` is due; the first is, and times may jump back after it."""
    times, start, stop = head.times, head.at, len(head.times)
    if other is not None:
        due_ns = other[0] + (head.number < other[1])
        stop = next((at for at in range(start + 1, stop) if times[at] >= due_ns), stop)
    head.at = stop
    if head.batch is not None:
        yield Run(head.number, head.batch, start, stop)


def _due(head: _Head) -> tuple[int, int]:
    return head.due
