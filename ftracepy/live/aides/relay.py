"""The thread that takes fanotify's reports at once, without the interpreter: core/relay.c, and its pieces cut into rounds.

It runs ahead of everything of normal priority, where that is permitted. Opens that follow each other by some ten
microseconds then come one by one; read by a thread like any other, one report stood for hundreds of them (measured).
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

from ftracepy.live.meanwhile import Meanwhile
from ftracepy.live.plan import EVERYBODY, Scope
from ftracepy.values import dataclass, field

_HEAD = struct.Struct("=IIQQ")  # fp_relay_head
_HANDLES, _PATHS = 0, 1
_PIPE_BYTES, _READ_BYTES = 1 << 20, 1 << 16  # some 470 rounds: what is read at once takes 1 to 5 ms to tell


@dataclass(slots=True)
class Round:
    """Reports that were read together, of each queue (0: by handle, 1: by descriptor) as often as it was read, as bytes.

    All that was reported before `before` is in this round or an earlier one, and nothing in it later than `after`.
    """

    before: int
    after: int
    left_out: int = 0  # reports of others since the round before
    reads: list[tuple[int, bytes]] = field(default_factory=list)


class Relay:
    """`fd` is readable while there is something to take."""

    def __init__(self, by_handle: int, by_fd: int, scope: Scope = EVERYBODY) -> None:
        self._groups, self._tid = (by_handle, by_fd), scope.tid or 0
        self._folders = _folders(scope.pid) if scope.pid is not None and not scope.tid else (-1, -1)
        self.fd, self._out = os.pipe2(os.O_CLOEXEC)
        self._control_read, self._control = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.fd, False)
        with suppress(OSError, AttributeError):
            from fcntl import F_SETPIPE_SZ, fcntl

            fcntl(self.fd, F_SETPIPE_SZ, _PIPE_BYTES)
        self._thread = Meanwhile(self._run)
        self.is_drained = True  # by the latest read
        self._left = b""
        self._round = Round(0, 0)

    def start(self) -> None:
        self._thread.start()

    def ask(self) -> None:
        """Have a round taken now, be it an empty one."""
        os.write(self._control, b"x")

    def end(self) -> None:
        """Have the last round taken; `fd` is at its end then. Safe to call twice."""
        control, self._control = self._control, -1
        if control >= 0:
            os.close(control)

    def close(self) -> None:
        """Once more than `end`: wait for the thread, and give back what is open."""
        self.end()
        os.close(self.fd)
        self._thread.wait()
        for fd in (self._control_read, *self._folders):
            if fd >= 0:
                os.close(fd)

    def _run(self) -> None:
        from ftracepy._fastparse import _core

        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        try:
            _core.relay(*self._groups, self._control_read, self._out, self._tid, *self._folders)
        except BrokenPipeError:
            return
        finally:
            os.close(self._out)

    def rounds(self, quick: Callable[[bytes, int], int] = lambda _data, at: at) -> Iterator[Round | None]:
        """What there is, oldest first; None at the end of it all. Of much the first part, or one would never come to tell so.

        `quick` is asked before each round for where the next is that it does not deal with itself.
        """
        self.is_drained = True
        try:
            piece = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return
        self.is_drained = len(piece) < _READ_BYTES
        if piece:
            yield from self._cut(self._left + piece, quick)
        else:
            yield None

    def _cut(self, data: bytes, quick: Callable[[bytes, int], int]) -> Iterator[Round]:
        at = 0 if self._round.reads else quick(data, 0)
        while at + _HEAD.size <= len(data):
            kind, size, before, after = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + size
            if end > len(data):
                break
            piece, at = data[at + _HEAD.size : end], end
            if kind in (_HANDLES, _PATHS):
                self._round.reads.append((kind, piece))
                continue
            self._round.before, self._round.after, self._round.left_out = before, after, int.from_bytes(piece, sys.byteorder)
            yield self._round
            self._round = Round(0, 0)
            at = quick(data, at)
        self._left = data[at:]


def _folders(pid: int) -> tuple[int, int]:
    """/proc/PID/task and /proc, to ask by; a process that has ended has no opens to be told apart."""
    try:
        tasks = os.open(f"/proc/{pid}/task", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return -1, -1
    return tasks, os.open("/proc", os.O_PATH | os.O_CLOEXEC)
