"""What lay in the memory of processes: trace-cmd's PROCMAPS options, and copies of /proc/PID/maps beside raw sub-buffers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

Area = tuple[int, int, int, bytes]  # process, first address, the one behind the last, path
_LINE = re.compile(rb"([0-9a-f]+)[- ]([0-9a-f]+) (.*)")
_KERNELS = re.compile(rb"\S+ [0-9a-f]+ \S+ \d+ *")  # what stands between the addresses and the path in /proc/PID/maps
_MOST_BYTES = 16 << 20


def option_areas(data: bytes) -> Iterator[Area]:
    """Of one option: `PID LINES COMMAND` in hex, then a line per file (trace-record.c, add_pid_maps)."""
    head, *lines = data.partition(b"\0")[0].split(b"\n")
    try:
        process = int(head.split(b" ")[0], 16)
    except ValueError:
        return
    yield from _areas(process, lines, re.compile(b""))


def folder_areas(path: str) -> Iterator[Area]:
    """Of FOLDER/proc/PID/maps."""
    root = os.path.join(path, "proc")
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        file = os.path.join(root, name, "maps")
        if name.isdigit() and os.path.isfile(file):
            with open(file, "rb") as text:
                yield from _areas(int(name), text.read(_MOST_BYTES).split(b"\n"), _KERNELS)


def _areas(process: int, lines: list[bytes], before_path: re.Pattern[bytes]) -> Iterator[Area]:
    """Only files: the kernel shows no other mapping by name. Numbers beyond 64 bits, or a process beyond 32, are damage."""
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or process >> 32:
            continue
        start, end, path = int(match[1], 16), int(match[2], 16), before_path.sub(b"", match[3], count=1)
        if path.startswith(b"/") and start < end < 1 << 64:
            yield process, start, end, path
