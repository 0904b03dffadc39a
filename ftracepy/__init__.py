"""Trace Linux through tracefs alone: no BPF, no kernel module, no compiler on the target."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own costs each start some milliseconds
if TYPE_CHECKING:
    import os

    from ftracepy.trace import Trace

__version__ = "0.1.0"


def open(path: str | os.PathLike[str], instance: str | None = None) -> Trace:
    """Open a recording: a trace.dat, a folder of raw sub-buffers, or "-" for standard input; see ftracepy.trace.Trace.

    `instance` chooses one of several; None is the top-level buffer or, where that is empty, the fullest. Raises
    ftracepy.errors.RecordingFault where it cannot be read, FtracepyError where it has no such instance.
    """
    from ftracepy.trace import Trace

    return Trace(path, instance)
