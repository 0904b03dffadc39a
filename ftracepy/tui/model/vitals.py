"""How a run is doing: rates, losses, how full the buffers are, and what we ourselves cost."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError

if TYPE_CHECKING:
    from ftracepy.pipeline.watch import Watch
    from ftracepy.source import CpuStats

_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


@dataclass(frozen=True, slots=True)
class Vitals:
    """Figures of one moment. `fill` is the fullest CPU's buffer (0 to 1, None: a recording), `cpu` our share of one core."""

    events: int = 0
    per_second: float = 0.0
    lost: dict[int, int] = field(default_factory=dict)
    fill: float | None = None
    cpu: float = 0.0
    memory_bytes: int = 0


class Meter:
    """Takes the figures; call `take` a few times a second. `history` holds the rate of each second, the newest last."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._before: deque[tuple[float, int, float]] = deque(maxlen=8)
        self.history: deque[float] = deque(maxlen=600)
        self._second = (time.monotonic(), 0)
        self.now = Vitals()

    def take(self, lost: dict[int, int]) -> Vitals:
        """The figures now; `lost` are the losses seen in the stream, by CPU."""
        now, events, cpu = time.monotonic(), self._watch.stream.events, time.process_time()
        self._before.append((now, events, cpu))
        then, events_then, cpu_then = self._before[0]
        passed = max(now - then, 1e-3)
        if now - self._second[0] >= 1:
            self.history.append((events - self._second[1]) / (now - self._second[0]))
            self._second = (now, events)
        counts = self._watch.tapped.health().stats  # the kernel counts more losses than pages tell
        self.now = Vitals(
            events, (events - events_then) / passed, {**lost, **{one.cpu: one.lost for one in counts if one.lost}},
            self._fill(counts), (cpu - cpu_then) / passed, memory_bytes(),
        )  # fmt: skip
        return self.now

    def _fill(self, counts: Sequence[CpuStats]) -> float | None:
        try:
            return self._watch.live.fill(counts) if self._watch.live else None
        except FtracepyError:  # the instance is being undone
            return None


def together(all_: Sequence[Vitals]) -> Vitals:
    """Those of several runs as of one; each has told what the whole process costs."""
    lost = Counter[int]()
    for one in all_:
        lost.update(one.lost)
    fills = [one.fill for one in all_ if one.fill is not None]
    return Vitals(
        sum(one.events for one in all_), sum(one.per_second for one in all_), dict(lost), max(fills, default=None),
        max((one.cpu for one in all_), default=0.0), memory_bytes(),
    )  # fmt: skip


def memory_bytes() -> int:
    """Anonymous memory of this process, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        fields = file.read().split()
    return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES


def amount(count: float) -> str:
    """A number in four characters or five: 950, 48.2k, 1.20M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.0f}"
