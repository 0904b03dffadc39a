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


def listed(root: Path) -> tuple[list[str], str]:
    """The clocks there are, and the one that is chosen."""
    words = files.read_text(root / "trace_clock", "cannot list the trace clocks").split()
    return [word.strip("[]") for word in words], next((word.strip("[]") for word in words if word.startswith("[")), "local")


def available(root: Path) -> list[str]:
    return listed(root)[0]


def chosen(root: Path) -> str:
    return listed(root)[1]


def choose(root: Path, name: str) -> None:
    """Take clock `name`. Raises FtracepyError where this kernel has none of that name."""
    path = root / "trace_clock"
    try:
        files.write_raw(path, name)
    except OSError as error:
        known = " ".join(available(root))
        raise files.fault(f"cannot trace by the clock {name!r} (this kernel has: {known})", path, error, text=name) from None


def user_clock(name: str) -> int | None:
    """The number of the same clock for clock_gettime(2); None where only the kernel can read it."""
    return _USER_CLOCKS.get(name)


def now_ns(name: str) -> int | None:
    """The clock as user space reads it, ns; None where only the kernel can read it."""
    number = _USER_CLOCKS.get(name)
    return None if number is None else time.clock_gettime_ns(number)
