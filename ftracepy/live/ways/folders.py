"""What relative paths are relative to: working folders from /proc, descriptors from the opens that returned them."""

from __future__ import annotations

from ftracepy.live.aides.folders import CHANGES, FoldersAide
from ftracepy.live.ways.candidate import Candidate
from ftracepy.probes import Tracepoint, Way
from ftracepy.tracefs import Tracefs, events

_ENDS = (
    *((name, "ret == 0") for name in CHANGES),
    *((f"sys_exit_{name}", "ret >= 0") for name in ("dup", "dup2", "dup3", "fcntl")),
)


def candidate(tracefs: Tracefs) -> Candidate:
    """It needs no proof: a fact is read from /proc and counts only where no chdir came after."""
    found = tuple(
        Tracepoint("syscalls", name, filter=filter_) for name, filter_ in _ENDS if events.exists(tracefs.root, "syscalls", name)
    )
    misses = "folders renamed since, descriptors that came from other processes or were there at the start"
    way = Way("folders of relative paths", "/proc/PID/cwd and the opens seen", "proc-after", misses)
    return Candidate("folders", way, events=found, aides=(lambda: FoldersAide(tracefs),))
