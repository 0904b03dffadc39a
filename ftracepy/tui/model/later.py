"""Something that takes a while, made in a thread of its own while the screen goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ftracepy.errors import FtracepyError
from ftracepy.tui.model.engine import own_fault

T = TypeVar("T")


class Later(Generic[T]):
    """Begins at once. `done` says that `value` is there, or `error` why it is not."""

    value: T

    def __init__(self, make: Callable[[], T]) -> None:
        self.error: FtracepyError | None = None
        self.done = False
        self._make = make
        self._thread = threading.Thread(target=self._run, name="later", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.value = self._make()
        except FtracepyError as error:
            self.error = error
        except Exception as error:
            self.error = own_fault(error)
        self.done = True

    def wait(self) -> None:
        """Until it is done."""
        self._thread.join()
