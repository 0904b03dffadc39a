"""A command to trace: forked first and held back, so that its first instruction is already in the trace."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from ftracepy.errors import FtracepyError

_NOT_STARTED = 127
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


class Child:
    """A held command. `pid` is known before it runs, `status` once it has ended; leaving the context ends it if it still runs.

    The thread that waits for it exists from the start: only threads that do are kept out of our own trace.
    `to_stderr`: its standard output is ours alone, and it writes to stderr.
    """

    def __init__(self, command: Sequence[str], *, to_stderr: bool = False) -> None:
        self.command = tuple(command)
        self._to_stderr = to_stderr
        self.status: int | None = None
        self._gate_read, self._gate_write = os.pipe()
        self._answer_read, self._answer_write = os.pipe()
        self._when_done: Callable[[], None] | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._become()
        os.close(self._gate_read)
        os.close(self._answer_write)
        self._waiter = threading.Thread(target=self._wait, name="waiter", daemon=True)
        self._waiter.start()

    def _become(self) -> None:
        """In the child: wait for the gate, then be the command; tell errno through the answer pipe."""
        try:
            os.close(self._gate_write)
            for one in _SIGNALS:
                signal.signal(one, signal.SIG_DFL)
            if self._to_stderr:
                os.dup2(2, 1)
            if os.read(self._gate_read, 1):
                os.execvp(self.command[0], self.command)
        except OSError as error:
            os.write(self._answer_write, str(error.errno).encode())
        finally:
            os._exit(_NOT_STARTED)

    def go(self, when_done: Callable[[], None]) -> None:
        """Let it run; `when_done` is called from a thread when it has ended. Raises FtracepyError where it cannot be executed."""
        self._when_done = when_done
        os.write(self._gate_write, b"x")
        self._close_gate()
        if answer := os.read(self._answer_read, 16):
            raise FtracepyError(f"cannot run '{self.command[0]}'", why=os.strerror(int(answer)))

    def _wait(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        if self._when_done:
            self._when_done()

    def _close_gate(self) -> None:
        gate, self._gate_write = self._gate_write, -1
        if gate >= 0:
            os.close(gate)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        held = self._gate_write >= 0
        self._close_gate()
        if not held and self.status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        self._waiter.join(5)
        os.close(self._answer_read)
