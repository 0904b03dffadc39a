"""Work done in a thread of its own, begun and waited for in a way that no interrupt spoils."""

from __future__ import annotations

import _thread
from collections.abc import Callable

_TICK_S, _TICKS_TO_BEGIN = 0.1, 10


class Meanwhile:
    """Does `work` in a thread of its own.

    No threading.Thread and no Event: an interrupt within their waiting leaves a lock taken for ever, and one that breaks a
    join off has the thread taken for ended (CPython 3.11). Here what is waited for is a flag; the lock only ends a tick early.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._begun = self._entered = self._over = False
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    @property
    def is_over(self) -> bool:
        """Whether the work has ended, well or not."""
        return self._over

    def start(self) -> None:
        """Begin, where it was not begun before."""
        if self._begun:
            return
        self._begun = True
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        self._entered = True
        try:
            self._work()
        except BaseException as error:
            self._error = error
        self._over = True
        self._lock.release()

    def wait(self) -> None:
        """Until the work is over, if it was begun; an interrupt may have struck just before that."""
        ticks = 0
        while self._begun and not self._over and (self._entered or ticks < _TICKS_TO_BEGIN):
            ticks += 1
            if self._lock.acquire(timeout=_TICK_S):
                self._lock.release()

    def finish(self) -> None:
        """Wait, and raise what the work raised."""
        self.wait()
        if self._error:
            raise self._error
