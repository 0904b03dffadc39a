"""Reading and converting long recordings: what one more event costs, what compression costs, and the memory that takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.decode import FTRACEPY
from bench.instructions import FIXTURES, RECORDINGS
from bench.repeat import repeat
from bench.timing import Result, Spread
from ftracepy.recording.codecs import NONE

_SIZES = (1_000_000, 4_000_000, 16_000_000)
_LOOK_S = 0.01
_ANONYMOUS = re.compile(r"RssAnon:\s+(\d+) kB")
_WALK = """
import sys
from ftracepy import recording
from ftracepy.stream import Stream
for batch in Stream(recording.open(sys.argv[1])):
    pass
"""
_REPORT = "report"
_OUTPUT = "OUTPUT"
_COMMANDS = {
    _REPORT: [*FTRACEPY, "report", "--style", "trace-cmd"],
    "columns in time order": [sys.executable, "-c", _WALK],
    "convert": [*FTRACEPY, "convert", "-o", _OUTPUT],
    "convert to zstd": [*FTRACEPY, "convert", "--compression", "zstd", "-o", _OUTPUT],
    "convert, chosen events": [*FTRACEPY, "convert", "--cpu", "0", "--since", "0", "-o", _OUTPUT],
}
_SLOW = ("convert, chosen events",)  # a Python object for each event: not at the largest size
_MOST_MIB = 60


@dataclass(frozen=True, slots=True)
class Cost:
    """One finished process: seconds of CPU, and the most anonymous memory it was seen with."""

    cpu_s: float
    anonymous_mib: float


def measure(folder: Path, runs: int) -> Iterator[Result]:
    source = FIXTURES / RECORDINGS["syscalls"] / "trace.dat"
    plain = {size: _made(folder / f"{size}.dat", source, size) for size in _SIZES}
    for name in _COMMANDS:
        sizes = _SIZES[:1] if name in _SLOW else _SIZES
        yield from _by_length(name, {size: plain[size] for size in sizes}, runs)
    for codec in ("zstd", "zlib"):
        yield from _packed(folder, source, codec, plain, runs)
    for path, _ in plain.values():
        path.unlink()


def _made(path: Path, source: Path, events: int, compression: str = NONE) -> tuple[Path, int]:
    """A recording, and how many events it has."""
    return path, repeat(source, path, events, compression=compression)


def _by_length(name: str, made: dict[int, tuple[Path, int]], runs: int) -> Iterator[Result]:
    """What one more event costs among many, against what it costs among few: start-up is in neither."""
    turns = [[_run([*_COMMANDS[name], str(path)]) for path, _ in made.values()] for _ in range(runs)]
    counts = [count for _, count in made.values()]
    if len(counts) > 2:
        few, some, many = (min(turn[at].cpu_s for turn in turns) for at in range(3))  # what disturbs a run only adds to it
        early, late = (some - few) / (counts[1] - counts[0]), (many - some) / (counts[2] - counts[1])
        grown = late / max(early, 1e-12)
        note = f"{1e9 * late:.3g} against {1e9 * early:.3g} ns an event"
        yield Result(
            f"{name}: an event among {counts[2]} / {counts[1]}", Spread.of([grown]), "times", "<= 1.2", grown <= 1.2, note
        )
    most = Spread.of([turn[-1].anonymous_mib for turn in turns])
    yield Result(f"{name}, {counts[-1]} events: anonymous memory", most, "MiB", f"<= {_MOST_MIB}", most.high <= _MOST_MIB)


def _packed(folder: Path, source: Path, codec: str, plain: dict[int, tuple[Path, int]], runs: int) -> Iterator[Result]:
    for size in (_SIZES[0], _SIZES[-1]):
        path, count = _made(folder / "packed.dat", source, size, compression=codec)
        both = [(_run([*_COMMANDS[_REPORT], str(path)]), _run([*_COMMANDS[_REPORT], str(plain[size][0])])) for _ in range(runs)]
        cost = Spread.of([one.cpu_s / other.cpu_s for one, other in both])
        most = Spread.of([one.anonymous_mib for one, _ in both])
        met = cost.middle <= 1.5 and most.high <= _MOST_MIB
        yield Result(f"report of {codec} / of plain, {count} events", cost, "times", "<= 1.5", met, f"{most} MiB anonymous")
        path.unlink()


def _run(command: list[str]) -> Cost:
    """To the end; raises RuntimeError where it fails."""
    output = Path(command[-1]).with_name("converted.dat")
    process = subprocess.Popen([str(output) if word == _OUTPUT else word for word in command], stdout=subprocess.DEVNULL)
    done, most = threading.Event(), [0]

    def look() -> None:
        while not done.wait(_LOOK_S):
            most[0] = max(most[0], _anonymous_kib(process.pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    done.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    output.unlink(missing_ok=True)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, most[0] / 1024)


def _anonymous_kib(pid: int) -> int:
    try:
        found = _ANONYMOUS.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0
