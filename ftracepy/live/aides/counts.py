"""The aide that tells what the kernel has counted: it reads the tables each interval, and once more at the end.

The counting goes on in an instance of its own in which nothing is recorded: hist triggers work with recording off, and
kprobes count their hits. Tables are never cleared: what falls between reading and clearing would be in neither interval.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Protocol

from ftracepy.errors import FtracepyError, KernelCannot
from ftracepy.live.meanwhile import Meanwhile
from ftracepy.live.plan import EVERYBODY, Mark, ProbeDef, Scope
from ftracepy.probes import Tracepoint
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.tracefs import Tracefs, counts, events
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy.live.instance import Instance

Key = tuple[int | str, ...]
_BUFFER_KB, _CLOCK = 4, "local"  # nothing is ever stored there
_COUNT_ALL = counts.hist_trigger(["common_type"], 128, "")  # a key of one value, in the smallest table there is


class Counter(Protocol):
    """Something the kernel counts. `keys` says what each part of a key is made of, `filter` what hits have to pass."""

    keys: tuple[str, ...]

    @property
    def filter(self) -> str: ...

    def begin(self, instance: Instance) -> None:
        """Have the kernel count from now on. Raises FtracepyError."""

    def totals(self) -> tuple[Mapping[Key, int], int]:
        """Hits since `begin` by key, and those that found no room. Raises FtracepyError."""

    def end(self) -> None:
        """Take back what would keep the instance's probes in use. Raises FtracepyError."""


@dataclass
class EventCounter:
    """Hits of an event by the values of its number fields, in a hist trigger's table of `size` entries."""

    event: Tracepoint
    keys: tuple[str, ...]
    signed: tuple[bool, ...]
    size: int

    @property
    def filter(self) -> str:
        return self.event.filter

    def begin(self, instance: Instance) -> None:
        self._folder = instance.path / "events" / self.event.system / self.event.name
        if self.event.filter:  # a wrong filter is explained in this file, a wrong trigger's is not
            for text in (self.event.filter, ""):
                events.set_filter(instance.path, self.event.system, self.event.name, text)
        trigger = counts.hist_trigger(self.keys, self.size, self.event.filter)
        events.add_trigger(instance.path, self.event.system, self.event.name, trigger)

    def totals(self) -> tuple[Mapping[Key, int], int]:
        table = counts.read_hist(self._folder, self.signed)
        return {(*key,): total for key, total in table.counts.items()}, table.dropped

    def end(self) -> None:
        """The trigger goes with the instance."""


class FunctionCounter:
    """Calls of kernel functions by name, counted by a kprobe on each; one that cannot be probed is left out, and said so.

    With `by_hist` the run's scope holds for them; else kprobe_profile is read, which counts every hit, whoever's it is.
    """

    keys: tuple[str, ...] = ("function",)
    filter = ""

    def __init__(self, tracefs: Tracefs, functions: Sequence[str], *, by_hist: bool) -> None:
        self._tracefs, self._functions, self._by_hist = tracefs, functions, by_hist
        self.left_out: list[FtracepyError] = []
        self._names: dict[str, str] = {}

    def begin(self, instance: Instance) -> None:
        """kprobe_profile tells names without their groups, so the names themselves hold the run's."""
        self._instance = instance
        for at, function in enumerate(self._functions):
            name = f"{instance.group}_{at}"
            try:
                instance.add_probe(ProbeDef("p", name, function, file="kprobe_events"))
            except FtracepyError as error:
                self.left_out.append(error)
            else:
                self._names[name] = function
        if not self._names:
            raise none_taken(self.left_out)
        for name in self._names if self._by_hist else ():
            events.add_trigger(instance.path, instance.group, name, _COUNT_ALL)
        if not self._by_hist:
            instance.enable(Tracepoint(instance.group, "*"))

    def totals(self) -> tuple[Mapping[Key, int], int]:
        totals: dict[Key, int] = {(function,): hits for function, hits in self._hits() if hits}
        return totals, 0

    def end(self) -> None:
        """A probe with a trigger is in use, even in an instance that is about to go."""
        for name in self._names if self._by_hist else ():
            events.remove_trigger(self._instance.path, self._instance.group, name, _COUNT_ALL)

    def _hits(self) -> Iterator[tuple[str, int]]:
        profile = {} if self._by_hist else counts.read_profile(self._tracefs.root)
        folder = self._instance.path / "events" / self._instance.group
        for name, function in self._names.items():
            yield function, counts.read_hist_hits(folder / name) if self._by_hist else profile.get(name, 0)


