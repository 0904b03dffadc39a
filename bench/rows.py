"""What a row of a snooper costs: CPU time of replaying a recording of a heavy load, start-up taken off."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.decode import FTRACEPY
from bench.timing import Result, Spread, run

_GOAL_US = 1.5  # 100,000 rows a second in 15 % of a core
_RATE = 100_000


@dataclass(frozen=True, slots=True)
class Case:
    """`recorded` says what to record, `shown` the tool and its arguments, `load` and `calls` what toolload does meanwhile."""

    name: str
    recorded: tuple[str, ...]
    shown: tuple[str, ...]
    load: str
    calls: int


CASES = (
    Case("opensnoop", ("--tool", "opensnoop"), ("opensnoop",), "open", 100_003),
    Case("opensnoop, half failing", ("--tool", "opensnoop"), ("opensnoop",), "half", 100_003),
    Case("opensnoop -n other", ("--tool", "opensnoop"), ("opensnoop", "-n", "other"), "open", 100_003),
    Case("killsnoop", ("--tool", "killsnoop"), ("killsnoop",), "kill", 100_003),
    Case("tpoint", ("-e", "syscalls:sys_enter_getppid"), ("tpoint", "syscalls:sys_enter_getppid"), "getppid", 200_003),
    Case("syscount", ("--tool", "syscount"), ("syscount",), "getppid", 1_000_003),
)


def measure(folder: Path, runs: int) -> Iterator[Result]:
    load = folder / "toolload"
    source = Path(__file__).with_name("toolload.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(load), str(source)], check=True)
    for case in CASES:
        yield _rows(folder, load, case, runs)


def _rows(folder: Path, load: Path, case: Case, runs: int) -> Result:
    path = folder / "rows.dat"
    run([*FTRACEPY, "record", "-b", "65536", *case.recorded, "-o", str(path), "--", str(load), case.load, str(case.calls)])
    start = [*FTRACEPY, *case.shown[: 1 + (case.name == "tpoint")], "--replay", str(path), "--limit", "1"]
    whole = [*FTRACEPY, *case.shown, "--replay", str(path)]
    run(whole)
    costs = [run(whole).cpu_s - (0.0 if case.name == "syscount" else run(start).cpu_s) for _ in range(runs)]
    os.unlink(path)
    each_us = Spread.of([1e6 * cost / case.calls for cost in costs])
    note = f"{each_us.middle * _RATE / 1e4:.0f} % of a core at {_RATE:,} a second"
    return Result(f"{case.name}, {case.calls} {case.load}: CPU of each call", each_us, "us", f"<= {_GOAL_US}", None, note)
