"""Tools under a load: what each costs the program that is traced, what it costs itself, and what it misses.

In turn: the load alone, beside our tool, beside perf-tools', bpftrace's and bcc's of that purpose, where they are installed.
perf-tools' work on the top-level buffer, so they run in a mount namespace where an instance stands for it, as trace-cmd
does in capture.py; what the kernel refuses a peer (kprobes) is left out and said so.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.decode import FTRACEPY
from bench.instances import TRACEFS, instance
from bench.timing import Result, Spread

_BEGIN_S = 2.5  # perf-tools' scripts say when they begin before they have begun


_COMPILES_S = 6  # bpftrace and bcc compile before they begin


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

    def about(self, load: Path) -> Case:
        """The same with the load's path put in."""
        ours, peer, bpftrace, bcc = (
            tuple(word.replace("{load}", str(load)) for word in command)
            for command in (self.ours, self.peer, self.bpftrace, self.bcc)
        )
        return replace(self, ours=ours, peer=peer, bpftrace=bpftrace, bcc=bcc)

    def peers(self) -> dict[str, tuple[str, ...]]:
        """Whose and how, of all that there are."""
        named = {"perf-tools'": self.peer, "bpftrace's": self.bpftrace, "bcc's": self.bcc}
        return {whose: command for whose, command in named.items() if command}


# Every tool that a kernel without kprobes can carry; where there are kprobes the function tools run in guests, whose emulated
# processors say nothing of costs. biosnoop.bt and biolatency.bt are left out: without kprobes they begin, and see nothing.
CASES = (
    Case("opensnoop", ("opensnoop", "-x"), ("opensnoop-perf", "-x"), "open", 60_013, "/nonexistent/file",
         ("opensnoop.bt",), ("opensnoop-bpfcc", "-x")),
    Case("execsnoop", ("execsnoop",), ("execsnoop-perf",), "exec", 1_009, "toolload none",
         ("execsnoop.bt",), ("execsnoop-bpfcc",)),
    Case("killsnoop", ("killsnoop",), ("killsnoop-perf",), "kill", 60_013, "toolload", ("killsnoop.bt",), ("killsnoop-bpfcc",)),
    Case("tpoint", ("tpoint", "syscalls:sys_enter_getppid"), ("tpoint-perf", "syscalls:sys_enter_getppid"), "getppid", 600_011,
         "toolload", ("bpftrace", "-e", 'tracepoint:syscalls:sys_enter_getppid { printf("%s %d\\n", comm, pid); }'),
         ("trace-bpfcc", "t:syscalls:sys_enter_getppid")),
    Case("uprobe", ("uprobe", "p:{load}:probed"), ("uprobe-perf", "p:{load}:probed"), "call", 60_013, "toolload",
         ("bpftrace", "-e", 'uprobe:{load}:probed { printf("%s %d\\n", comm, pid); }'), ("trace-bpfcc", "p:{load}:probed")),
    Case("syscount", ("syscount", "-c"), ("syscount-perf", "-c", "-d", "{seconds}"), "getppid", 1_000_003, "",
         ("syscount.bt",), ("syscount-bpfcc",)),
    Case("hist", ("hist", "syscalls:sys_exit_getppid", "ret"),
         ("perf-stat-hist-perf", "syscalls:sys_exit_getppid", "ret", "{seconds}"), "getppid", 1_000_003, "",
         ("bpftrace", "-e", "tracepoint:syscalls:sys_exit_getppid { @ = hist(args->ret); }"),
         ("argdist-bpfcc", "-H", "t:syscalls:sys_exit_getppid():long:args->ret")),
    Case("iosnoop", ("iosnoop", "-n", "toolload"), ("iosnoop-perf", "-n", "toolload"), "read", 5_003, "toolload",
         (), ("biosnoop-bpfcc",)),
    Case("iolatency", ("iolatency", "1"), ("iolatency-perf", "1"), "read", 5_003, "", (), ("biolatency-bpfcc",)),
    Case("bitesize", ("bitesize",), ("bitesize-perf", "{seconds}"), "read", 5_003, "", ("bitesize.bt",), ("bitesize-bpfcc",)),
    Case("cachestat", ("cachestat", "1"), ("cachestat-perf", "1"), "cached", 200_003, "", (), ("cachestat-bpfcc",)),
    Case("runqlat", ("runqlat", "-i", "1"), (), "turns", 30_011, "", ("runqlat.bt",), ("runqlat-bpfcc",)),
    Case("tcpretrans", ("tcpretrans",), ("tcpretrans-perf",), "send", 100_003, "", ("tcpretrans.bt",), ("tcpretrans-bpfcc",)),
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
    case = case.about(load)
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
    with ExitStack() as stack:
        if shield:
            place = stack.enter_context(instance("tools"))
            lines = ["unshare", "-m", "sh", "-c", f"{_binds(place)}; exec {shlex.join(command)}"]
        words = stack.enter_context((folder / "words").open("wb"))
        rows = stack.enter_context((folder / "nothing" if ours else out).open("wb"))
        tool = subprocess.Popen(lines, stdout=rows, stderr=words, cwd=folder, process_group=0)
        stack.callback(_stopped, tool)
        time.sleep(_BEGIN_S if ours or shield else _COMPILES_S)
        if tool.poll() is not None:
            return None
        ended = subprocess.run([load, case.load, str(case.calls)], capture_output=True, text=True, check=True).stdout
        cpu_s = _ended(tool, by_itself="{seconds}" in " ".join(case.peer) and shield)
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


def _stopped(tool: subprocess.Popen[bytes]) -> None:
    """Where the bench itself was ended, what it started is ended too."""
    if tool.poll() is None:
        os.killpg(tool.pid, signal.SIGTERM)
        tool.wait()


def _binds(place: Path) -> str:
    """An instance's files over those of the top level, in debugfs too, where the scripts look."""
    top = "/sys/kernel/debug/tracing"
    names = [one.name for one in sorted(place.iterdir()) if (TRACEFS / one.name).exists()]
    mount = f"mountpoint -q {top} || mount --bind {TRACEFS} {top}"
    lock = "mount -t tmpfs none /var/tmp"
    return "; ".join([mount, *(f"mount --bind {place / name} {top / Path(name)}" for name in names), lock])
