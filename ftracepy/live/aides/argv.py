"""The aide that tells arguments of programs just started: a thread that reads /proc/PID/cmdline at each exec.

It reads an instance of its own that holds nothing but sched_process_exec, for the run's own pages arrive too late:
a program that ends within some 0.2 ms is gone before it is read all the same (measured: 61 % of a static one were in time).
"""

from __future__ import annotations

import os
import re
import time
from contextlib import ExitStack

from ftracepy.live.aides.thread import AideThread
from ftracepy.live.plan import EVERYBODY, Mark, Scope
from ftracepy.probes import Tracepoint
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.tracefs import Tracefs

NAME = "argv"
_PID = re.compile(rb" pid=(\d+) old_pid=\d+$", re.MULTILINE)
_BUFFER_KB, _BUSY_MS = 64, 20
_MAX_ARGV_BYTES = 1 << 16
_CLOCK = "local"  # what a new instance has: to change it costs 25 ms, and nobody looks at these stamps


class ArgvAide(AideThread):
    """Aide: ARGV facts, from /proc, of every program start that it was in time for."""

    name = NAME

    def __init__(self, tracefs: Tracefs, scope: Scope = EVERYBODY) -> None:
        super().__init__(_BUSY_MS)
        self._tracefs, self._scope = tracefs, scope

    def start(self, mark: Mark) -> None:
        from ftracepy.live.instance import Instance

        with ExitStack() as stack:
            instance = stack.enter_context(Instance(self._tracefs, clock=_CLOCK, buffer_kb=_BUFFER_KB))
            instance.enable(Tracepoint("sched", "sched_process_exec"))
            self._pipe = os.open(instance.path / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, self._pipe)
            self.begin(mark, [self._pipe], stack)

    def report(self) -> bool:
        busy = False
        for text in self.pieces(self._pipe):
            busy = True
            for match in _PID.finditer(text):
                self._tell(int(match[1]))
        return busy

    def _tell(self, pid: int) -> None:
        if self._scope.pid not in (None, pid) or self._scope.tid not in (None, pid):
            return
        try:
            fd = os.open(f"/proc/{pid}/cmdline", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            now = time.monotonic_ns()
            if argv := os.read(fd, _MAX_ARGV_BYTES):
                self._mark(SideFact(Kind.ARGV, pid, now, argv))
        except OSError:
            return
        finally:
            os.close(fd)
