"""trace_clock: which clocks there are, which is chosen, choosing one (which empties the buffer)."""

from __future__ import annotations

import time
from pathlib import Path

from ftracepy.tracefs import files

# Clocks of the kernel that user space can read too, on which all CPUs agree (kernel: trace.c, trace_clocks[]).
_USER_CLOCKS = {
    "mono": time.CLOCK_MONOTONIC,
    "mono_raw": time.CLOCK_MONOTONIC_RAW,
    "boot": time.CLOCK_BOOTTIME,
    "tai": time.CLOCK_TAI,
}
IN_ORDER = ("mono", "boot", "mono_raw", "global", "perf", "local")  # best first: read by user space, true order, ns


def available(root: Path) -> list[str]:
    return [name.strip("[]") for name in files.read_text(root / "trace_clock", "cannot list the trace clocks").split()]


def chosen(root: Path) -> str:
    words = files.read_text(root / "trace_clock", "cannot read the trace clock").split()
    return next((word.strip("[]") for word in words if word.startswith("[")), "local")


def choose(root: Path, name: str) -> None:
    """Take clock `name`. Raises FtracepyError where this kernel has none of that name."""
    known = " ".join(available(root))
    files.write(root / "trace_clock", name, f"cannot trace by the clock {name!r} (this kernel has: {known})")


def user_clock(name: str) -> int | None:
    """The number of the same clock for clock_gettime(2); None where only the kernel can read it."""
    return _USER_CLOCKS.get(name)


def now_ns(name: str) -> int | None:
    """The clock as user space reads it, ns; None where only the kernel can read it."""
    number = _USER_CLOCKS.get(name)
    return None if number is None else time.clock_gettime_ns(number)
