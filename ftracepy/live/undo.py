"""Undoing that no interrupt breaks off: a signal that comes meanwhile is answered when all is undone."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType, TracebackType
from typing import Any

from ftracepy.errors import FtracepyError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Undisturbed:
    """Python's handlers of signals that end a run wait until this is left. Of the main thread, for only there they run."""

    def __init__(self) -> None:
        self._came: list[int] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def __enter__(self) -> None:
        try:
            self._hold()
        except KeyboardInterrupt:  # struck while the handlers changed
            self._came.append(signal.SIGINT)
            self._hold()

    def _hold(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if number not in self._handlers and callable(handler):
                self._handlers[number] = handler
            if number in self._handlers:
                signal.signal(number, self._later)

    def _later(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)

    def __exit__(self, *_: object) -> None:
        for number, handler in reversed(self._handlers.items()):  # SIGINT last: from there on it may break this off
            signal.signal(number, handler)
        for number in dict.fromkeys(self._came):
            self._handlers.get(number, signal.default_int_handler)(number, None)


class UndoStack(ExitStack):
    """An ExitStack that runs undisturbed."""

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None, /) -> bool:
        with Undisturbed():
            return bool(super().__exit__(kind, value, trace))

    def close_at_exit(self) -> None:
        """Have the end of the interpreter close it too: an interrupt at the very first step of leaving it runs none of it."""
        atexit.register(self._close_own, os.getpid())
        self.callback(atexit.unregister, self._close_own)

    def _close_own(self, pid: int) -> None:
        if pid == os.getpid():
            with suppress(FtracepyError):  # the journal stays, for `reset`
                self.close()
