"""Recordings for Python programs and notebooks: events in time order, one event's columns, a tool's rows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ftracepy import recording
from ftracepy.columns import Columns, columns_of, fields_of, is_number
from ftracepy.errors import UsageFault
from ftracepy.pipeline.report import Selection, matches_any, no_such_event
from ftracepy.pipeline.requests import ReportRequest
from ftracepy.stream import Stream
from ftracepy.text import Formatter

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, Event
    from ftracepy.schema import EventFormat, Schema
    from ftracepy.tools.kit import Row

_Taken = TypeVar("_Taken")


class Trace:
    """One instance of a recording, to be read as often as wanted; each reading begins anew and holds only what it is at.

    Times are as `ftracepy report` shows them, in nanoseconds unless the clock counts something else. Where bytes are
    damaged, reading goes on behind them, and `notices` and `losses` tell it.
    """

    def __init__(self, path: str | os.PathLike[str], instance: str | None = None) -> None:
        self._recording = recording.open(path, instance)
        self._losses: dict[int, int | None] | None = None
        self._notices: list[str] = []

    @property
    def schema(self) -> Schema:
        """What the events' bytes mean."""
        return self._recording.schema

    @property
    def clock(self) -> str:
        """The trace clock, by the kernel's name."""
        return self.schema.clock

    @property
    def uname(self) -> str:
        """The machine that was recorded, as far as the recording tells."""
        return self.schema.uname

    @property
    def cpus(self) -> Sequence[int]:
        """The CPUs that the recording has pages of."""
        return self._recording.cpus

    @property
    def instance(self) -> str:
        """The name of the instance that is read, "" for the top-level buffer."""
        return self._recording.instance

    @property
    def instances(self) -> list[str]:
        """All instances of the recording."""
        return [one.name for one in self._recording.buffers]

    @property
    def formats(self) -> Mapping[str, EventFormat]:
        """Every event that the recorded kernel knew, by "system:name", whether there are any or not."""
        return {f"{one.system}:{one.name}": one for one in self.schema.formats.values()}

    @property
    def losses(self) -> Mapping[int, int | None]:
        """Events that were lost, by CPU; None where it is known only that there were some. Reads the recording once."""
        if self._losses is None:
            for _ in self._batches():
                pass
        return self._losses or {}

    @property
    def notices(self) -> list[str]:
        """What could not be read, in words: of the file's head at once, of its pages once they were read."""
        return list(dict.fromkeys([*self._recording.health().notices, *self._notices]))

    def counts(self) -> Counter[str]:
        """How many events there are of each, by "system:name"."""
        found = Counter[int]()
        for batch in self._batches():
            found.update(batch.id.tolist())
        formats = self.schema.formats
        names = {id: f"{formats[id].system}:{formats[id].name}" if id in formats else f"unknown:{id}" for id in found}
        return Counter({names[id]: count for id, count in found.most_common()})

    def __iter__(self) -> Iterator[Event]:
        """All events, in time order."""
        return self.events()

    def events(
        self, *names: str, cpus: Collection[int] = (), pids: Collection[int] = (),
        since_s: float | None = None, until_s: float | None = None,
    ) -> Iterator[Event]:  # fmt: skip
        """Events in time order, by SYSTEM:EVENT, EVENT or SYSTEM (* and ? match), CPU, thread, and since_s <= time < until_s.

        What is not given lets all pass. An event's fields are read when asked for: event["next_pid"]. One that is
        to be held for long is kept by `event.keep()`. Raises UsageFault for a name that matches nothing.
        """
        chosen = self._selection(names, cpus, pids, since_s, until_s)
        return (event for batch in self._batches() for event in chosen(batch))

    def columns(
        self, name: str, fields: Sequence[str] | None = None, *, cpus: Collection[int] = (), pids: Collection[int] = (),
        since_s: float | None = None, until_s: float | None = None,
    ) -> Columns:  # fmt: skip
        """All events of one kind, "system:name" or a name that is the only one, by column; see Columns for what they are.

        `fields` are the event's own fields, all of them unless said. Raises UsageFault for an event or field there is not.
        """
        kind = self._kind(name)
        wanted = fields_of(kind, fields)
        if all(map(is_number, wanted)) and not (cpus or pids) and since_s is until_s is None:
            names = {kind.id: [one.name for one in wanted]}
            return columns_of(self._read(lambda stream: stream.columns(names, only=True)), self.schema, kind, wanted)
        chosen = self._selection((f"{kind.system}:{kind.name}",), cpus, pids, since_s, until_s)
        return columns_of((chosen(batch) for batch in self._batches()), self.schema, kind, wanted)

    def rows(self, tool: str, **options: Any) -> Iterator[Row]:
        """What `ftracepy TOOL --replay` shows, as its rows: trace.rows("opensnoop", failed=True). The instance is this one.

        Options are the tool's, by their long names with _ for -. Raises UsageFault for a tool there is not, TypeError for
        an option.
        """
        from ftracepy.analysis.feed import Feed
        from ftracepy.tools import kit

        found = kit.load(tool)
        yield from found.run(Feed(self._batches(), self.schema, notice=self._notices.append), found.options(**options))

    def ts_ns(self, event: Event) -> int:
        """When the event was, as shown; `event.ts` is the raw stamp."""
        time = self.schema.time
        return (event.ts * time.mult >> time.shift) + time.offset_ns

    def comm(self, event: Event) -> str:
        """The name of the task that the event happened in, "<...>" where the recording does not know it."""
        return self.schema.comm(event.pid) or "<...>"

    def text(self, event: Event) -> str:
        """The event's own text, as the kernel's `trace` file has it behind the event's name."""
        return self._formatter.text(event)

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to undo: the file is closed with the last that reads it."""

    @cached_property
    def _formatter(self) -> Formatter:
        return Formatter(self.schema)

    def _batches(self) -> Iterator[Batch]:
        return self._read(iter)

    def _read(self, take: Callable[[Stream], Iterator[_Taken]]) -> Iterator[_Taken]:
        """What `take` gives of all events, and what is known only after the last of them."""
        stream = Stream(self._recording.again())
        yield from take(stream)
        self._losses = _lost(stream)
        self._notices += stream.source.health().notices
        self._notices += [f"CPU {cpu}: the sub-buffer at byte {at} cannot be read: {why}" for cpu, at, why in stream.faults]

    def _selection(
        self, names: tuple[str, ...], cpus: Collection[int], pids: Collection[int], since_s: float | None, until_s: float | None
    ) -> Selection:
        for name in names:
            if not matches_any(name, self.schema):
                raise no_such_event(name)
        request = ReportRequest(
            self._recording.path, cpus=frozenset(cpus), events=names, pids=frozenset(pids), since_s=since_s, until_s=until_s
        )
        return Selection(request, self.schema)

    def _kind(self, name: str) -> EventFormat:
        found = [one for one in self.schema.formats.values() if name in (one.name, f"{one.system}:{one.name}")]
        if not found:
            raise no_such_event(name)
        if len(found) > 1:
            raise UsageFault(
                f"'{name}' is the name of several events", why=", ".join(f"{one.system}:{one.name}" for one in found)
            )
        return found[0]


def _lost(stream: Stream) -> dict[int, int | None]:
    """By the kernel's counts and by what the pages say, whichever is more."""
    found: dict[int, int | None] = {one.cpu: one.lost for one in stream.source.health().stats if one.lost}
    for cpu, count in stream.losses_seen.items():
        found[cpu] = max(count, found.get(cpu) or 0) or None
    return found
