"""Text of recordings: ftracepy against trace-cmd report on the same file; what Python code gets is in columns.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import columns, instructions
from bench.repeat import repeat
from bench.timing import Result, Run, Spread, paired, ratio, run
from ftracepy import cli

FTRACEPY = [sys.executable, "-P", str(Path(cli.__file__).with_name("__main__.py"))]  # as scripts/ftracepy does
_REPEATED_EVENTS = 2_000_000


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


def measure(folder: Path, flood: Path, runs: int, calls: int) -> Iterator[Result]:
    path = make_recording(folder, flood, calls)
    events = count_lines(path)
    peers: list[Run] = []
    for style in ("trace-cmd", "kernel"):
        result, peers = _texts(f"report --style {style}", path, events, style, runs, floor=10)
        yield result
    for name in ("kprobes with strings", "function graph"):
        made = folder / "repeated.dat"
        count = repeat(instructions.FIXTURES / instructions.RECORDINGS[name] / "trace.dat", made, _REPEATED_EVENTS)
        yield _texts(f"report --style trace-cmd, {name}", made, count, "trace-cmd", runs, floor=5)[0]
    yield from columns.measure(folder, path, events, peers, runs)
    if shutil.which("valgrind"):
        yield from instructions.beside_peer(folder)


def _texts(name: str, path: Path, events: int, style: str, runs: int, floor: float) -> tuple[Result, list[Run]]:
    ours, peer = paired(
        lambda: run([*FTRACEPY, "report", "--style", style, str(path)]),
        lambda: run(["trace-cmd", "report", "-N", str(path)]),
        runs,
    )
    speed = ratio([r.cpu_s for r in ours], [r.cpu_s for r in peer])
    note = f"{events} events, {_ns(ours, events)} against {_ns(peer, events)} ns/event of CPU, start-up in"
    return Result(f"{name} / trace-cmd report -N", speed, "times as fast", f">= {floor}", speed.middle >= floor, note), peer


def _ns(runs: list[Run], events: int) -> Spread:
    return Spread.of([r.cpu_s / events * 1e9 for r in runs])
