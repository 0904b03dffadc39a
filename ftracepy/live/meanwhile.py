"""Work done in a thread of its own, and waited for in a way that no interrupt spoils."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Meanwhile:
    """Does `work` in a thread of its own.

    Making an instance takes tens of milliseconds, nearly all of them the kernel's waiting (RCU grace periods).
    Events instead of join: a join that an interrupt breaks off takes the thread for ended (CPython 3.11).
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._begun = False
        self._entered, self._done = threading.Event(), threading.Event()

    def _run(self) -> None:
        self._entered.set()
        try:
            self._work()
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def start(self) -> None:
        """Begin, where it was not begun before."""
        if self._begun:
            return
        self._begun = True
        threading.Thread(target=self._run, name="meanwhile").start()

    def wait(self) -> None:
        """Until the work is over, if it was begun; an interrupt may have struck just before that."""
        if self._begun and self._entered.wait(1):
            self._done.wait()

    def finish(self) -> None:
        """Wait, and raise what the work raised."""
        self.wait()
        if self._error:
            raise self._error
