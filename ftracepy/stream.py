"""One time order over all CPUs: a source's rounds become batches, with what was lost kept in its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from ftracepy._fastparse import Batch, ColumnBatch
from ftracepy.batch import Decoder, decoder_for
from ftracepy.source import Round, Source

ALL_NS = 2**64 - 1
_BATCH_EVENTS = 65536
_Taken = TypeVar("_Taken", Batch, ColumnBatch)


class Stream:
    """The events of a source, as time-ordered batches; read it once.

    `on_idle` is called before each wait for the source, so that rows already made can be flushed.
    A batch may be empty: its `until_ns` still says how far time has come (raw clock), which is what
    intervals are cut by, live and on replay alike.
    """

    def __init__(self, source: Source, *, on_idle: Callable[[], None] | None = None) -> None:
        self.source = source
        self.schema = source.schema
        self.on_idle = on_idle
        self.events = 0
        self.late = 0
        self.faults: list[tuple[int, int, str]] = []
        self.losses_seen: Counter[int] = Counter()
        self._promised_ns = 0
        self._losses = 0

    def __iter__(self) -> Iterator[Batch]:
        decoder = decoder_for(self.schema, self.source.cpus)
        yield from self._batches(decoder, decoder.batch)

    def columns(self, wanted: Mapping[int, Sequence[str]], *, only: bool = False) -> Iterator[ColumnBatch]:
        """Instead of the events, columns: number fields by event id; with `only`, those events alone. See Decoder.want."""
        decoder = decoder_for(self.schema, self.source.cpus)
        decoder.want(wanted, only)
        yield from self._batches(decoder, decoder.columns)

    def _batches(self, decoder: Decoder, take: Callable[[int, int], _Taken]) -> Iterator[_Taken]:
        for round_ in self._rounds():
            for pages in round_.pages:
                decoder.feed(pages.cpu, pages.data, pages.offset_bytes)
            until_ns = ALL_NS if round_.last else round_.until_ns
            while True:
                batch = take(until_ns, _BATCH_EVENTS)
                self._account(batch, until_ns)
                yield batch
                if len(batch) < _BATCH_EVENTS:
                    break

    def _rounds(self) -> Iterator[Round]:
        rounds = iter(self.source.rounds())
        while True:
            if self.on_idle:
                self.on_idle()
            try:
                round_ = next(rounds)
            except StopIteration:
                return
            yield round_
            if round_.last:
                return

    def _account(self, batch: Batch | ColumnBatch, until_ns: int) -> None:
        self.events += len(batch)
        self.faults.extend(batch.faults)
        self._losses += len(batch.losses)
        for _index, cpu, count in batch.losses:
            self.losses_seen[cpu] += max(count, 0)
        if len(batch) and batch.ts[0] < self._promised_ns:
            self.late += sum(1 for ts in batch.ts if ts < self._promised_ns)
        if len(batch) < _BATCH_EVENTS and until_ns != ALL_NS:
            self._promised_ns = max(self._promised_ns, until_ns)

    def lost(self) -> int:
        """Events known to be lost: by the kernel's counters, or by the pages where those say more (at least one a loss)."""
        return max(self.source.health().lost, sum(self.losses_seen.values()), self._losses)

    def unseen_losses(self) -> dict[int, int]:
        """Losses by CPU that the kernel counted and no page mentioned: exact once the source has ended."""
        missing = {one.cpu: one.lost - self.losses_seen[one.cpu] for one in self.source.health().stats}
        return {cpu: count for cpu, count in missing.items() if count > 0}
