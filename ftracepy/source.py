"""The one seam: raw pages with the text needed to read them, from a live kernel or a recording alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

from ftracepy.schema import Schema
from ftracepy.values import dataclass, field

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Pages:
    """A run of whole sub-buffers of one CPU, as the kernel gave them.

    `len(data)` is a multiple of `schema.page.size_bytes`; `offset_bytes` is where `data` starts in
    its recording (0 when live), for messages about faults.
    """

    cpu: int
    data: Buffer
    offset_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """Pages that arrived together.

    Every event older than `until_ns` (trace clock, raw units) on every CPU is in this round or an
    earlier one, so what is older may be handed out in order. `last` closes the stream: everything
    has been handed over.
    """

    pages: Sequence[Pages] = ()
    until_ns: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True)
class CpuStats:
    """per_cpu/cpuN/stats: what the kernel counted for one CPU of one instance (kernel: trace.c, tracing_stats_read)."""

    cpu: int
    entries: int = 0
    overrun: int = 0
    commit_overrun: int = 0
    dropped: int = 0
    read: int = 0
    unread_bytes: int = field(default=0, compare=False)

    @property
    def lost(self) -> int:
        """Events that were written and can no longer be read, or never got room."""
        return self.overrun + self.commit_overrun + self.dropped


class Nothing:
    """The source of tools that only tell what they know: no events come."""

    def __init__(self) -> None:
        self.schema = Schema()
        self.cpus: Sequence[int] = (0,)

    def rounds(self) -> Iterator[Round]:
        yield Round(last=True)

    def stop(self) -> None:
        """It has ended already."""

    def health(self) -> Health:
        return Health()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to undo."""


@dataclass(slots=True)
class Health:
    """What a source knows of its own losses; exact once the source has ended."""

    stats: list[CpuStats] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return sum(cpu.lost for cpu in self.stats)


class Source(Protocol):
    """What live/ and recording/ both fulfil. A context manager: leaving it undoes and closes everything."""

    @property
    def schema(self) -> Schema: ...

    @property
    def cpus(self) -> Sequence[int]: ...

    def rounds(self) -> Iterator[Round]:
        """Yield rounds until the source ends; a live source yields (perhaps empty) rounds at least every 200 ms."""

    def stop(self) -> None:
        """Ask a live source to end soon: what is in the buffers is still handed over. Safe from any thread or signal handler."""

    def health(self) -> Health: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
