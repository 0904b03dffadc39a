"""The aide that tells arguments of programs just started: a thread that reads /proc/PID/cmdline at each exec.

It reads an instance of its own that holds nothing but sched_process_exec, for the run's own pages arrive too late:
a program that ends within some 0.2 ms is gone before it is read all the same (measured: 61 % of a static one were in time).
"""

from __future__ import annotations

import os
import re
import select
import threading
import time
from contextlib import ExitStack

from ftracepy.live.plan import EVERYBODY, Mark, Scope
from ftracepy.probes import Tracepoint
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.tracefs import Tracefs

NAME = "argv"
_PID = re.compile(rb" pid=(\d+) old_pid=\d+$", re.MULTILINE)
_BUFFER_KB, _READ_BYTES, _IDLE_MS, _WAIT_S = 64, 1 << 16, 100, 2.0
_BUSY_NS = 20_000_000
_MAX_ARGV_BYTES = 1 << 16
_CLOCK = "local"  # what a new instance has: to change it costs 25 ms, and nobody looks at these stamps


class ArgvAide:
    """Aide: ARGV facts, from /proc, of every program start that it was in time for."""

    name = NAME

    def __init__(self, tracefs: Tracefs, scope: Scope = EVERYBODY) -> None:
        self._tracefs, self._scope = tracefs, scope
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._asked = self._done = 0
        self._caught = threading.Condition()
        self._stack = ExitStack()

    def start(self, mark: Mark) -> None:
        from ftracepy.live.instance import Instance

        with ExitStack() as stack:
            instance = stack.enter_context(Instance(self._tracefs, clock=_CLOCK, buffer_kb=_BUFFER_KB))
            self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            stack.callback(os.close, self._wake_read)
            stack.callback(os.close, self._wake_write)
            instance.enable(Tracepoint("sched", "sched_process_exec"))
            self._pipe = os.open(instance.path / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, self._pipe)
            self._stack = stack.pop_all()
        self._mark = mark
        self._thread = threading.Thread(target=self._run, name="aide-argv", daemon=True)
        self._thread.start()

    def catch_up(self) -> None:
        with self._caught:
            self._asked += 1
            asked = self._asked
            self._wake()
            self._caught.wait_for(lambda: self._done >= asked or not self._alive(), timeout=_WAIT_S)

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping = True
        self._wake()
        thread.join()
        self._stack.close()

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            return

    def _run(self) -> None:
        poll = select.poll()
        for fd in (self._pipe, self._wake_read):
            poll.register(fd, select.POLLIN)
        told = 0
        while True:
            stopping, asked = self._stopping, self._asked
            before = time.monotonic_ns()
            busy = self._drain()
            if stopping or asked > self._done or before - told >= (_BUSY_NS if busy else _IDLE_MS * 1_000_000):
                self._tell_caught_up(before, asked)
                told = before
            if stopping:
                return
            if any(fd == self._wake_read for fd, _ in poll.poll(_IDLE_MS // 5 if busy else _IDLE_MS)):
                os.read(self._wake_read, 4096)

    def _tell_caught_up(self, before: int, asked: int) -> None:
        self._mark(SideFact(Kind.CAUGHT_UP, 0, before, NAME.encode()))
        with self._caught:
            self._done = asked
            self._caught.notify_all()

    def _drain(self) -> bool:
        busy = False
        while True:
            try:
                text = os.read(self._pipe, _READ_BYTES)
            except OSError:
                return busy
            if not text:
                return busy
            busy = True
            for match in _PID.finditer(text):
                self._tell(int(match[1]))

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
