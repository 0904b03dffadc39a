"""Runs a watch in a thread of its own and fills the stores that screens look at."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, suppress
from enum import Enum
from fnmatch import fnmatchcase
from traceback import extract_tb
from typing import TYPE_CHECKING

from ftracepy.analysis.feed import Feed
from ftracepy.errors import FtracepyError
from ftracepy.pipeline.requests import Stop
from ftracepy.pipeline.watch import Watch, WatchRequest
from ftracepy.tui.model.names import Names
from ftracepy.tui.model.rowstore import RowStore
from ftracepy.tui.model.store import EventStore
from ftracepy.tui.model.vitals import Meter

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch


class State(Enum):
    """How far a run has come."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


class Engine:
    """One run. What it fills is there once it is `opened`; `error` is why it FAILED.

    `notices` are the words of the run, in order, `shown` the ids of events that are kept; any thread may look at everything here.
    """

    watch: Watch
    names: Names
    meter: Meter
    shown: frozenset[int]

    def __init__(self, request: WatchRequest, keep: int = 1_000_000) -> None:
        self.request = request
        self.state = State.STARTING
        self.error: FtracepyError | None = None
        self.events = EventStore(keep)
        self.rows = RowStore(max(keep // 5, 1000)) if request.tool else None
        self.notices: list[str] = []
        self.opened = False
        self._stop = Stop()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Ask the run to end; what it did to the kernel is undone by `join`."""
        self._stop.ask()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the end; whether it has come."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def leave_out_own(self) -> None:
        """Keep this process's threads out of what is traced, as far as they are there."""
        if self.state is State.RUNNING:
            with suppress(FtracepyError):  # the instance is being undone
                self.watch.leave_out_own()

    def _run(self) -> None:
        try:
            with ExitStack() as undo:
                self._open(undo)
                self.state = State.RUNNING
                self.watch.run(self._seen, self.rows)
            self.state = State.ENDED
        except FtracepyError as error:
            self.error = error
            self.state = State.FAILED
        except Exception as error:
            self.error = own_fault(error)
            self.state = State.FAILED

    def _open(self, undo: ExitStack) -> None:
        self.watch = Watch(self.request, self._stop, self.notices.append, undo)
        undo.callback(self.watch.tapped.stop_saving)
        self.names = Names(Feed((), self.watch.schema, notice=self.notices.append))
        self.shown = self._wanted()
        self.meter = Meter(self.watch)
        self.opened = True

    def _wanted(self) -> frozenset[int]:
        """Which events are to be seen: not our own facts, and of a live run not what was only recorded to name tasks."""
        patterns = [text.partition("/")[0] for text in self.request.events] if not self.request.tool else []
        return frozenset(
            one.id
            for one in self.watch.schema.formats.values()
            if (one.system, one.name) != ("ftrace", "raw_data")
            and (not patterns or one.system == "ftrace" or any(_matches(one.system, one.name, text) for text in patterns))
        )

    def _seen(self, batch: Batch) -> None:
        self.names.see(batch)
        said = self.names.said()
        self.events.append(batch.select(ids=self.shown), said)
        if self.rows is not None:
            for _ts, text in said:
                self.rows.say(text)


def _matches(system: str, name: str, pattern: str) -> bool:
    wanted, _, event = pattern.partition(":")
    return fnmatchcase(system, wanted) and fnmatchcase(name, event or "*")


def own_fault(error: BaseException) -> FtracepyError:
    """What no user, kernel or file should be able to cause, in a line: a traceback would be drawn over the screen."""
    frames = extract_tb(error.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return FtracepyError("the view has a fault of its own", why=f"{type(error).__name__}: {error}{where}")
