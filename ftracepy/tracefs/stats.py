"""per_cpu/cpuN/: what the kernel counted for each CPU of an instance, and its clock as that CPU sees it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ftracepy.source import CpuStats
from ftracepy.tracefs import files

_COUNTS = {
    "entries": "entries",
    "overrun": "overrun",
    "commit overrun": "commit_overrun",
    "dropped events": "dropped",
    "read events": "read",
    "bytes": "unread_bytes",
}
_NOW = r"(?m)^now ts:\s*(\d+)(?:\.(\d{6}))?\s*$"


def cpus(root: Path) -> list[int]:
    """Every CPU that has a buffer, in order; ids can have holes, and CPUs that are offline are among them."""
    try:
        names = os.listdir(root / "per_cpu")
    except OSError as error:
        raise files.fault("cannot list the CPUs' buffers", root / "per_cpu", error) from None
    return sorted(int(name[3:]) for name in names if name.startswith("cpu") and name[3:].isdigit())


def read(root: Path, cpu: int) -> CpuStats:
    """One CPU's counts. Raises FtracepyError where the instance is gone."""
    return parse(files.read_text(root / f"per_cpu/cpu{cpu}/stats", f"cannot read the counts of CPU {cpu}"), cpu)


def read_all(root: Path) -> list[CpuStats]:
    return [read(root, cpu) for cpu in cpus(root)]


def parse(text: str, cpu: int) -> CpuStats:
    """`name: number` a line; the numbers of unread events, and of those that are no more (trace.c, tracing_stats_read)."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in _COUNTS and value.strip().isdigit():
            found[_COUNTS[name]] = int(value)
    return CpuStats(cpu, **found)


def now(root: Path, cpu: int) -> int:
    """The instance's clock on that CPU in the units of its stamps; rounded down to 1 µs where the clock counts ns.

    0 where the kernel does not say (before 2.6.38).
    """
    match = re.search(_NOW, files.read_text(root / f"per_cpu/cpu{cpu}/stats"))
    if not match:
        return 0
    return int(match[1]) if match[2] is None else (int(match[1]) * 1_000_000 + int(match[2])) * 1000
