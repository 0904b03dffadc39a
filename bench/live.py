"""The live view in a real terminal (tmux): how soon the first screen is there, key to paint under load, CPU, memory, losses."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.decode import FTRACEPY
from bench.timing import Result, Spread

_SESSION = "ftracepy-bench"
_PATIENCE_S = 30.0
_KEYS = 20
_CALLS = 500_009
_MOST_MIB, _STEP_S, _MOST_SHARE = 300, 0.1, 0.6
_ALL_RUN = re.compile(r"(\d+) of \1 run")
_WATCHED_S = 8
_LOST = re.compile(r"LOST ([\d,]+)|lost 0")


def tmux(*words: str) -> str:
    return subprocess.run(["tmux", "-L", _SESSION, *words], capture_output=True, text=True, check=True).stdout


@contextmanager
def terminal(*options: str) -> Iterator[int]:
    """ftracepy live in a terminal of 80x24; its process id."""
    line = shlex.join([*FTRACEPY, "live", *options])
    environment = [f"-e{name}={os.environ.get(name, value)}" for name, value in (("PYTHONPATH", ""), ("LANG", "C.UTF-8"))]
    tmux("new-session", "-d", "-x", "80", "-y", "24", *environment, f"exec {line}")
    try:
        yield int(tmux("display-message", "-p", "#{pane_pid}"))
    finally:
        subprocess.run(["tmux", "-L", _SESSION, "kill-server"], capture_output=True, check=False)
        time.sleep(1)


def until(there: Callable[[str], bool]) -> float:
    """Seconds until the screen is as wanted."""
    start = time.perf_counter()
    while time.perf_counter() - start < _PATIENCE_S:
        if there(tmux("capture-pane", "-p")):
            return time.perf_counter() - start
    raise RuntimeError(f"not on the screen after {_PATIENCE_S} s:\n{tmux('capture-pane', '-p')}")


def opening_s() -> float:
    """From the start of the program to the first screen with its status line."""
    start = time.perf_counter()
    with terminal("-e", "raw_syscalls:*"):
        until(lambda screen: "ev/s" in screen)
        return time.perf_counter() - start


def key_to_paint_s() -> list[float]:
    """Each key shows another page: from sending it to seeing that page's heading."""
    pages = (("3", "PROCESS"), ("1", "TIME"))
    waits = []
    for at in range(_KEYS):
        key, heading = pages[at % 2]
        start = time.perf_counter()
        tmux("send-keys", key)
        until(lambda screen, wanted=heading: wanted in screen.split("\n")[1])  # type: ignore[misc]
        waits.append(time.perf_counter() - start)
    return waits


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def anonymous_mib(pid: int) -> float:
    return next(int(line.split()[1]) / 1024 for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "RssAnon" in line)


def under_load(flood: Path, rate: int, seconds: float) -> tuple[list[float], float, float, int]:
    """Key waits, share of a core, MiB of memory and events lost while `rate` calls (two events each) a second are made."""
    calls, environment = int(rate * seconds), {**os.environ, "FLOOD_RATE": str(rate)}
    with terminal("-e", "raw_syscalls:*") as pid:
        until(lambda screen: "ev/s" in screen)
        load = subprocess.Popen([str(flood), str(calls), "1"], env=environment, stdout=subprocess.DEVNULL)
        time.sleep(1)
        cpu, start = cpu_s(pid), time.perf_counter()
        waits = key_to_paint_s()
        share = (cpu_s(pid) - cpu) / (time.perf_counter() - start)
        load.wait()
        until(lambda screen: _LOST.search(screen) is not None)
        lost = _LOST.search(tmux("capture-pane", "-p"))
        return waits, share, anonymous_mib(pid), int((lost[1] or "0").replace(",", "")) if lost else -1


def overview_share(flood: Path, rate: int) -> tuple[float, str]:
    """Share of a core that all tiles together take while `rate` calls (two events each) a second are made, and the losses."""
    with terminal() as pid:
        until(lambda screen: _ALL_RUN.search(screen) is not None)
        calls, environment = rate * (_WATCHED_S + 3), {**os.environ, "FLOOD_RATE": str(rate)}
        load = subprocess.Popen([str(flood), str(calls), "1"], env=environment, stdout=subprocess.DEVNULL)
        time.sleep(1)
        cpu, start = cpu_s(pid), time.perf_counter()
        time.sleep(_WATCHED_S)
        share = (cpu_s(pid) - cpu) / (time.perf_counter() - start)
        load.wait()
        time.sleep(1)
        lost = _LOST.search(tmux("capture-pane", "-p"))
        return share, f"{(lost[1] or 0) if lost else '?'} lost"


def measure(flood: Path, runs: int) -> Iterator[Result]:
    """Nothing to compare with: the goals are absolute, and so mean something on a quiet machine only."""
    if not shutil.which("tmux"):
        return
    opening = Spread.of([opening_s() for _run in range(runs)])
    yield Result("live: first screen", opening, "s", "<= 0.8", opening.middle <= 0.8)
    for rate in (50_000, 250_000):
        waits, share, mib, lost = under_load(flood, rate, 10)
        events = f"{2 * rate:,} events/s"
        slow = sorted(waits)[int(len(waits) * 0.95)]
        yield Result(f"live: key to paint, {events}", Spread(min(waits), slow, max(waits)), "s (95 % in the middle)", "<= 0.1",
                     slow <= 0.1, f"{lost} lost, {mib:.0f} MiB")  # fmt: skip
        yield Result(f"live: our share of a core, {events}", Spread(share, share, share), "of a core",
                     "<= 0.6" if rate == 50_000 else "", share <= _MOST_SHARE if rate == 50_000 else None)  # fmt: skip
    share, note = overview_share(flood, 50_000)
    yield Result("live: the overview's share of a core, 100,000 events/s", Spread(share, share, share), "of a core", "<= 0.6",
                 share <= _MOST_SHARE, note)  # fmt: skip
    yield from of_lists(flood)


def of_lists(flood: Path) -> Iterator[Result]:
    """CPU time over a recording of a million events: it hardly depends on what else the machine does."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        recording = f"{folder}/million.dat"
        record = [*FTRACEPY, "record", "-e", "raw_syscalls:*", "-b", "65536", "-o", recording, "--", str(flood), str(_CALLS), "1"]
        subprocess.run(record, check=True, capture_output=True)
        done = subprocess.run([sys.executable, "-m", "bench.lists", recording], check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    note = f"{told['events']:,} events"
    mib = told["bytes"] / (1 << 20)
    yield Result("live: memory of what is kept", Spread(mib, mib, mib), "MiB", "<= 300", mib <= _MOST_MIB, note)
    for what, (all_s, longest_s) in told["costs"].items():
        spread = Spread(longest_s, longest_s, longest_s)
        yield Result(f"live: longest step, {what}", spread, "s", "<= 0.1", longest_s <= _STEP_S, f"{all_s:.2f} s in all, {note}")
