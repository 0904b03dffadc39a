"""The decoder in plain Python: what the C core does, slowly; used where there is no compiler, and to check the C."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import index
from typing import Any

from ftracepy._fastparse.twin_columns import ColumnBatch
from ftracepy._fastparse.twin_fields import NO_TYPE, SCALAR, Event, EventType
from ftracepy._fastparse.twin_pages import UNKNOWN, Layout, Page, PageFault, open_page

ALL_NS = 2**64 - 1
Buffer = bytes | bytearray | memoryview
__all__ = ["Batch", "ColumnBatch", "Decoder", "Event"]


class Batch:
    """Events of all CPUs in time order, with what was lost and what could not be read."""

    def __init__(self, types: dict[int, EventType]) -> None:
        self._types = types
        self._events: list[Event] = []
        self.losses: list[tuple[int, int, int]] = []
        self.faults: list[tuple[int, int, str]] = []
        self.until_ns = 0

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __getitem__(self, at: int) -> Event:
        return self._events[at]

    @property
    def ts(self) -> memoryview:
        return _column("Q", (event.ts for event in self._events))

    @property
    def cpu(self) -> memoryview:
        return _column("H", (event.cpu for event in self._events))

    @property
    def id(self) -> memoryview:
        return _column("H", (event.id for event in self._events))

    @property
    def pid(self) -> memoryview:
        return _column("i", (event.pid for event in self._events))

    def column(self, id: int, field: str, /) -> tuple[memoryview, memoryview]:
        spec = self._types.get(id, NO_TYPE).fields[field]
        if spec.shape != SCALAR:
            raise TypeError(f"field {field!r} is not a single number")
        indices = [at for at, event in enumerate(self._events) if event.id == id]
        values = (self._events[at].number(spec) for at in indices)
        return _column("I", indices), _column("q" if spec.signed else "Q", values)

    def select(
        self,
        *,
        cpus: Iterable[int] | None = None,
        ids: Iterable[int] | None = None,
        pids: Iterable[int] | None = None,
        since_ns: int = 0,
        until_ns: int = ALL_NS,
    ) -> Batch:
        """The chosen events, with the losses of the chosen CPUs and times in their place."""
        _check_u64(since_ns)
        _check_u64(until_ns)
        chosen = Batch(self._types)
        chosen.until_ns, chosen.faults = self.until_ns, self.faults
        wanted = [(name, set(map(index, some))) for name, some in (("cpu", cpus), ("id", ids), ("pid", pids)) if some is not None]
        losses = iter([*self.losses, (len(self) + 1, -1, 0)])
        loss = next(losses)
        for at in range(len(self) + 1):
            while loss[0] <= at:
                ts = self._events[min(at, len(self) - 1)].ts if self._events else since_ns
                if _in_time(ts, since_ns, until_ns) and all(name != "cpu" or loss[1] in some for name, some in wanted):
                    chosen.losses.append((len(chosen), loss[1], loss[2]))
                loss = next(losses)
            if at < len(self) and _in_time(self._events[at].ts, since_ns, until_ns):
                event = self._events[at]
                if all(getattr(event, name) in some for name, some in wanted):
                    chosen._events.append(event)
        return chosen


def _in_time(ts: int, since_ns: int, until_ns: int) -> bool:
    return ts >= since_ns and (until_ns == ALL_NS or ts < until_ns)


def _column(typecode: str, values: Iterable[int]) -> memoryview:
    return memoryview(array(typecode, values)).toreadonly()


class _Stream:
    """One CPU: its queue of fed buffers, where reading stands in them, and the next record."""

    def __init__(self, cpu: int, layout: Layout) -> None:
        self.cpu = cpu
        self._layout = layout
        self._queue: deque[tuple[memoryview, int]] = deque()
        self._page_offset = 0
        self._records: Iterator[tuple[int, bytes]] = iter(())
        self.head: tuple[int, bytes] | None = None
        self.missed = 0

    def feed(self, data: memoryview, offset: int) -> None:
        self._queue.append((data, offset))

    def peek(self, batch: Batch) -> bool:
        """Have the next record in `head`, over as many sub-buffers as it takes; False when all is read."""
        while self.head is None:
            try:
                self.head = next(self._records, None)
                if self.head is None and not self._next_page():
                    return False
            except PageFault as fault:
                batch.faults.append((self.cpu, self._page_offset + fault.offset, fault.reason))
                self._records = iter(())
                self._lose(UNKNOWN)  # what a fault skips is lost too
        return True

    def take(self, batch: Batch) -> tuple[int, bytes]:
        """The head; what was lost before it is told first."""
        assert self.head is not None
        head, self.head = self.head, None
        self.tell_loss(batch)
        return head

    def tell_loss(self, batch: Batch) -> None:
        if self.missed:
            batch.losses.append((len(batch), self.cpu, self.missed))
            self.missed = 0

    def _next_page(self) -> bool:
        while self._queue and not self._queue[0][0]:
            self._queue.popleft()
        if not self._queue:
            return False
        data, self._page_offset = self._queue.popleft()
        size = self._layout.page_bytes
        self._queue.appendleft((data[size:], self._page_offset + size))
        page: Page = open_page(self._layout, data[:size])
        self._lose(page.missed)
        self._records = page.records()
        return True

    def _lose(self, count: int) -> None:
        self.missed = UNKNOWN if UNKNOWN in (self.missed, count) else self.missed + count


class Decoder:
    """Decoder(layout, events, cpus): sub-buffers of one instance to batches of events."""

    def __init__(self, layout: tuple[Any, ...], events: list[tuple[Any, ...]], cpus: Sequence[int]) -> None:
        self._layout = Layout(*layout)
        self._layout.check()
        self._types = {id_: EventType(system, name, own, common) for id_, system, name, own, common in events}
        if any(not 0 <= id_ <= 0xFFFF for id_ in self._types):
            raise ValueError("event: an id is 16 bits wide")
        if any(not 0 <= cpu <= 0xFFFF for cpu in cpus):
            raise ValueError("a CPU number is 0 to 65535")
        self._streams = {cpu: _Stream(cpu, self._layout) for cpu in sorted(cpus)}
        self._wanted: tuple[dict[int, set[str]], bool] | None = None

    def feed(self, cpu: int, data: Buffer, offset_bytes: int = 0) -> None:
        if cpu not in self._streams:
            raise ValueError(f"CPU {cpu} is not one of this decoder's")
        _check_u64(offset_bytes)
        self._streams[cpu].feed(memoryview(data).cast("B"), offset_bytes)

    def batch(self, until_ns: int = ALL_NS, max_events: int = 65536) -> Batch:
        return self._batch(until_ns, max_events, None)

    def _batch(self, until_ns: int, max_events: int, counted: set[int] | None) -> Batch:
        _check_u64(until_ns)
        if not 1 <= max_events <= 2**32 - 1:
            raise ValueError("max_events is 1 to 4294967295")
        batch = Batch(self._types)
        complete = until_ns == 0 or self._merge(batch, until_ns, max_events, counted)
        batch.until_ns = until_ns if complete else batch._events[-1].ts
        return batch

    def want(self, fields: Mapping[int, Iterable[str]], only: bool = False) -> None:
        wanted = {id_: set(names) for id_, names in fields.items()}
        for id_, names in wanted.items():
            if not 0 <= id_ <= 0xFFFF:
                raise KeyError(id_)
            known = self._types.get(id_, NO_TYPE).fields
            if any(known[name].shape != SCALAR for name in names):
                raise TypeError("a field is not a single number")
        self._wanted = wanted, only

    def columns(self, until_ns: int = ALL_NS, max_events: int = 65536) -> ColumnBatch:
        if self._wanted is None:
            raise ValueError("want() says what columns() gives")
        wanted, only = self._wanted
        return ColumnBatch(self._batch(until_ns, max_events, set(wanted) if only else None), wanted, only)

    def _merge(self, batch: Batch, until_ns: int, max_events: int, counted: set[int] | None) -> bool:
        """Hand out the earliest record of all CPUs, the first CPU's among equals, until time or room ends.

        With `counted`, events of other ids take no room.
        """
        room = max_events
        waiting = [stream for stream in self._streams.values() if stream.peek(batch)]
        while waiting and room:
            stream = min(waiting, key=_due)
            if not _before(stream, until_ns):
                break
            self._hand_out(stream, batch)
            room -= counted is None or batch._events[-1].id in counted
            if not stream.peek(batch):
                waiting.remove(stream)
        for stream in self._streams.values():
            if stream.head is None:
                stream.tell_loss(batch)
        return not waiting or not _before(min(waiting, key=_due), until_ns)

    def _hand_out(self, stream: _Stream, batch: Batch) -> None:
        ts, raw = stream.take(batch)
        at = self._layout.type_offset
        id_ = int.from_bytes(raw[at : at + 2], self._layout.order)
        batch._events.append(Event(self._layout, self._types.get(id_, NO_TYPE), ts, stream.cpu, id_, raw))


def _check_u64(number: int) -> None:
    if not 0 <= number <= ALL_NS:
        raise OverflowError("a number of 64 bits without sign is needed")


def _due(stream: _Stream) -> tuple[int, int]:
    assert stream.head is not None
    return stream.head[0], stream.cpu


def _before(stream: _Stream, until_ns: int) -> bool:
    return until_ns == ALL_NS or _due(stream)[0] < until_ns
