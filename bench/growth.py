"""What an event costs where there are many: of events, and of CPUs to be merged."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import corefile, instructions
from bench.decode import FTRACEPY
from bench.repeat import repeat
from bench.timing import Result, Spread, run

_SOURCE = instructions.FIXTURES / instructions.RECORDINGS["syscalls"] / "trace.dat"
_FEW, _MANY = 1_000_000, 10_000_000
_CPUS = (2, 64)
_MERGED_EVENTS = 200_000


def measure(folder: Path, runs: int) -> Iterator[Result]:
    yield _by_events(folder, runs)
    yield _by_cpus(folder, runs)


def _by_events(folder: Path, runs: int) -> Result:
    """CPU time and memory of `report`, ten times as long a recording against the short one; start-up counts for the short one."""
    taken: list[tuple[float, int]] = []
    for events in (_FEW, _MANY):
        path = folder / "growth.dat"
        there = repeat(_SOURCE, path, events)
        done = [run([*FTRACEPY, "report", str(path)]) for _ in range(runs)]
        taken.append((min(one.cpu_s for one in done) / there, max(one.peak_kib for one in done)))
    (few, less), (many, more) = taken
    grown = many / few
    note = f"{few * 1e9:.0f} and {many * 1e9:.0f} ns/event, peak memory {less // 1024} and {more // 1024} MiB"
    return Result(
        f"report, an event of {_MANY:,} / of {_FEW:,}", Spread(grown, grown, grown), "as dear", "<= 1.1", grown <= 1.1, note
    )


def _by_cpus(folder: Path, runs: int) -> Result:
    """The C core's merge where the CPUs' events lie between each other by chance."""
    core, path, made, taken = corefile.build(folder), folder / "growth.dat", folder / "growth.core", []
    for cpus in _CPUS:
        repeat(_SOURCE, path, _MERGED_EVENTS, cpus)
        corefile.write(path, made, "trace-cmd")
        events, ns = subprocess.run([core, made, "merge", str(3 * runs)], capture_output=True, check=True).stdout.split()
        taken.append(int(ns) / int(events))
    grown, most = taken[1] / taken[0], math.log2(_CPUS[1]) / math.log2(_CPUS[0])
    note = f"{taken[0]:.1f} and {taken[1]:.1f} ns/event"
    return Result(
        f"merging {_CPUS[1]} CPUs / {_CPUS[0]}", Spread(grown, grown, grown), "as dear", f"<= {most:.0f}", grown <= most, note
    )
