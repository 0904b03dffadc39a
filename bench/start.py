"""Start-up: --help against bare Python, and the first event against perf-tools' tpoint."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.decode import FTRACEPY
from bench.timing import Result, Spread, paired, ratio, run

_OPENER = "import os, time\nwhile True:\n    os.close(os.open('/etc/hostname', 0)); time.sleep(0.0005)"


def first_event_s(command: Sequence[str], word: bytes) -> float:
    """From spawn to the first output line that holds `word`; the program is then ended as by Ctrl-C."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    assert process.stdout
    try:
        for line in process.stdout:
            if word in line:
                return time.perf_counter() - start
        raise RuntimeError(f"{' '.join(command)} ended without a row")
    finally:
        os.killpg(process.pid, 2)
        process.stdout.close()
        process.wait(20)


def measure(runs: int) -> Iterator[Result]:
    yield from _help(runs)
    yield from _first_event(runs)


def _help(runs: int) -> Iterator[Result]:
    ours, peer = paired(lambda: run([*FTRACEPY, "--help"]), lambda: run([sys.executable, "-c", "import click"]), runs)
    cost = Spread.of([1 / value for value in (r.wall_s / o.wall_s for o, r in zip(ours, peer, strict=True))])
    milliseconds = Spread.of([r.wall_s * 1e3 for r in ours])
    yield Result("--help / python -c 'import click'", cost, "times as long", note=f"{milliseconds} ms")


def _first_event(runs: int) -> Iterator[Result]:
    tpoint = shutil.which("tpoint-perf")
    if not tpoint or not Path("/sys/kernel/debug/tracing/events").is_dir():
        return
    opener = subprocess.Popen([sys.executable, "-c", _OPENER])
    try:
        first_event_s([*FTRACEPY, "opensnoop"], b"hostname")
        ours, peer = [], []
        for _ in range(runs):
            ours.append(first_event_s([*FTRACEPY, "opensnoop"], b"hostname"))
            peer.append(first_event_s([tpoint, "syscalls:sys_enter_openat"], b"sys_openat"))
    finally:
        opener.kill()
        opener.wait()
    slower = ratio(peer, ours)
    note = f"{Spread.of([s * 1e3 for s in ours])} ms against {Spread.of([s * 1e3 for s in peer])} ms"
    yield Result("first opensnoop row / tpoint's first event", slower, "times as long", "<= 5", slower.middle <= 5, note)
