"""Start-up: --help against bare Python, and the first event against perf-tools' tpoint."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.capture import as_top_level
from bench.decode import FTRACEPY
from bench.timing import Result, Spread, paired, ratio, run

_BUSY = "import os, time\nwhile True:\n    os.close(os.open('/etc/hostname', 0)); os.kill(os.getpid(), 0); time.sleep(0.0005)"
_FIRST = (
    ("killsnoop", b" 0 ", "syscalls:sys_enter_kill", b"sys_kill", True),
    ("killsnoop -s", b" 0 ", "syscalls:sys_enter_kill", b"sys_kill", False),
    ("opensnoop", b"hostname", "syscalls:sys_enter_openat", b"sys_openat", False),
)


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
    yield Result(
        "--help / python -c 'import click'", cost, "times as long", "<= 1.4", cost.middle <= 1.4, note=f"{milliseconds} ms"
    )


def _first_event(runs: int) -> Iterator[Result]:
    """killsnoop needs the same tracepoints as tpoint, and a parser where it has an option; opensnoop's paths take probes and
    fanotify besides."""
    tpoint = shutil.which("tpoint-perf")
    if not tpoint or not Path("/sys/kernel/debug/tracing/events").is_dir():
        return
    busy = subprocess.Popen([sys.executable, "-c", _BUSY])
    try:
        yield from _first_of_stream(runs)
        for tool, word, event, peer_word, bound in _FIRST:
            ours = [*FTRACEPY, *tool.split()]
            first_event_s(ours, word)
            pairs = [(first_event_s(ours, word), first_event_s([tpoint, event], peer_word)) for _ in range(runs)]
            yield _slower(tool, pairs, bound)
    finally:
        busy.kill()
        busy.wait()


def _first_of_stream(runs: int) -> Iterator[Result]:
    """trace-cmd shows events as they come, too; it works on the top-level buffer, so an instance stands for that."""
    if not shutil.which("trace-cmd"):
        return
    tool, word, event, _, _ = _FIRST[0]
    with tempfile.TemporaryDirectory() as folder, as_top_level() as shielded:
        peer = ["unshare", "-m", "sh", "-c", shielded(Path(folder), ["trace-cmd", "stream", "-e", event])]
        pairs = [(first_event_s([*FTRACEPY, tool], word), first_event_s(peer, b"sys_enter_kill")) for _ in range(runs)]
    times = ratio([a for a, _ in pairs], [b for _, b in pairs])
    note = f"{Spread.of([b * 1e3 for _, b in pairs])} ms"
    yield Result(f"first event of trace-cmd stream / first {tool} row", times, "times as long", ">= 8", times.middle >= 8, note)


def _slower(tool: str, pairs: list[tuple[float, float]], bound: bool) -> Result:
    ours, peer = [a for a, _ in pairs], [b for _, b in pairs]
    slower = ratio(peer, ours)
    note = f"{Spread.of([s * 1e3 for s in ours])} ms against {Spread.of([s * 1e3 for s in peer])} ms"
    name, met = f"first {tool} row / tpoint's first event", slower.middle <= 2 if bound else None
    return Result(name, slower, "times as long", "<= 2" if bound else "", met, note)
