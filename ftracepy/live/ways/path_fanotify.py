"""Paths of opens from fanotify: the kernel's report of each file really opened, told by the aide of the same purpose."""

from __future__ import annotations

from ftracepy.live.aides.opens import OpensAide
from ftracepy.live.plan import EVERYBODY, Scope
from ftracepy.live.ways.candidate import Candidate
from ftracepy.probes import Way

_MISSES = "failed opens, O_PATH, terminals, tracefs, network file systems, file systems mounted a moment ago"
_SCOPED = ", and all of them while others open more than 5,000 files a second, which is said (~ then)"


def candidate(scope: Scope) -> Candidate:
    """Raises FtracepyError where fanotify is missing or not permitted."""
    _try()
    misses = _MISSES if scope == EVERYBODY else _MISSES + _SCOPED
    way = Way("path of successful opens", "fanotify", "kernel-copy", misses)
    return Candidate("path_fanotify", way, aides=(lambda: OpensAide(scope),))


def _try() -> None:
    """Making a group is what may be refused; it costs some microseconds, so it is tried each time."""
    from ftracepy.live.aides import fanotify, opens

    try:
        fd = fanotify.group(by_handle=False)
    except OSError as error:
        raise opens.refused(error) from None
    import os

    os.close(fd)
