"""The last events of a stream, kept as the batches they came in: nothing is decoded before somebody looks at it.

Everything has a number that it keeps, counted from the first event that was ever there; losses have numbers too, so that
a list shows them in their place.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, Event

# A batch keeps its sub-buffers in memory, one for each CPU at least, however few events lie in them.
_FEW_A_CPU = 64


@dataclass(frozen=True, slots=True)
class Loss:
    """Events lost on `cpu` at this place; `events` None: nobody knows how many."""

    cpu: int
    events: int | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events in a row: `losses` are (place in the chunk, loss), places counting events and losses alike."""

    events: Batch | list[Event]
    losses: list[tuple[int, Loss]]
    stamps: Sequence[int]

    def __len__(self) -> int:
        return len(self.events) + len(self.losses)

    def item(self, place: int) -> Event | Loss:
        before = bisect_left(self.losses, place, key=lambda one: one[0])
        if before < len(self.losses) and self.losses[before][0] == place:
            return self.losses[before][1]
        return self.events[place - before]

    def place_of(self, index: int) -> int:
        """Where the event `index` of `events` stands."""
        for at, _loss in self.losses:
            if at > index:
                break
            index += 1
        return index


class EventStore:
    """The newest `limit` events and losses. One thread appends, others look."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self.limit = limit
        self._lock = Lock()
        self._chunks: list[Chunk] = []
        self._starts: list[int] = []
        self._end = 0
        self.lost: dict[int, int] = {}

    @property
    def first(self) -> int:
        """The oldest number that is still here."""
        return self._starts[0] if self._starts else self._end

    @property
    def end(self) -> int:
        """One more than the newest number."""
        return self._end

    def append(self, batch: Batch) -> None:
        """Keep a batch's events; batches come in the order of time."""
        if not len(batch) and not batch.losses:
            return
        chunk = _chunk(batch)
        with self._lock:
            self._chunks.append(chunk)
            self._starts.append(self._end)
            self._end += len(chunk)
            for _place, loss in chunk.losses:
                self.lost[loss.cpu] = self.lost.get(loss.cpu, 0) + (loss.events or 0)
            self._drop()

    def _drop(self) -> None:
        """Whole chunks, many at a time: taking one from the front of a list moves all the others."""
        spare = self._end - self.limit
        gone = bisect_right(self._starts, spare) - 1
        if gone > 0 and (gone >= 64 or gone * 2 >= len(self._starts)):
            del self._chunks[:gone], self._starts[:gone]

    def clear(self) -> None:
        """Forget what is here; numbers go on."""
        with self._lock:
            self._chunks, self._starts = [], []

    def item(self, number: int) -> Event | Loss | None:
        """What has this number; None where it is gone or not there yet."""
        with self._lock:
            at = bisect_right(self._starts, number) - 1
            if at < 0 or number >= self._end:
                return None
            return self._chunks[at].item(number - self._starts[at])

    def items(self, start: int, count: int) -> list[Event | Loss]:
        """Up to `count` of them from number `start` on, which must not be older than `first`."""
        found: list[Event | Loss] = []
        for begin, chunk in self.chunks(start, start + count):
            places = range(max(start - begin, 0), min(start + count - begin, len(chunk)))
            found += map(chunk.item, places) if chunk.losses else map(chunk.events.__getitem__, places)
        return found

    def chunks(self, start: int, stop: int) -> list[tuple[int, Chunk]]:
        """(number of its first, chunk) of the chunks that hold numbers from `start` to `stop`, which they may exceed."""
        with self._lock:
            at = max(bisect_right(self._starts, start) - 1, 0)
            until = bisect_left(self._starts, stop)
            return list(zip(self._starts[at:until], self._chunks[at:until], strict=True))

    def at_time(self, ts: int) -> int:
        """The number of the first event that is not older than `ts` (raw clock)."""
        with self._lock:
            at = max(bisect_right(self._chunks, ts, key=lambda one: one.stamps[0] if len(one.stamps) else 0) - 1, 0)
            if not self._chunks:
                return self._end
            chunk, start = self._chunks[at], self._starts[at]
        return start + chunk.place_of(bisect_left(chunk.stamps, ts))


def _chunk(batch: Batch) -> Chunk:
    losses = [(index + order, Loss(cpu, None if count < 0 else count)) for order, (index, cpu, count) in enumerate(batch.losses)]
    few = len(batch) < _FEW_A_CPU * len(set(batch.cpu.tolist()))
    events = [event.keep() for event in batch] if few else batch
    return Chunk(events, losses, batch.ts.tolist() if few else batch.ts)
