"""Text and columns of one recording: ftracepy against trace-cmd report on the same file."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.timing import Result, Run, Spread, paired, ratio, run

FTRACEPY = [sys.executable, "-m", "ftracepy.cli"]


def make_recording(folder: Path, flood: Path, calls: int) -> Path:
    """raw_syscalls and sched of a flood with some execs in it: about 4 events a call pair."""
    path = folder / "bench.dat"
    script = f"{flood} {calls} 0 1; i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i+1)); done"
    events = ["-e", "raw_syscalls:sys_enter", "-e", "raw_syscalls:sys_exit", "-e", "sched:*"]
    run([*FTRACEPY, "record", "-b", "32768", *events, "-o", str(path), "--", "sh", "-c", script])
    return path


def count_lines(path: Path) -> int:
    out = subprocess.run(["trace-cmd", "report", "-N", str(path)], capture_output=True, check=True).stdout
    return out.count(b"\n")


def columns_seconds(path: Path) -> float:
    """CPU seconds for all events' columns in time order, without start-up."""
    from ftracepy import recording
    from ftracepy.stream import Stream

    with recording.open(path) as source:
        stream = Stream(source)
        start = time.process_time()
        for _ in stream:
            pass
        return time.process_time() - start


def measure(folder: Path, flood: Path, runs: int, calls: int) -> Iterator[Result]:
    path = make_recording(folder, flood, calls)
    events = count_lines(path)
    for style in ("trace-cmd", "kernel"):
        ours, peer = paired(
            lambda style=style: run([*FTRACEPY, "report", "--style", style, str(path)]),  # type: ignore[misc]
            lambda: run(["trace-cmd", "report", "-N", str(path)]),
            runs,
        )
        speed = ratio([r.cpu_s for r in ours], [r.cpu_s for r in peer])
        note = f"{events} events, {_ns(ours, events)} against {_ns(peer, events)} ns/event of CPU, start-up in"
        yield Result(f"report --style {style} / trace-cmd report -N", speed, "times as fast", ">= 4", speed.middle >= 4, note)
    walks = [columns_seconds(path) for _ in range(runs)]
    speed = ratio(walks, [r.cpu_s for r in peer])
    note = f"{Spread.of([w / events * 1e9 for w in walks])} ns/event, merged, start-up out"
    yield Result("columns / trace-cmd report -N", speed, "times as fast", ">= 50", speed.middle >= 50, note)


def _ns(runs: list[Run], events: int) -> Spread:
    return Spread.of([r.cpu_s / events * 1e9 for r in runs])
