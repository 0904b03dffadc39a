"""argv from /proc/PID/cmdline right after the exec: for static programs, where nothing better is there."""

from __future__ import annotations

from ftracepy.live.aides.argv import ArgvAide
from ftracepy.live.plan import Scope
from ftracepy.live.ways.candidate import Candidate
from ftracepy.probes import Way
from ftracepy.tracefs import Tracefs


def candidate(tracefs: Tracefs, scope: Scope) -> Candidate:
    """Needs nothing but tracefs and /proc."""
    way = Way("argv of static programs", "/proc/PID/cmdline at once", "proc-after", "programs that end within a millisecond")
    return Candidate("argv_proc", way, aides=(lambda: ArgvAide(tracefs, scope),))
