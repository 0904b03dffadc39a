"""Paths of opens from the kernel's own copy of the name: a kprobe where every open passes with it.

do_filp_open(int, struct filename *, const struct open_flags *) until 6.x, do_file_open since 7.x; `name` is the first
member of struct filename (include/linux/fs.h), so it is two reads from the second argument: no race with the caller,
no fault. struct open_flags (fs/internal.h) begins with the flags as the kernel
takes them: without O_CLOEXEC, which is the descriptor's.
"""

from __future__ import annotations

from ftracepy.errors import KernelCannot
from ftracepy.live.plan import ProbeDef
from ftracepy.live.ways import canary
from ftracepy.live.ways.candidate import Candidate
from ftracepy.probes import Way
from ftracepy.tracefs import Tracefs, probes

WHAT = "path of opens"
FUNCTIONS = ("do_filp_open", "do_file_open")


def candidates(tracefs: Tracefs) -> list[Candidate]:
    """One per name the function has had. Raises KernelCannot without kprobes."""
    if not probes.supported(tracefs.root, "kprobe_events"):
        raise KernelCannot("no kprobes", why="tracefs has no kprobe_events", hint="a kernel with CONFIG_KPROBE_EVENTS=y")
    return [_candidate(function) for function in FUNCTIONS]


def _candidate(function: str) -> Candidate:
    args = ("path=+0(+0($arg2)):string", "flags=+0($arg3):s32")
    probe = ProbeDef("p", "path_kernel", function, args, "kprobe_events")
    way = Way(WHAT, f"kprobe on {function}", "kernel-copy", "names longer than a sub-buffer")
    return Candidate(f"path_kernel/{function}", way, kprobes=(probe,), proof=canary.open_missing)
