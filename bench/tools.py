"""Tools under a load: what each costs the program that is traced, what it costs itself, and what it misses.

In turn: the load alone, beside our tool, beside perf-tools', bpftrace's and bcc's of that purpose, where they are installed.
perf-tools' work on the top-level buffer, so they run in a mount namespace where an instance stands for it, as trace-cmd
does in capture.py; what the kernel refuses a peer (kprobes) is left out and said so.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.decode import FTRACEPY
from bench.timing import Result, Spread

_TRACEFS = Path("/sys/kernel/tracing")
_INSTANCE = _TRACEFS / "instances/bench_tools"
_BEGIN_S = 2.5  # perf-tools' scripts say when they begin before they have begun


_COMPILES_S = 8  # bpftrace and bcc compile before they begin


@dataclass(frozen=True, slots=True)
class Case:
    """Command lines: `ours`, perf-tools' (`peer`), bpftrace's and bcc's, () for none.

    `load` is the kind of call, `calls` how many, `found` what a line of each call holds.
    """

    name: str
    ours: tuple[str, ...]
    peer: tuple[str, ...]
    load: str
    calls: int
    found: str = ""
    bpftrace: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()

    def peers(self) -> dict[str, tuple[str, ...]]:
        """Whose and how, of all that there are."""
        named = {"perf-tools'": self.peer, "bpftrace's": self.bpftrace, "bcc's": self.bcc}
        return {whose: command for whose, command in named.items() if command}


CASES = (
    Case("opensnoop", ("opensnoop", "-x"), ("opensnoop-perf", "-x"), "open", 60_013, "/nonexistent/file",
         ("opensnoop.bt",), ("opensnoop-bpfcc", "-x")),
    Case("killsnoop", ("killsnoop",), ("killsnoop-perf",), "kill", 60_013, "toolload", ("killsnoop.bt",), ("killsnoop-bpfcc",)),
    Case("tpoint", ("tpoint", "syscalls:sys_enter_getppid"), ("tpoint-perf", "syscalls:sys_enter_getppid"), "getppid", 600_011,
         "toolload", ("bpftrace", "-e", 'tracepoint:syscalls:sys_enter_getppid { printf("%s %d\\n", comm, pid); }'),
         ("trace-bpfcc", "t:syscalls:sys_enter_getppid")),
    Case("syscount", ("syscount", "-c"), ("syscount-perf", "-c", "-d", "{seconds}"), "getppid", 1_000_003, "",
         ("syscount.bt",), ("syscount-bpfcc",)),
    Case("hist", ("hist", "syscalls:sys_exit_getppid", "ret"),
         ("perf-stat-hist-perf", "syscalls:sys_exit_getppid", "ret", "{seconds}"), "getppid", 1_000_003, "",
         ("bpftrace", "-e", "tracepoint:syscalls:sys_exit_getppid { @ = hist(args->ret); }"),
         ("argdist-bpfcc", "-H", "t:syscalls:sys_exit_getppid():long:args->ret")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: the time and the CPU time of the load, the CPU time of the tracer, and calls not shown (None: it shows none)."""

    load_s: float
    load_cpu_s: float
    cpu_s: float = 0.0
    missed: int | None = None