def none_taken(refused: Sequence[FtracepyError]) -> KernelCannot:
    """What to say where every probe was refused: the kernel's words on the first."""
    why = f"{refused[0].what}: {refused[0].kernel.partition(chr(10))[0]}" if refused else "no function was named"
    return KernelCannot("none of these functions can be probed here", why=why, hint="ftracepy list functions")


class CountsAide:
    """Aide: COUNTS facts of one counter, every `interval_s` (None: at the end alone)."""

    def __init__(
        self, name: str, counter: Counter, tracefs: Tracefs, *, interval_s: float | None = None, scope: Scope = EVERYBODY,
    ) -> None:  # fmt: skip
        self.name = name
        self._counter, self._tracefs, self._interval_s = counter, tracefs, interval_s
        self._pids, self._follow = _threads(scope), scope.pid is not None
        self._told: dict[Key, int] = {}
        self._end = threading.Event()
        self._counts = False  # the thread is there before, to be left out of what is counted
        self._reading = threading.Lock()
        self._thread: Meanwhile | None = None
        self._stack = ExitStack()

    def only(self, pids: Sequence[int]) -> None:
        """Count the doings of these threads and of what they start alone; to be said before `start`."""
        self._pids, self._follow = list(pids), True

    def start(self, mark: Mark) -> None:
        from ftracepy.live.instance import Instance

        self._mark = mark
        with ExitStack() as stack:
            instance = stack.enter_context(Instance(self._tracefs, clock=_CLOCK, buffer_kb=_BUFFER_KB))
            instance.stop_recording()
            self._thread = Meanwhile(self._run)
            stack.callback(self._join)
            self._thread.start()
            if self._pids:
                instance.only(self._pids, follow_forks=self._follow)
            else:
                instance.leave_out_own()
            self._tell({}, 0)
            stack.callback(self._end_counter)
            self._counter.begin(instance)
            self._counts = True
            self._stack = stack.pop_all()

    def catch_up(self) -> None:
        self._read()
        self._mark(SideFact(Kind.CAUGHT_UP, 0, time.monotonic_ns(), self.name.encode()))

    def stop(self) -> None:
        if self._thread is None:
            return
        with self._stack:
            self._join()
            self._read(last=True)

    def _end_counter(self) -> None:
        with suppress(FtracepyError):  # what is left of it, undoing the instance tells
            self._counter.end()

    def _join(self) -> None:
        self._end.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.finish()

    def _run(self) -> None:
        """Readings come at whole intervals from the start, however long each takes."""
        if self._interval_s is None:
            return
        start = time.monotonic()
        while not self._end.wait(self._interval_s - (time.monotonic() - start) % self._interval_s):
            if self._counts:
                self._read()

    def _read(self, *, last: bool = False) -> None:
        with self._reading:
            try:
                totals, lost = self._counter.totals()
            except FtracepyError as error:
                text = "; ".join(error.lines())
                self._mark(SideFact(Kind.NOTICE, 0, time.monotonic_ns(), text.encode(errors="surrogateescape")))
                return
            changed = {key: total for key, total in totals.items() if last or total != self._told.get(key)}
            self._told.update(changed)
            self._tell(changed, lost, last=last)

    def _tell(self, totals: Mapping[Key, int], lost: int, *, last: bool = False) -> None:
        rows = [[list(key), total] for key, total in totals.items()]
        about = {"name": self.name, "keys": list(self._counter.keys), "filter": self._counter.filter}
        text = json.dumps({**about, "counts": rows, "lost": lost, "last": last}, separators=(",", ":"))
        self._mark(SideFact(Kind.COUNTS, 0, time.monotonic_ns(), text.encode()))


def _threads(scope: Scope) -> list[int]:
    import os

    if scope.tid is not None:
        return [scope.tid]
    return [] if scope.pid is None else sorted(int(name) for name in os.listdir(f"/proc/{scope.pid}/task"))
