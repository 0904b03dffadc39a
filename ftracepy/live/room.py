"""How large a run's buffers are where nothing is said. Loaded among the first modules of a start: it imports nothing slow."""

from __future__ import annotations

import os

DEFAULT_BUFFER_KB = 8192
AS_MADE = 0  # asked for: the size that the kernel makes an instance with, where that is no less than _ENOUGH_KB
_ENOUGH_KB = 1024
# Their events are so few that this holds seconds of them. Growing waits for a grace period, 8 to 12 ms.
_FEW_EVENTS = frozenset({"killsnoop", "tcpretrans"})
_MIN_BUFFER_KB = 512
_MEMORY_SHARE = 16  # of what is available, all CPUs' buffers together take one part in this many at most


def wanted_kb(tool: str) -> int | None:
    """What to ask for where the user says nothing; None: default_buffer_kb."""
    return AS_MADE if tool in _FEW_EVENTS else None


def asked_kb(wanted_kb: int | None) -> int:
    """The same as a number."""
    return default_buffer_kb() if wanted_kb is None else wanted_kb


def grown_kb(wanted_kb: int, made_kb: int | None) -> int | None:
    """The size to give buffers that were made with `made_kb`; None where they may stay."""
    if wanted_kb != AS_MADE:
        return wanted_kb
    default = default_buffer_kb()
    return None if made_kb is not None and _ENOUGH_KB <= made_kb <= default else default


def default_buffer_kb() -> int:
    """KB for each CPU: 8 MB, less where many CPUs or little memory make that too much."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return DEFAULT_BUFFER_KB
    fair = available // _MEMORY_SHARE // (os.cpu_count() or 1)
    return max(_MIN_BUFFER_KB, min(DEFAULT_BUFFER_KB, fair))
