"""How a run ends: what was lost in all, what could not be read, and the exit code that says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ftracepy.errors import DataLost, ExitCode

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.sinks import Sink
    from ftracepy.stream import Stream

_NS_PER_S = 1_000_000_000


class Ending:
    """Tells a sink, after the last row, the losses no page mentioned, late events and unreadable pages."""

    def __init__(self, stream: Stream, sink: Sink, *, strict: bool) -> None:
        self._stream = stream
        self._sink = sink
        self._strict = strict

    def tell(self) -> ExitCode:
        """Exit code FAILED where pages could not be read; raises DataLost where losses are forbidden."""
        stream, sink = self._stream, self._sink
        for cpu, count in stream.unseen_losses().items():
            sink.loss(cpu, count)
        for notice in stream.source.health().notices:
            sink.notice(notice)
        if stream.late:
            sink.notice(f"{stream.late} events came later than their turn and are shown out of order")
        for cpu, offset, reason in stream.faults[:10]:
            sink.notice(f"CPU {cpu}: the sub-buffer at byte {offset} cannot be read: {reason}")
        if len(stream.faults) > 10:
            sink.notice(f"{len(stream.faults) - 10} more sub-buffers cannot be read")
        sink.flush()
        if self._strict and (lost := stream.lost()):
            raise DataLost(f"{lost} events were lost", hint="a larger buffer (-b KB), fewer events, or a filter")
        return ExitCode.FAILED if stream.faults else ExitCode.DONE


def until_duration(batches: Iterator[Batch] | Stream, seconds: float | None) -> Iterator[Batch]:
    """The batches of the first `seconds` of trace time."""
    end_ns: int | None = None
    for batch in batches:
        if end_ns is None and len(batch) and seconds is not None:
            end_ns = batch.ts[0] + int(seconds * _NS_PER_S)
        if end_ns is None or not len(batch) or batch.ts[-1] < end_ns:
            yield batch
            continue
        yield batch.select(until_ns=end_ns)
        return
