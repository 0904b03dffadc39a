"""Capture under a flood of getppid of two seconds and more, one CPU flooded and both: record against trace-cmd record, syscount,
and what the traced calls cost where nobody reads.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.decode import FTRACEPY
from bench.instances import TRACEFS, instance
from bench.timing import Result, Run, Spread, run

_REFUSED = (
    "set_ftrace_filter",
    "set_ftrace_notrace",
    "set_ftrace_pid",
    "set_ftrace_notrace_pid",
    "/proc/sys/kernel/ftrace_enabled",
)
_EVENTS = ["raw_syscalls:sys_enter", "raw_syscalls:sys_exit"]


@dataclass(frozen=True, slots=True)
class Capture:
    lost: int
    reader_cpu_s: float
    flood_cpu_s: float
    flood_s: float


def measure(folder: Path, flood: Path, runs: int, calls: int) -> Iterator[Result]:
    for cpus, buffer_kb in ((["0"], 8192), (["0", "1"], 65536)):
        work = [str(flood), str(calls), *cpus]
        found = [
            (
                _ours(folder, work, buffer_kb),
                _peer(folder, work, buffer_kb),
                _syscount(folder, work, buffer_kb),
                _nobody(folder, work),
            )
            for _ in range(runs)
        ]
        name, written = f"flood on {len(cpus)} CPU, {buffer_kb >> 10} MB/CPU", 2 * calls * len(cpus)
        ours, peers = [one[0] for one in found], [one[1] for one in found]
        yield from _results(f"record, {name}", ours, [one[3] for one in found], written, peers)
        cost = Spread.of([peer.reader_cpu_s / max(own.reader_cpu_s, 1e-3) for own, peer in zip(ours, peers, strict=True)])
        yield Result(f"record, {name}: CPU of trace-cmd record / ours", cost, "times", ">= 2", cost.middle >= 2)
        yield from _results(f"syscount, {name}", [one[2] for one in found], [one[3] for one in found], written)


def _results(
    name: str, ours: list[Capture], nobody: list[Capture], written: int, peers: list[Capture] | None = None
) -> Iterator[Result]:
    """Losses; the reader's CPU, start-up in, for each event and as a share of a core while the flood lasted; what calls take."""
    lost = Spread.of([100 * one.lost / written for one in ours])
    note = f"trace-cmd {Spread.of([100 * one.lost / written for one in peers])} %" if peers else ""
    yield Result(f"{name}: lost", lost, "%", "0", lost.middle == 0, note)
    share = Spread.of([100 * one.reader_cpu_s / one.flood_s for one in ours])
    note = f"{Spread.of([one.reader_cpu_s / written * 1e9 for one in ours])} ns/event"
    yield Result(f"{name}: reader, start-up and end in", share, "% of a core", note=note)
    slower = Spread.of([one.flood_cpu_s / alone.flood_cpu_s for one, alone in zip(ours, nobody, strict=True)])
    yield Result(f"{name}: a call / where nobody reads", slower, "times as long", "<= 1.15", slower.middle <= 1.15)


def _ours(folder: Path, work: list[str], buffer_kb: int) -> Capture:
    path = folder / "ours.dat"
    events = [word for event in _EVENTS for word in ("-e", event)]
    return _capture(folder, [*FTRACEPY, "record", "-b", str(buffer_kb), *events, "-o", str(path), "--", *work], path)


def _syscount(folder: Path, work: list[str], buffer_kb: int) -> Capture:
    """Whether each call was counted, and what for, is in its rows."""
    path = folder / "counts"
    command = [*FTRACEPY, "syscount", "--format", "json", "-v", "-c", "-b", str(buffer_kb), "-o", str(path), "--", *work]
    spent = folder / "flood.cpu"
    outcome = run(command, env={"FLOOD_OUT": str(spent)})
    told = [json.loads(line) for line in path.read_text().splitlines()]
    lost = sum(one["loss"]["events"] or 1 for one in told if "loss" in one)
    counted = sum(one["count"] for one in told if one.get("comm") == "flood" and one.get("syscall") == "getppid")
    if not lost and counted < int(work[1]) * len(work[2:]):
        raise RuntimeError(f"syscount counted {counted} calls of {work}")
    return _captured(spent, outcome, lost, len(work[2:]))


def _nobody(folder: Path, work: list[str]) -> Capture:
    """The events are recorded over and over, and nobody reads them."""
    spent = folder / "flood.cpu"
    with instance("unread") as place:
        for event in _EVENTS:
            (place / "events" / event.replace(":", "/") / "enable").write_text("1")
        return _captured(spent, run(work, env={"FLOOD_OUT": str(spent)}), 0, len(work[2:]))


def _peer(folder: Path, work: list[str], buffer_kb: int) -> Capture:
    path = folder / "peer.dat"
    events = [word for event in _EVENTS for word in ("-e", event)]
    command = ["trace-cmd", "record", "--compression", "none", "-b", str(buffer_kb), *events, "-o", str(path), *work]
    with as_top_level() as shielded:
        return _capture(folder, ["unshare", "-m", "sh", "-c", shielded(folder, command)], path)


@contextmanager
def as_top_level() -> Iterator[Callable[[Path, list[str]], str]]:
    """What makes a shell's command line of a command, which then finds an instance of its own where the top level was."""
    with instance("peer") as place:
        yield partial(_shielded, place)


def _shielded(place: Path, folder: Path, command: list[str]) -> str:
    """trace-cmd in a mount namespace where an instance stands for the top-level buffer, which is not ours to use.

    Some kernels refuse writes that trace-cmd insists on: plain files are bound over those.
    """
    plain = folder / "plain"
    plain.write_text("")
    shared = [one.name for one in sorted(place.iterdir()) if (TRACEFS / one.name).exists() and one.name not in _REFUSED]
    binds = [f"mount --bind {place / name} {TRACEFS / name}" for name in shared]
    binds += [f"mount --bind {plain} {TRACEFS / name} 2>/dev/null || true" for name in _REFUSED]
    return f"set -e; {'; '.join(binds)}; exec {' '.join(command)}"


def _capture(folder: Path, command: list[str], path: Path) -> Capture:
    spent = folder / "flood.cpu"
    outcome = run(command, env={"FLOOD_OUT": str(spent)})
    lost = lost_events(path)
    os.unlink(path)
    return _captured(spent, outcome, lost, len(command) - command.index("--") - 3 if "--" in command else 1)


def _captured(spent: Path, outcome: Run, lost: int, threads: int) -> Capture:
    """A thread of the flood does nothing else: its CPU time is how long it ran, if it was left alone."""
    flood_cpu_s = float(spent.read_text())
    return Capture(lost, outcome.cpu_s - flood_cpu_s, flood_cpu_s, flood_cpu_s / threads)


def lost_events(path: Path) -> int:
    """What the file itself says of losses: the per-CPU counters that both recorders store."""
    text = subprocess.run(["trace-cmd", "report", "--stat", str(path)], capture_output=True, text=True, check=True).stdout
    head = text.partition("\n\n\n")[0] if "\n\n\n" in text else text[:20000]
    return sum(int(n) for n in re.findall(r"^\s*(?:overrun|dropped events):\s*(\d+)", head, re.MULTILINE))
