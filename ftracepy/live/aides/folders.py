"""The aide that tells in which folder processes work: a thread that reads /proc/PID/cwd at the start and at each chdir.

It reads an instance of its own that holds nothing but the ends of chdir and fchdir, for the run's own pages arrive later.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from contextlib import ExitStack

from ftracepy.live.aides.thread import AideThread
from ftracepy.live.plan import Mark
from ftracepy.probes import Tracepoint
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.tracefs import Tracefs, events

CHANGES = ("sys_exit_chdir", "sys_exit_fchdir")
_TID = re.compile(rb"-(\d+) +\[\d+\]")
_BUFFER_KB, _BUSY_MS = 64, 5
_CLOCK = "local"  # what a new instance has: to change it costs 25 ms, and nobody looks at these stamps
_GONE = b" (deleted)"  # what the kernel appends: such a folder has no path any more


class FoldersAide(AideThread):
    """Aide: FOLDERS facts of every process there is at the start, and of each that has gone to another folder."""

    name = "folders"

    def __init__(self, tracefs: Tracefs) -> None:
        super().__init__(_BUSY_MS)
        self._tracefs = tracefs

    def start(self, mark: Mark) -> None:
        from ftracepy.live.instance import Instance

        with ExitStack() as stack:
            instance = stack.enter_context(Instance(self._tracefs, clock=_CLOCK, buffer_kb=_BUFFER_KB))
            for name in CHANGES:
                if events.exists(self._tracefs.root, "syscalls", name):
                    instance.enable(Tracepoint("syscalls", name, filter="ret == 0"))
            self._pipe = os.open(instance.path / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, self._pipe)
            tell(mark, map(int, filter(str.isdigit, os.listdir("/proc"))))
            self.begin(mark, [self._pipe], stack)

    def report(self) -> bool:
        tids = [int(match[1]) for text in self.pieces(self._pipe) for match in _TID.finditer(text)]
        tell(self._mark, dict.fromkeys(tids))
        return bool(tids)


def tell(mark: Mark, tids: Iterable[int]) -> None:
    """One fact of the folders of all these threads."""
    when = time.monotonic_ns()
    found = [b"%d %b" % (tid, folder) for tid in tids if (folder := _folder(tid))]
    if found:
        mark(SideFact(Kind.FOLDERS, 0, when, b"\0".join(found)))


def _folder(tid: int) -> bytes:
    """b"" where nobody can tell."""
    try:
        folder = os.readlink(b"/proc/%d/cwd" % tid)
    except OSError:
        return b""
    return folder if folder.startswith(b"/") and not folder.endswith(_GONE) else b""
