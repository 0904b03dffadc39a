"""An instance begun before it is known what for: the kernel needs 30 to 45 ms to make one, nearly all of it waiting.

A command line that will most likely trace has it made in a thread while the rest of the program is loaded; the first
live source that wants just such an instance takes it, and what nobody took is undone.
"""

from __future__ import annotations

import sys

from ftracepy.errors import FtracepyError
from ftracepy.live.first import CLOCK, ROOT, SWITCH_S, First
from ftracepy.live.instance import Instance
from ftracepy.live.meanwhile import Meanwhile
from ftracepy.live.room import asked_kb, wanted_kb
from ftracepy.live.undo import UndoStack
from ftracepy.tracefs import Tracefs, find

_waiting: list[Making] = []


class Making:
    """One instance being made in a thread, of what is `first` made of it, if anything; leaving it, whenever, undoes it."""

    def __init__(self, tracefs: Tracefs, clock: str, buffer_kb: int, first: First | None = None) -> None:
        self.wanted = tracefs.root, clock, buffer_kb
        self.instance = Instance(tracefs, clock=clock, buffer_kb=buffer_kb, first=first)
        self._undo = UndoStack()
        self._work = Meanwhile(self._make)

    def start(self) -> None:
        self._work.start()

    def _make(self) -> None:
        self._undo.enter_context(self.instance)

    def finish(self) -> Instance:
        """Wait for it, and raise what went wrong."""
        self._work.finish()
        return self.instance

    def __enter__(self) -> Making:
        return self

    def __exit__(self, *exc: object) -> None:
        self._work.wait()
        self._undo.__exit__(*exc)  # type: ignore[arg-type]


def begin(tool: str, first: First | None = None) -> None:
    """Begin one, or go on with the `first` steps of one, for the tracefs and the buffer that `tool` uses where nothing is said.

    Nothing where there is no tracefs.
    """
    try:
        tracefs = find(mount=False)
    except FtracepyError:
        return
    sys.setswitchinterval(SWITCH_S)
    first = first if str(tracefs.root) == ROOT else None
    _waiting.append(Making(tracefs, CLOCK, first.wanted_kb if first else asked_kb(wanted_kb(tool)), first))
    _waiting[-1].start()


def take(tracefs: Tracefs, clock: str, buffer_kb: int | None) -> Making:
    """The instance that was begun, where it is such a one, or a new one. The caller starts, finishes and leaves it."""
    for one in _waiting:
        if one.wanted[:2] == (tracefs.root, clock) and buffer_kb in {None, one.wanted[2]}:
            _waiting.remove(one)
            return one
    return Making(tracefs, clock, asked_kb(buffer_kb))


def drop() -> None:
    """Undo what was begun and never taken."""
    while _waiting:
        _waiting.pop().__exit__(None, None, None)
