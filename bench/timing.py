"""Paired runs: two commands in turn, A B A B …, each by the kernel's own accounting of the finished process."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process with its children: seconds, and peak memory of the largest."""

    wall_s: float
    cpu_s: float
    peak_kib: int
    code: int


@dataclass(frozen=True, slots=True)
class Spread:
    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(min(values), statistics.median(values), max(values))

    def __str__(self) -> str:
        return f"{self.middle:.3g} ({self.low:.3g}-{self.high:.3g})"


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the bench: `value` is what the goal speaks of, `floor` what it must reach ("" where none is set)."""

    name: str
    value: Spread
    unit: str
    goal: str = ""
    met: bool | None = None
    note: str = ""


def run(command: Sequence[str], *, output: str | int = subprocess.DEVNULL, env: dict[str, str] | None = None) -> Run:
    """Run to the end; raises RuntimeError with the command's last words when it fails."""
    start = time.perf_counter()
    out = open(output, "wb") if isinstance(output, str) else output  # noqa: SIM115  closed with the process
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
    assert process.stderr
    words = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}: {words.decode(errors='replace')[-300:]}")
    return Run(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, process.returncode)


def paired(ours: Callable[[], Run], peer: Callable[[], Run], runs: int) -> tuple[list[Run], list[Run]]:
    """One warm-up each, then `runs` pairs."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(runs)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def ratio(ours: Sequence[float], peer: Sequence[float]) -> Spread:
    """How many times the peer's cost is ours, pair by pair."""
    return Spread.of([b / a for a, b in zip(ours, peer, strict=True)])
