"""The last events of a stream, kept as the batches they came in: nothing is decoded before somebody looks at it.

Everything has a number that it keeps, counted from the first event that was ever there; asides have numbers too, so that a
list shows them in their place.
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


class Aside:
    """What stands between events and is none."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Loss(Aside):
    """Events lost on `cpu` at this place; `events` None: nobody knows how many."""

    cpu: int
    events: int | None

    def __str__(self) -> str:
        count = "an unknown number of" if self.events is None else f"{self.events:,}"
        return f"{count} event{'' if self.events == 1 else 's'} lost on CPU {self.cpu}"


@dataclass(frozen=True, slots=True)
class Said(Aside):
    """A word of the run's own about what is recorded from this place on."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events in a row: `asides` are (place in the chunk, aside), places counting events and asides alike."""

    events: Batch | list[Event]
    asides: list[tuple[int, Aside]]
    stamps: Sequence[int]

    def __len__(self) -> int:
        return len(self.events) + len(self.asides)

    def item(self, place: int) -> Event | Aside:
        before = bisect_left(self.asides, place, key=lambda one: one[0])
        if before < len(self.asides) and self.asides[before][0] == place:
            return self.asides[before][1]
        return self.events[place - before]

    def place_of(self, index: int) -> int:
        """Where the event `index` of `events` stands."""
        for at, _aside in self.asides:
            if at > index:
                break
            index += 1
        return index


class EventStore:
    """The newest `limit` events and asides. One thread appends, others look."""

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

    def append(self, batch: Batch, said: Sequence[tuple[int, str]] = ()) -> None:
        """Keep a batch's events, and what was `said` when (raw clock) among them; batches come in the order of time."""
        if not len(batch) and not batch.losses and not said:
            return
        chunk = _chunk(batch, said)
        with self._lock:
            self._chunks.append(chunk)
            self._starts.append(self._end)
            self._end += len(chunk)
            for _index, cpu, count in batch.losses:
                self.lost[cpu] = self.lost.get(cpu, 0) + max(count, 0)
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

    def item(self, number: int) -> Event | Aside | None:
        """What has this number; None where it is gone or not there yet."""
        with self._lock:
            at = bisect_right(self._starts, number) - 1
            if at < 0 or number >= self._end:
                return None
            return self._chunks[at].item(number - self._starts[at])

    def items(self, start: int, count: int) -> list[Event | Aside]:
        """Up to `count` of them from number `start` on, which must not be older than `first`."""
        found: list[Event | Aside] = []
        for begin, chunk in self.chunks(start, start + count):
            places = range(max(start - begin, 0), min(start + count - begin, len(chunk)))
            found += map(chunk.item, places) if chunk.asides else map(chunk.events.__getitem__, places)
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


def _chunk(batch: Batch, said: Sequence[tuple[int, str]]) -> Chunk:
    found: list[tuple[int, Aside]] = [(index, Loss(cpu, None if count < 0 else count)) for index, cpu, count in batch.losses]
    found += [(bisect_left(batch.ts, ts), Said(text)) for ts, text in said]
    asides = [(index + order, aside) for order, (index, aside) in enumerate(sorted(found, key=lambda one: one[0]))]
    few = len(batch) < _FEW_A_CPU * len(set(batch.cpu.tolist()))
    events = [event.keep() for event in batch] if few else batch
    return Chunk(events, asides, batch.ts.tolist() if few else batch.ts)
