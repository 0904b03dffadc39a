"""Paths of opens read from the caller's memory when the system call's entry event fires: an event probe on it.

The event probe cannot wait for a page, so a name in memory not touched yet reads as (fault). Kernel 6.1
takes the definition and reads one byte of the pointer: hence the trial.
"""

from __future__ import annotations

from collections.abc import Sequence

from ftracepy.errors import KernelCannot
from ftracepy.live.plan import ProbeDef
from ftracepy.live.ways import canary
from ftracepy.live.ways.candidate import Candidate
from ftracepy.probes import Way
from ftracepy.tracefs import Tracefs, events, probes

WHAT = "path of opens"
_MISSES = "names in memory that is not resident, io_uring"


def candidate(tracefs: Tracefs, syscalls: Sequence[str]) -> Candidate:
    """Raises KernelCannot where tracefs has no dynamic_events."""
    if not probes.supported(tracefs.root, "dynamic_events"):
        raise KernelCannot("no event probes", why="tracefs has no dynamic_events", hint="a kernel with CONFIG_EPROBE_EVENTS=y")
    found = tuple(_probe(tracefs, name) for name in syscalls if events.exists(tracefs.root, "syscalls", f"sys_enter_{name}"))
    way = Way(WHAT, "event probe on the syscall's entry", "user@enter", _MISSES)
    return Candidate("path_entry/" + ",".join(syscalls), way, kprobes=found, proof=canary.open_missing)


def _probe(tracefs: Tracefs, syscall: str) -> ProbeDef:
    """Event probes of one name must sit on one event, so all but openat's carry the call's name too."""
    name = "path_entry" if syscall == "openat" else f"path_entry_{syscall}"
    format_text = events.format_bytes(tracefs.root, "syscalls", f"sys_enter_{syscall}")
    dfd = "dfd=$dfd:s32" if b" dfd;" in format_text else "dfd=\\-100:s32"
    pointer = "pathname" if b" pathname;" in format_text else "filename"
    args = (f"path=+0(${pointer}):ustring", dfd)
    return ProbeDef("e", name, f"syscalls.sys_enter_{syscall}", args, "dynamic_events")
