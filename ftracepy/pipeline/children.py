"""A command to trace: forked first and held back, so that its first instruction is already in the trace."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from ftracepy.errors import FtracepyError

_NOT_STARTED = 127


class Child:
    """A held command. `pid` is known before it runs; leaving the context ends it if it still runs."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = tuple(command)
        self.status: int | None = None
        self._gate_read, self._gate_write = os.pipe()
        self._answer_read, self._answer_write = os.pipe()
        self._waiter: threading.Thread | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._become()
        os.close(self._gate_read)
        os.close(self._answer_write)

    def _become(self) -> None:
        """In the child: wait for the gate, then be the command; tell errno through the answer pipe."""
        try:
            os.close(self._gate_write)
            for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
                signal.signal(one, signal.SIG_DFL)
            if not os.read(self._gate_read, 1):
                os._exit(_NOT_STARTED)
            os.execvp(self.command[0], self.command)
        except OSError as error:
            os.write(self._answer_write, str(error.errno).encode())
        finally:
            os._exit(_NOT_STARTED)

    def go(self, when_done: Callable[[], None]) -> None:
        """Let it run; `when_done` is called from a thread when it has ended. Raises FtracepyError where it cannot be executed."""
        os.write(self._gate_write, b"x")
        os.close(self._gate_write)
        self._gate_write = -1
        answer = os.read(self._answer_read, 16)
        if answer:
            os.waitpid(self.pid, 0)
            self.status = _NOT_STARTED
            raise FtracepyError(f"cannot run '{self.command[0]}'", why=os.strerror(int(answer)))
        self._waiter = threading.Thread(target=self._wait, args=(when_done,), daemon=True)
        self._waiter.start()

    def _wait(self, when_done: Callable[[], None]) -> None:
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        when_done()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self._gate_write >= 0:
            os.close(self._gate_write)
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        elif self._waiter and self.status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            self._waiter.join(5)
        os.close(self._answer_read)
