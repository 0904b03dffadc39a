"""Instructions for each event, as callgrind counts them: the same on every run, so a change shows without a clock.

The C core runs alone (bench/core.c) on fixtures made long. What it took when last stored is in baseline.json.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench import corefile
from bench.repeat import repeat
from bench.timing import Result, Spread
from ftracepy.printfmt.target import Style

BASELINE = Path(__file__).with_name("baseline.json")
FIXTURES = Path(__file__).parent.parent / "fixtures"
RECORDINGS = {"syscalls": "syscount-k6.18", "kprobes with strings": "opensnoop-k5.10", "function graph": "funcgraph-k5.10"}
_EVENTS = 20_000
_WITHOUT_TEXT = ("walk", "records", "columns", "fields", "indexed", "merge")
_MOST_PERCENT = 10
_OTHER_COMPILER_PERCENT = 30
_COLLECTED = re.compile(r"Collected *: *(\d+)")


def counted(command: list[str], *options: str) -> int:
    """Instructions of a command; raises RuntimeError where callgrind cannot run it."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *options, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0 or not (found := _COLLECTED.search(done.stderr)):
        raise RuntimeError(f"callgrind {' '.join(command)}: exit {done.returncode}: {done.stderr[-300:]}")
    return int(found[1])


def counts(folder: Path) -> dict[str, float]:
    """Instructions an event of every case."""
    core = str(corefile.build(folder))
    found: dict[str, float] = {}
    for name, fixture in RECORDINGS.items():
        long, made = folder / "long.dat", folder / "long.core"
        repeat(FIXTURES / fixture / "trace.dat", long, _EVENTS)
        styles: tuple[Style, ...] = ("trace-cmd", "kernel")
        for style in styles:
            events = corefile.write(long, made, style)
            modes = ["text"] if style == "kernel" or found else [*_WITHOUT_TEXT, "text"]
            for mode in modes:
                case = f"{mode}, {name}" + (f", {style} style" if mode == "text" else "")
                found[case] = round(counted([core, str(made), mode], "--toggle-collect=measured") / events, 1)
    return found


def _peer_count(folder: Path) -> float:
    """Instructions an event of `trace-cmd report -N`: two lengths of one recording, so that its start falls out."""
    taken: list[tuple[int, int]] = []
    for events in (_EVENTS, 2 * _EVENTS):
        path = folder / "peer.dat"
        there = repeat(FIXTURES / RECORDINGS["syscalls"] / "trace.dat", path, events)
        taken.append((there, counted(["trace-cmd", "report", "-N", str(path)])))
    (few, first), (many, second) = taken
    return (second - first) / (many - few)


def _compiler() -> str:
    return subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def store(found: dict[str, float]) -> None:
    BASELINE.write_text(json.dumps({"compiler": _compiler(), "instructions": found}, indent=1) + "\n")


def measure(folder: Path, keep: bool) -> Iterator[Result]:
    """Every case beside its baseline; `keep` makes the counts found the new one."""
    if not shutil.which("valgrind"):
        raise RuntimeError("instructions are counted by callgrind: install valgrind")
    found = counts(folder)
    if keep:
        store(found)
    known: dict[str, Any] = json.loads(BASELINE.read_text())
    most = _MOST_PERCENT if known["compiler"] == _compiler() else _OTHER_COMPILER_PERCENT
    for case, count in found.items():
        before = known["instructions"].get(case)
        more = 100 * (count / before - 1) if before else 0.0
        note = "" if before is None else f"{before} before: {'slower' if more > 0 else 'faster'} by {abs(more):.1f} %"
        yield Result(case, Spread(count, count, count), "instructions an event", f"+{most} %", more <= most, note)


def beside_peer(folder: Path) -> Iterator[Result]:
    """trace-cmd's instructions and ours, start-up out of both.

    Nothing where callgrind cannot run trace-cmd: a uprobe on libc, which somebody may have just now, ends what callgrind runs.
    """
    long, made = folder / "long.dat", folder / "long.core"
    repeat(FIXTURES / RECORDINGS["syscalls"] / "trace.dat", long, _EVENTS)
    events = corefile.write(long, made, "trace-cmd")
    ours = counted([str(corefile.build(folder)), str(made), "text"], "--toggle-collect=measured") / events
    with suppress(RuntimeError):
        ratio = _peer_count(folder) / ours
        yield Result(
            "text, instructions", Spread(ratio, ratio, ratio), "times fewer than trace-cmd report -N", ">= 20", ratio >= 20
        )
