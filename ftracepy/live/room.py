"""How large a run's buffers are where nothing is said. Loaded among the first modules of a start: it imports nothing slow."""

from __future__ import annotations

import os

DEFAULT_BUFFER_KB = 8192
_MIN_BUFFER_KB = 512
_MEMORY_SHARE = 16  # of what is available, all CPUs' buffers together take one part in this many at most


def default_buffer_kb() -> int:
    """KB for each CPU: 8 MB, less where many CPUs or little memory make that too much."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return DEFAULT_BUFFER_KB
    fair = available // _MEMORY_SHARE // (os.cpu_count() or 1)
    return max(_MIN_BUFFER_KB, min(DEFAULT_BUFFER_KB, fair))
