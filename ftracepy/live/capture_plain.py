"""The capture thread in plain Python: what core/capture.c does, where there is no compiler. Change this one first.

It shares the interpreter with whatever consumes the events, so it loses sooner under load than the C thread.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from ftracepy.values import dataclass, field

Taken = tuple[list[tuple[int, bytes]], int, bool, list[tuple[int, int]]]
_IDLE_MS = 200
_PACE_MIN_NS = 1_000_000
_EAGER_ROUNDS = 64
_BEYOND_MARGIN_NS = 200_000
_DRAIN_EMPTY_ROUNDS = 2
FOREVER = 2**64 - 1


@dataclass(slots=True)
class _Made:
    """One round while it is made; `faults` are (index of the pipe, errno)."""

    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    faults: list[tuple[int, int]] = field(default_factory=list)
    until: int = 0
    size: int = 0
    behind: bool = False
    fresh: bool = False
    last: bool = False


class PlainReader:
    """Reads every pipe in turn, round after round. See core/capture.h for the meaning of each argument."""

    def __init__(
        self,
        pipes: Sequence[int],
        page_bytes: int,
        now: Callable[[], int],
        *,
        margin: int,
        budget_bytes: int,
        queue_bytes: int,
        pace_max_ns: int,
    ) -> None:
        self._pipes: list[int | None] = list(pipes)
        self._page_bytes, self._now, self._margin = page_bytes, now, margin
        self._budget, self._queue_bytes, self._pace_max = budget_bytes, queue_bytes, max(pace_max_ns, _PACE_MIN_NS)
        self._queue: deque[_Made] = deque()
        self._queued = 0
        self._until = self._held = self._finished_at = 0
        self._pace, self._eager = _PACE_MIN_NS, _EAGER_ROUNDS
        self._finishing = self._bounded = self._abandoned = self._closed = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.ready_fd, self._ready_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self) -> Taken | None:
        """Everything captured so far: (pieces, until, last, faults), or None."""
        try:
            while os.read(self.ready_fd, 4096):
                pass
        except BlockingIOError:
            pass
        made = [self._queue.popleft() for _ in range(len(self._queue))]
        if not made:
            return None
        self._queued -= sum(one.size for one in made)
        pieces = [piece for one in made for piece in one.pieces]
        return pieces, made[-1].until, made[-1].last, [fault for one in made for fault in one.faults]

    def finish(self, bounded: bool, /) -> None:
        """Drain, then end; if `bounded` (recording could not be switched off), what is there now. Any thread may ask."""
        self._bounded = bounded
        self._finishing = True
        self._wake()

    def close(self) -> None:
        """End at once; may be called twice."""
        if self._closed:
            return
        self._closed = self._abandoned = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        for fd in (self._wake_read, self._wake_write, self.ready_fd, self._ready_write):
            os.close(fd)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            return

    def _run(self) -> None:
        empty = 0
        while not self._abandoned:
            finishing = self._finishing
            made = self._round(finishing)
            empty = empty + 1 if finishing and not made.fresh and not made.behind else 0
            made.last = empty >= _DRAIN_EMPTY_ROUNDS or all(fd is None for fd in self._pipes)
            self._push(made)
            if made.last:
                return
            self._wait(made, finishing)

    def _round(self, finishing: bool) -> _Made:
        made, now = _Made(), self._now()
        until = max(now - self._margin, 0)
        if finishing and not self._finished_at:
            self._finished_at = now if self._bounded else FOREVER
        for index, fd in enumerate(self._pipes):
            if fd is not None:
                until = min(until, self._read(made, index, fd, self._finished_at if finishing else now))
        self._until = made.until = max(self._until, until)
        if made.size:
            self._held = self._now()
        return made

    def _read(self, made: _Made, index: int, fd: int, now: int) -> int:
        """Read one CPU until it is empty, has reached `now`, or its budget is spent; what that allows to promise."""
        pages: list[bytes] = []
        promise = FOREVER
        while True:
            if len(pages) * self._page_bytes >= self._budget:
                made.behind, promise = True, int.from_bytes(pages[-1][:8], sys.byteorder)
                break
            try:
                page = os.read(fd, self._page_bytes)
            except BlockingIOError:
                made.fresh |= bool(pages)
                break
            except OSError as error:
                made.faults.append((index, error.errno or 0))
                self._pipes[index] = None
                break
            if len(page) < self._page_bytes:
                break
            pages.append(page)
            if int.from_bytes(page[:8], sys.byteorder) >= now:
                break
        if pages:
            made.pieces.append((index, b"".join(pages)))
            made.size += len(pages) * self._page_bytes
        return promise

    def _push(self, made: _Made) -> None:
        while self._queued >= self._queue_bytes and not self._abandoned:
            time.sleep(_PACE_MIN_NS / 1e9)
        self._queue.append(made)
        self._queued += made.size
        try:
            os.write(self._ready_write, b"x")
        except BlockingIOError:
            return

    def _wait(self, made: _Made, finishing: bool) -> None:
        if made.behind:
            return
        flood = made.size > self._budget // 8
        self._pace = _PACE_MIN_NS if flood else min(max(self._pace * 2, self._margin + _BEYOND_MARGIN_NS), self._pace_max)
        if self._eager:
            self._eager, self._pace = self._eager - 1, _PACE_MIN_NS
        paced = finishing or made.size or self._until <= self._held
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if not paced:
            self._pace = _PACE_MIN_NS
            for fd in self._pipes:
                if fd is not None:
                    poll.register(fd, select.POLLIN)
        poll.poll(max(self._pace // 1_000_000, 1) if paced else _IDLE_MS)
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            return
