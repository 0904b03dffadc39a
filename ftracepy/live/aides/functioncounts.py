"""Calls of kernel functions counted by a kprobe on each, all of them sharing one event."""

from __future__ import annotations

import time
from collections import Counter as Sums
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError
from ftracepy.live.aides.counts import CountsAide, FunctionCounter, Key, none_taken
from ftracepy.live.plan import Mark, ProbeDef
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.symbols.kallsyms import Kallsyms
from ftracepy.tracefs import Tracefs, cmdlines, counts, events

if TYPE_CHECKING:
    from ftracepy.live.instance import Instance

_EVENT = "called"
_TABLE_ENTRIES = 1 << 16
_IP, _THREAD = "__probe_ip", "common_pid"
_TRIGGER = counts.hist_trigger([_IP, _THREAD], _TABLE_ENTRIES, "")


class ByHist:
    """By function and thread, in one hist trigger's table. Keys are called as those of the tracer's `function` event."""

    keys: tuple[str, ...] = ("ip", _THREAD)
    filter = ""

    def __init__(self, tracefs: Tracefs, functions: Sequence[str]) -> None:
        self._tracefs, self._functions = tracefs, functions
        self._names: dict[int, str] = {}
        self.left_out: list[FtracepyError] = []
        self._instance: Instance | None = None

    def begin(self, instance: Instance) -> None:
        taken = 0
        for function in self._functions:
            try:
                instance.add_probe(ProbeDef("p", _EVENT, function, file="kprobe_events"))
                taken += 1
            except FtracepyError as error:
                self.left_out.append(error)
        if not taken:
            raise none_taken(self.left_out)
        self._symbols = Kallsyms(cmdlines.kallsyms())
        self._instance = instance
        self._folder = instance.path / "events" / instance.group / _EVENT
        events.add_trigger(instance.path, instance.group, _EVENT, _TRIGGER)

    def totals(self) -> tuple[Mapping[Key, int], int]:
        table = counts.read_hist(self._folder, (False, True))
        sums: Sums[Key] = Sums()
        for (address, tid), count in table.counts.items():
            sums[self._name(address), tid] += count
        return sums, table.dropped

    def end(self) -> None:
        """A probe with a trigger is in use, even in an instance that is about to go."""
        if self._instance is not None:
            events.remove_trigger(self._instance.path, self._instance.group, _EVENT, _TRIGGER)

    def _name(self, address: int) -> str:
        name = self._names.get(address)
        if name is None:
            found = self._symbols.find(address)
            name = self._names[address] = found.name if found else hex(address)
        return name


class ByProfile(FunctionCounter):
    """By function alone, in kprobe_profile."""

    keys: tuple[str, ...] = ("ip",)

    def __init__(self, tracefs: Tracefs, functions: Sequence[str]) -> None:
        super().__init__(tracefs, functions, by_hist=False)


class FunctionsAide(CountsAide):
    """Says which functions are not counted, for no probe can be set there."""

    def start(self, mark: Mark) -> None:
        super().start(mark)
        if left_out := getattr(self._counter, "left_out", None):
            text = "; ".join(f"{one.what}: {one.kernel.partition(chr(10))[0]}" for one in left_out)
            mark(SideFact(Kind.NOTICE, 0, time.monotonic_ns(), f"not counted: {text}".encode()))
