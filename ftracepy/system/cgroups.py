"""Control groups: what /proc tells of each process, and the lines that a CGROUPS side fact holds.

A path may hold any byte but NUL, a newline too (which /proc leaves as it is), so lines end with NUL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ftracepy.system.tasklines import pack_lines

# A new line of /proc/PID/cgroup: hierarchy, controllers, path. Anything else continues the path before it.
_LINE = re.compile(rb"^(\d+):([^:/\n]*):(/.*?)(?=\n\d+:[^:/\n]*:/|\n?\Z)", re.MULTILINE | re.DOTALL)
_DELETED = b" (deleted)"


@dataclass(frozen=True, slots=True)
class CgroupLine:
    """The group of process `pid`: its path in the hierarchy `root` (0: the unified one), as the reader's namespace sees it."""

    pid: int
    root: int
    path: str


def snapshot(proc: str = "/proc") -> Iterator[CgroupLine]:
    """Every process that this user can see; one that has gone meanwhile is left out."""
    for name in os.listdir(proc):
        if name.isdigit() and (line := of_process(int(name), proc)) is not None:
            yield line


def of_process(pid: int, proc: str = "/proc") -> CgroupLine | None:
    """A process's group; None where it is gone.

    Of several hierarchies the unified one is taken, unless it says nothing ("/") and another does: where both versions
    are mounted, containers may lie in either.
    """
    try:
        with open(f"{proc}/{pid}/cgroup", "rb") as file:
            found = {int(root): path for root, _, path in _LINE.findall(file.read())}
    except OSError:
        return None
    telling = [root for root in sorted(found) if found[root] != b"/"]
    root = telling[0] if telling else 0
    return CgroupLine(pid, root, found[root].removesuffix(_DELETED).decode("utf-8", "backslashreplace")) if found else None


def pack_cgroups(lines: Iterable[CgroupLine]) -> Iterator[bytes]:
    """Bodies for CGROUPS facts."""
    return pack_lines(b"%d %d %s\0" % (one.pid, one.root, one.path.encode("utf-8", "surrogateescape")) for one in lines)


def unpack_cgroups(body: bytes) -> list[CgroupLine]:
    """The lines of one body; what is none (a cut or foreign record) is left out."""
    return [one for line in body.split(b"\0") if (one := _line(line)) is not None]


def _line(line: bytes) -> CgroupLine | None:
    parts = line.split(b" ", 2)
    try:
        return CgroupLine(int(parts[0]), int(parts[1]), parts[2].decode("utf-8", "backslashreplace"))
    except (ValueError, IndexError):
        return None
