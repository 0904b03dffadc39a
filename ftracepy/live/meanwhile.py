"""Work done in a thread of its own, begun and waited for in a way that no interrupt spoils."""

from __future__ import annotations

import _thread

from ftracepy.live.undisturbed import Undisturbed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_TICK_S = 0.1


class Meanwhile:
    """Does `work` in a thread of its own.

    No threading.Thread and no Event: an interrupt within their waiting leaves a lock taken for ever, and one that breaks a
    join off has the thread taken for ended (CPython 3.11). Here what is waited for is a flag; the lock only ends a tick early.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._begun = self._over = False
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    @property
    def is_over(self) -> bool:
        """Whether the work has ended, well or not."""
        return self._over

    def start(self) -> None:
        """Begin, where it was not begun before; an interrupt comes before that or after, so what was begun is known."""
        with Undisturbed():
            if not self._begun:
                _thread.start_new_thread(self._run, ())
                self._begun = True

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._error = error
        self._over = True
        self._lock.release()

    def wait(self) -> None:
        """Until the work is over, if it was begun."""
        while self._begun and not self._over:
            if self._lock.acquire(timeout=_TICK_S):
                self._lock.release()

    def finish(self) -> None:
        """Wait, and raise what the work raised."""
        self.wait()
        if self._error:
            raise self._error
