"""Reading every CPU's trace_pipe_raw: raw sub-buffers come out as rounds, each with a promise of how far time has come.

The trace clock is read before each round, and each CPU is then read until it is empty or a page begins at that time:
after the round everything older has been read, except events that were reserved but not yet committed (a
preempted vCPU, an interrupt within an event): hence MARGIN_NS. An event later than that is handed out late, and
the stream counts it. A longer margin would only hold every row back for longer.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from ftracepy.source import Buffer, Pages, Round
from ftracepy.tracefs import clock, files, stats

MARGIN_NS = 5_000_000
BUDGET_BYTES = 4 << 20  # of one CPU in one round: then the others get their turn
QUEUE_BYTES = 256 << 20  # read and not yet consumed; beyond it the kernel keeps the rest, and counts what it must drop
_TICK_MS = 200
PACE_MIN_NS = 1_000_000
_PACE_MAX_NS = 10_000_000
_PACE_NS_PER_KB = 1000  # 8 MB of a flood last 20 ms: at most half of that is slept away


class Reader(Protocol):
    """A capture thread: core/capture.c, or its plain twin."""

    @property
    def ready_fd(self) -> int: ...

    def start(self) -> None: ...

    def take(self) -> tuple[Sequence[tuple[int, Buffer]], int, bool, Sequence[tuple[int, int]]] | None: ...

    def finish(self, bounded: bool, /) -> None: ...

    def close(self) -> None: ...


class Capture:
    """The capture of one instance. `faults` says, in words, which CPUs could no longer be read."""

    def __init__(self, root: Path, cpus: Sequence[int], page_bytes: int, clock_name: str, buffer_kb: int) -> None:
        self.root = root
        self.cpus = list(cpus)
        self.faults: list[str] = []
        self._stack = ExitStack()
        with self._stack:
            pipes = [self._open(f"per_cpu/cpu{cpu}/trace_pipe_raw", os.O_NONBLOCK) for cpu in self.cpus]
            pace = min(_PACE_MAX_NS, buffer_kb * _PACE_NS_PER_KB)
            self._reader = self._make_reader(pipes, page_bytes, clock_name, pace)
            self._stack.callback(self._reader.close)
            self._stack = self._stack.pop_all()

    def _open(self, name: str, flags: int = 0) -> int:
        path = self.root / name
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
        except OSError as error:
            raise files.fault(f"cannot read {files.shown(path)}", path, error) from None
        self._stack.callback(os.close, fd)
        return fd

    def _make_reader(self, pipes: list[int], page_bytes: int, clock_name: str, pace_max_ns: int) -> Reader:
        from ftracepy import _fastparse

        if _fastparse.IMPLEMENTATION != "c":
            return self._plain_reader(pipes, page_bytes, clock_name, pace_max_ns)
        from ftracepy._fastparse import _core

        user_clock = clock.user_clock(clock_name)
        kernel_only = user_clock is None
        pace_min_ns = MARGIN_NS if kernel_only else PACE_MIN_NS
        return _core.Capture(
            pipes,
            page_bytes,
            clock_id=0 if user_clock is None else user_clock,
            stats_fds=[self._open(f"per_cpu/cpu{cpu}/stats") for cpu in self.cpus] if kernel_only else [],
            margin_ns=MARGIN_NS,
            budget_bytes=max(BUDGET_BYTES, page_bytes),
            queue_bytes=max(QUEUE_BYTES, page_bytes),
            pace_min_ns=pace_min_ns,
            pace_max_ns=max(pace_min_ns, pace_max_ns),
        )

    def _plain_reader(self, pipes: list[int], page_bytes: int, clock_name: str, pace_max_ns: int) -> Reader:
        from ftracepy.live.capture_plain import PlainReader

        return PlainReader(
            pipes,
            page_bytes,
            clock_reader(self.root, self.cpus, clock_name),
            margin=MARGIN_NS if clock.now_ns(clock_name) is not None else 0,
            budget_bytes=max(BUDGET_BYTES, page_bytes),
            queue_bytes=QUEUE_BYTES,
            pace_max_ns=pace_max_ns,
        )

    def start(self) -> None:
        self._reader.start()

    def finish(self, *, bounded: bool = False) -> None:
        """Hand over what is in the buffers, then end; `bounded` where recording could not be switched off. Any thread may ask."""
        self._reader.finish(bounded)

    def close(self) -> None:
        """End at once and close the pipes (an open pipe keeps the instance busy); pages handed out stay valid."""
        self._stack.close()

    def rounds(self) -> Iterator[Round]:
        """Rounds until the end; at least one, perhaps empty, every 200 ms or so."""
        poll = select.poll()
        poll.register(self._reader.ready_fd, select.POLLIN)
        until = 0
        while True:
            poll.poll(_TICK_MS)
            if (taken := self._reader.take()) is None:
                yield Round((), until)
                continue
            pieces, until, last, faults = taken
            for index, number in faults:
                self.faults.append(
                    f"CPU {self.cpus[index]} can no longer be read ({os.strerror(number)}): its later events are missing"
                )
            yield Round([Pages(self.cpus[index], data) for index, data in pieces], until, last)
            if last:
                return


def clock_reader(root: Path, cpus: Sequence[int], clock_name: str) -> Callable[[], int]:
    """Reads the trace clock; where only the kernel can, the slowest CPU's view of it, MARGIN_NS ago.

    Such clocks may not count nanoseconds, so the margin is kept by the wall and not by their stamps.
    """
    if clock.now_ns(clock_name) is not None:
        return lambda: clock.now_ns(clock_name) or 0
    samples: list[tuple[int, int]] = [(0, 0)]

    def earlier() -> int:
        wall = time.monotonic_ns()
        samples.append((wall, min(stats.now(root, cpu) for cpu in cpus)))
        while len(samples) > 1 and samples[1][0] <= wall - MARGIN_NS:
            del samples[0]
        return samples[0][1]

    return earlier
