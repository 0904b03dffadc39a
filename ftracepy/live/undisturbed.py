"""What no interrupt breaks off: a signal that comes meanwhile is answered afterwards.

It is among what a run loads before the kernel is asked for anything: nothing but what the interpreter has loaded already.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal.py makes enums of its names, which takes 5 ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

_SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


class Undisturbed:
    """Python's handlers of signals that end a run wait until this is left. Of the main thread, for only there they run."""

    def __init__(self) -> None:
        self._came: list[int] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def __enter__(self) -> None:
        try:
            self._hold()
        except KeyboardInterrupt:  # struck while the handlers changed
            self._came.append(_signal.SIGINT)
            self._hold()

    def _hold(self) -> None:
        for number in _SIGNALS:
            handler = _signal.getsignal(number)
            if number not in self._handlers and callable(handler):
                self._handlers[number] = handler
            if number in self._handlers:
                try:
                    _signal.signal(number, self._later)
                except ValueError:  # not the main thread
                    self._handlers.clear()
                    return

    def _later(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)

    def __exit__(self, *_: object) -> None:
        for number, handler in reversed(self._handlers.items()):  # SIGINT last: from there on it may break this off
            _signal.signal(number, handler)
        for number in dict.fromkeys(self._came):
            self._handlers.get(number, _signal.default_int_handler)(number, None)
