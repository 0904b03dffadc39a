"""The thread under an aide: waits until there is something to report, reports it, and says how far it has come.

CAUGHT_UP is written when everything was found reported, with the time taken before looking: every `busy_ms` at most while
there is something to report, and every 100 ms anyway (or as `idle_ms` says), for what an aide never hears of has nobody else
to end the wait for it.
"""

from __future__ import annotations

import os
import select
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import ExitStack

from ftracepy.live.meanwhile import Meanwhile
from ftracepy.live.plan import Mark
from ftracepy.sidefacts import Kind, SideFact

_IDLE_MS, _WAIT_S, _READ_BYTES = 100, 2.0, 1 << 16
_NEARLY_IDLE_MS = 90  # whoever is woken each _IDLE_MS comes a little early at times


class AideThread(ABC):
    """Base of aides. A subclass opens its files, then calls `begin`; `report` writes the facts there are."""

    name: str

    def __init__(self, busy_ms: int) -> None:
        self._busy_ms = busy_ms
        self._thread: Meanwhile | None = None
        self._stopping = False
        self._asked = self._done = 0
        self._caught = threading.Condition()
        self._stack = ExitStack()

    def begin(self, mark: Mark, fds: Collection[int], closing: ExitStack, urgent: Collection[int] = ()) -> None:
        """Run from here on: `report` when one of `fds` can be read, `noticed` with those that became ready.

        Of `urgent` files POLLPRI is waited for; `closing` is closed when the thread has ended.
        """
        self._mark = mark
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._stack = closing.pop_all()
        self._stack.callback(os.close, self._wake_read)
        self._stack.callback(os.close, self._wake_write)
        self._poll = select.poll()
        for fd in (*fds, self._wake_read):
            self._poll.register(fd, select.POLLIN)
        self._rest = select.poll()
        self._rest.register(self._wake_read, select.POLLIN)
        for fd in urgent:
            self._poll.register(fd, select.POLLPRI)
        self._thread = Meanwhile(self._run)
        self._thread.start()

    @abstractmethod
    def report(self) -> bool:
        """Write facts of all that has happened; True where there was any."""

    def reached(self, before: int) -> int:
        """The time up to which everything has been told, where `report` was called at `before`."""
        return before

    def is_silent(self) -> bool:
        """Whether nobody waits for facts, so that how far they have come is told to whoever asks alone."""
        return False

    def rest_ms(self, now: int) -> int:
        """How long what comes next may lie, so that it is reported together with more; asked after each report of anything."""
        return 0

    def idle_ms(self) -> int:
        """How long to wait where there was nothing to report."""
        return _IDLE_MS

    def asked_for_more(self) -> None:  # noqa: B027  nothing to do is an answer
        """Somebody waits for all that has happened until now."""

    def noticed(self, ready: Collection[int], now: int) -> None:  # noqa: B027  nothing to do is an answer
        """Called after each wait, with the files that are ready and the time."""

    def catch_up(self) -> None:
        with self._caught:
            self._asked += 1
            asked = self._asked
            self._wake()
            self._caught.wait_for(lambda: self._done >= asked or not self._alive(), timeout=_WAIT_S)

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping = True
        self._wake()
        thread.wait()
        self._stack.close()
        thread.finish()

    def _alive(self) -> bool:
        return self._thread is not None and not self._thread.is_over

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            return

    def _run(self) -> None:
        told = asked_ns = heard = 0
        while True:
            stopping, asked = self._stopping, self._asked
            before = time.monotonic_ns()
            if asked > heard:
                heard, asked_ns = asked, before
                self.asked_for_more()
            found = self.report()
            pause_ms = self._busy_ms if found else _NEARLY_IDLE_MS
            reached = self.reached(before)
            answers = asked > self._done and reached >= asked_ns
            is_due = before - told >= pause_ms * 1_000_000 and not self.is_silent()
            if stopping or answers or is_due:
                self._tell_caught_up(reached, asked if answers or stopping else self._done)
                told = before
            if stopping:
                return
            if found and not answers and (rest_ms := self.rest_ms(before)):
                self._rest.poll(rest_ms)
            ready = {fd for fd, _ in self._poll.poll(self._busy_ms if found else self.idle_ms())}
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
            self.noticed(ready, before)

    @staticmethod
    def pieces(fd: int) -> Iterator[bytes]:
        """What can be read from a descriptor without waiting."""
        while True:
            try:
                piece = os.read(fd, _READ_BYTES)
            except OSError:
                return
            if not piece:
                return
            yield piece

    def _tell_caught_up(self, before: int, asked: int) -> None:
        self._mark(SideFact(Kind.CAUGHT_UP, 0, before, self.name.encode()))
        with self._caught:
            self._done = asked
            self._caught.notify_all()
