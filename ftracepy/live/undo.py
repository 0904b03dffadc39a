"""Undoing that no interrupt breaks off: a signal that comes meanwhile is answered when all is undone."""

from __future__ import annotations

import atexit
import os
from contextlib import ExitStack, suppress
from types import TracebackType

from ftracepy.errors import FtracepyError
from ftracepy.live.undisturbed import Undisturbed


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
