"""Paths of opens from the system call's entry event itself, where the kernel stores the text there.

Newer kernels add `__filename_val` to sys_enter_openat and others (kernel/trace/trace_syscalls.c,
syscall_get_data); the length kept is bounded by tracefs' syscall_user_buf_size.
"""

from __future__ import annotations

from ftracepy.errors import KernelCannot
from ftracepy.live.ways import canary
from ftracepy.live.ways.candidate import Candidate
from ftracepy.probes import Tracepoint, Way
from ftracepy.tracefs import Tracefs, events

WHAT = "path of opens"
SETTING, MAX_BYTES = "syscall_user_buf_size", "165"


def carries_text(tracefs: Tracefs, syscall: str, argument: str) -> bool:
    """Whether the entry event of `syscall` has the text of `argument` in it."""
    name = f"sys_enter_{syscall}"
    if not events.exists(tracefs.root, "syscalls", name):
        return False
    return f"__{argument}_val;" in events.format_bytes(tracefs.root, "syscalls", name).decode(errors="replace")


def candidate(tracefs: Tracefs) -> Candidate:
    """Raises KernelCannot where the entry event holds the pointer only."""
    if not carries_text(tracefs, "openat", "filename"):
        why = "sys_enter_openat holds only the pointer"
        raise KernelCannot("the syscall event holds no text", why=why, hint="Linux 7.0 or newer")
    has_setting = (tracefs.root / SETTING).exists()
    limit = f"{MAX_BYTES} bytes" if has_setting else "what the kernel was built to keep (63 bytes by default)"
    misses = f"text beyond {limit}, io_uring"
    way = Way(WHAT, "text in the syscall event", "user@enter", misses)
    settings = ((SETTING, MAX_BYTES),) if has_setting else ()
    event = Tracepoint("syscalls", "sys_enter_openat")
    return Candidate("path_field", way, events=(event,), settings=settings, proof=canary.open_missing)
