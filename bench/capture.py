"""Capture under a flood of getppid: record against trace-cmd record, 8 MB a CPU, one CPU flooded and both."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.decode import FTRACEPY
from bench.timing import Result, Run, Spread, run

_INSTANCE = Path("/sys/kernel/tracing/instances/bench_peer")
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


def measure(folder: Path, flood: Path, runs: int, calls: int) -> Iterator[Result]:
    for cpus in (["0"], ["0", "1"]):
        work = [str(flood), str(calls), *cpus]
        pairs = [(_ours(folder, work), _peer(folder, work)) for _ in range(runs)]
        written = 2 * calls * len(cpus)
        lost = Spread.of([100 * ours.lost / written for ours, _ in pairs])
        peer_lost = Spread.of([100 * peer.lost / written for _, peer in pairs])
        name = f"record, flood on {len(cpus)} CPU, 8 MB/CPU"
        lossless = all(not ours.lost for ours, peer in pairs if not peer.lost)
        yield Result(f"{name}: lost", lost, "%", "0 where trace-cmd loses 0", lossless, f"trace-cmd {peer_lost} %")
        cost = Spread.of([peer.reader_cpu_s / max(ours.reader_cpu_s, 1e-3) for ours, peer in pairs])
        note = f"{Spread.of([o.reader_cpu_s / written * 1e9 for o, _ in pairs])} ns/event, start-up in"
        yield Result(f"{name}: CPU of trace-cmd record / ours", cost, "times", note=note)


def _ours(folder: Path, work: list[str]) -> Capture:
    path = folder / "ours.dat"
    events = [word for event in _EVENTS for word in ("-e", event)]
    return _capture(folder, [*FTRACEPY, "record", "-b", "8192", *events, "-o", str(path), "--", *work], path)


def _peer(folder: Path, work: list[str]) -> Capture:
    path = folder / "peer.dat"
    events = [word for event in _EVENTS for word in ("-e", event)]
    command = ["trace-cmd", "record", "--compression", "none", "-b", "8192", *events, "-o", str(path), *work]
    _INSTANCE.mkdir()
    try:
        return _capture(folder, ["unshare", "-m", "sh", "-c", _shielded(folder, command)], path)
    finally:
        _INSTANCE.rmdir()


def _shielded(folder: Path, command: list[str]) -> str:
    """trace-cmd in a mount namespace where an instance stands for the top-level buffer, which is not ours to use.

    Some kernels refuse writes that trace-cmd insists on: plain files are bound over those.
    """
    plain = folder / "plain"
    plain.write_text("")
    top = _INSTANCE.parents[1]
    shared = [one.name for one in sorted(_INSTANCE.iterdir()) if (top / one.name).exists() and one.name not in _REFUSED]
    binds = [f"mount --bind {_INSTANCE / name} {top / name}" for name in shared]
    binds += [f"mount --bind {plain} {top / name} 2>/dev/null || true" for name in _REFUSED]
    return f"set -e; {'; '.join(binds)}; exec {' '.join(command)}"


def _capture(folder: Path, command: list[str], path: Path) -> Capture:
    spent = folder / "flood.cpu"
    outcome: Run = run(command, env={"FLOOD_OUT": str(spent)})
    flood_cpu_s = float(spent.read_text())
    lost = lost_events(path)
    os.unlink(path)
    return Capture(lost, outcome.cpu_s - flood_cpu_s, flood_cpu_s)


def lost_events(path: Path) -> int:
    """What the file itself says of losses: the per-CPU counters that both recorders store."""
    text = subprocess.run(["trace-cmd", "report", "--stat", str(path)], capture_output=True, text=True, check=True).stdout
    head = text.partition("\n\n\n")[0] if "\n\n\n" in text else text[:20000]
    return sum(int(n) for n in re.findall(r"^\s*(?:overrun|dropped events):\s*(\d+)", head, re.MULTILINE))