def measure(folder: Path, runs: int) -> Iterator[Result]:
    load = folder / "toolload"
    source = Path(__file__).with_name("toolload.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(load), str(source)], check=True)
    for case in CASES:
        yield from _measured(case, folder, load, runs)


def _measured(case: Case, folder: Path, load: Path, runs: int) -> Iterator[Result]:
    alone: list[Measured] = []
    found: dict[str, list[Measured | None]] = {"ours": [], **{whose: [] for whose in case.peers()}}
    for _ in range(runs):
        alone.append(_alone(load, case))
        found["ours"].append(_beside(folder, load, case, [*FTRACEPY, *case.ours], "ours"))
        for whose, command in case.peers().items():
            there = shutil.which(command[0]) is not None
            found[whose].append(_beside(folder, load, case, _filled(command, alone[-1]), whose) if there else None)
    for whose, runs_of in found.items():
        yield from _results(case, whose, alone, runs_of)


def _results(case: Case, whose: str, alone: list[Measured], found: list[Measured | None]) -> Iterator[Result]:
    done = [(before, one) for before, one in zip(alone, found, strict=True) if one is not None]
    name = f"{case.name}, {case.calls} {case.load}, {whose}"
    if not done:
        yield Result(name, Spread(0, 0, 0), "", note="not installed, or does not run on this kernel")
        return
    missed = [100 * one.missed / case.calls for _, one in done if one.missed is not None]
    note = f"missed {Spread.of(missed)} %" if missed else "does not show calls one by one"
    cost = Spread.of([one.load_cpu_s / before.load_cpu_s for before, one in done])
    own = Spread.of([one.cpu_s / before.load_cpu_s for before, one in done])
    yield Result(f"{name}: the load's CPU time", cost, "times that alone", note=note)
    yield Result(f"{name}: own CPU time, start-up in", own, "times the load's alone")


def _alone(load: Path, case: Case) -> Measured:
    words = subprocess.run([load, case.load, str(case.calls)], capture_output=True, text=True, check=True).stdout.split()
    return Measured(float(words[1]), float(words[2]))


def _filled(command: tuple[str, ...], alone: Measured) -> list[str]:
    """Scripts that show nothing before their time is over get enough of it."""
    seconds = str(int(_BEGIN_S + 4 * alone.load_s + 2))
    return [word.replace("{seconds}", seconds) for word in command]


def _beside(folder: Path, load: Path, case: Case, command: list[str], whose: str) -> Measured | None:
    """Start the tool, let the load run, end the tool; None where it gave up by itself before."""
    out, ours, shield = folder / "rows", whose == "ours", whose == "perf-tools'"
    lines = [*command, "-o", str(out)] if ours else command
    if shield:
        _INSTANCE.mkdir(exist_ok=True)
        lines = ["unshare", "-m", "sh", "-c", f"{_binds()}; exec {' '.join(command)}"]
    try:
        with (folder / "words").open("wb") as words, (folder / "nothing" if ours else out).open("wb") as rows:
            tool = subprocess.Popen(lines, stdout=rows, stderr=words, cwd=folder, process_group=0)
            time.sleep(_BEGIN_S if ours or shield else _COMPILES_S)
            if tool.poll() is not None:
                return None
            ended = subprocess.run([load, case.load, str(case.calls)], capture_output=True, text=True, check=True).stdout
            cpu_s = _ended(tool, by_itself="{seconds}" in " ".join(case.peer) and shield)
    finally:
        if shield:
            _gone()
    seen = sum(case.found in line for line in out.read_text(errors="replace").splitlines()) if case.found else None
    _, load_s, load_cpu_s = map(float, ended.split())
    return Measured(load_s, load_cpu_s, cpu_s, None if seen is None else max(case.calls - seen, 0))


def _ended(tool: subprocess.Popen[bytes], *, by_itself: bool) -> float:
    """The CPU time of the tool and its children, once it is over."""
    if not by_itself:
        time.sleep(1)
        os.killpg(tool.pid, signal.SIGINT)
    _, status, usage = os.wait4(tool.pid, 0)
    tool.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _binds() -> str:
    """An instance's files over those of the top level, in debugfs too, where the scripts look."""
    top = "/sys/kernel/debug/tracing"
    names = [one.name for one in sorted(_INSTANCE.iterdir()) if (_TRACEFS / one.name).exists()]
    mount = f"mountpoint -q {top} || mount --bind {_TRACEFS} {top}"
    lock = "mount -t tmpfs none /var/tmp"
    return "; ".join([mount, *(f"mount --bind {_INSTANCE / name} {top / Path(name)}" for name in names), lock])


def _gone() -> None:
    for _ in range(20):
        try:
            _INSTANCE.rmdir()
            return
        except OSError:
            time.sleep(0.1)
