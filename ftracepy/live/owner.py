"""Whose a thing in tracefs is: the run's name carries pid and start time of its process, so that death can be told from life.

Pids are reused and mean different processes in different pid namespaces; a start time (clock ticks since
boot, proc_pid_stat(5) field 22) tells them apart. Where it cannot be known, the owner counts as alive.
"""

from __future__ import annotations

import itertools
import os
import re
from functools import cache
from pathlib import Path

from ftracepy.values import dataclass

PREFIX = "ftracepy_"
FIRST_PID_NS = 0xEFFFFFFC  # kernel: proc_ns.h, PROC_PID_INIT_INO
_NAME = r"^ftracepy_(?P<pid>\d+)_(?P<start>\d+)_\d+$"  # compiled where it is needed, which a trace does not
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, by its pid within `pid_ns` (inode of the namespace; 0 = not known) and its start time."""

    pid: int
    start: int
    pid_ns: int = 0


def new_run_name() -> str:
    """A name for an instance and its probe group that no other run has, in this process or any other."""
    return f"{PREFIX}{os.getpid()}_{start_ticks(os.getpid()) or 0}_{next(_numbers)}"


def owner_of(name: str) -> Owner | None:
    """The process a run's name speaks of; None where the name is not one of ours."""
    match = re.match(_NAME, name)
    return Owner(int(match["pid"]), int(match["start"])) if match else None


def myself() -> Owner:
    return Owner(os.getpid(), start_ticks(os.getpid()) or 0, pid_namespace())


def is_alive(owner: Owner, proc: Path = Path("/proc")) -> bool:
    """Whether the process still runs; True where that cannot be known from this pid namespace."""
    mine = pid_namespace()
    if owner.pid_ns in (0, mine) and start_ticks(owner.pid, proc) == owner.start:
        return True
    if owner.pid_ns == mine:
        return False
    return mine != FIRST_PID_NS or _alive_below(owner, proc)


def _alive_below(owner: Owner, proc: Path) -> bool:
    """Whether some process, in a namespace of its own, has that pid and start time: the first namespace sees them all."""
    for name in os.listdir(proc):
        if name.isdigit() and start_ticks(int(name), proc) == owner.start and owner.pid in _pids(proc / name):
            return True
    return False


def _pids(folder: Path) -> list[int]:
    """A process's pid in each namespace it is in (NSpid of proc_pid_status(5))."""
    try:
        lines = (folder / "status").read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [int(word) for line in lines if line.startswith("NSpid:") for word in line.split()[1:]]


def start_ticks(pid: int, proc: Path = Path("/proc")) -> int | None:
    """When the process started; None where it is gone, or dead and merely not yet waited for."""
    try:
        text = (proc / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()
    return None if fields[0] in (b"Z", b"X", b"x") else int(fields[19])


@cache
def pid_namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return FIRST_PID_NS


def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
