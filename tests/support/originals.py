"""Runs one of perf-tools' scripts as a person would, at a terminal, while a program works; writes what it showed as JSON.

    python originals.py OUT CODE NAME [OPTION]...    {pid} in an option: the program's; what NAME is in /usr/sbin: NAME-perf

They work on the kernel's top-level buffer and settings, so this belongs into a guest of the lab and nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

TOP = Path("/sys/kernel/debug/tracing")
_LOCK = Path("/var/tmp/.ftrace-lock")
BY_PERF = ("bitesize", "perf-stat-hist", "syscount")
_PERF_SETTLE_S, _PERF_END_S = 6.0, 20.0
_BEGIN_S, _SETTLE_S, _QUIET_S, _END_S = 25.0, 2.0, 2.0, 40.0


def program(name: str) -> str:
    return f"/usr/sbin/{name}-perf"


class Screen:
    """A terminal of its own, whose foreground process it is; what appeared there."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self._end = pty.fork()
        if not self.pid:
            os.execv(command[0], command)
        look = termios.tcgetattr(self._end)
        look[1] &= ~termios.OPOST  # lines end with a line feed alone
        look[3] &= ~termios.ECHO
        termios.tcsetattr(self._end, termios.TCSANOW, look)
        self._seen, self.status = bytearray(), -1

    @property
    def text(self) -> str:
        return self._seen.decode(errors="replace")

    def watch(self, seconds: float) -> bool:
        """Whether it still runs after so long."""
        end = time.monotonic() + seconds
        while self.status < 0 and (left := end - time.monotonic()) > 0:
            if select.select([self._end], [], [], min(left, 0.2))[0]:
                with contextlib.suppress(OSError):  # EIO: nobody has it open any more
                    self._seen += os.read(self._end, 1 << 16)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status) & 0xFF
        self._rest()
        return self.status < 0

    def _rest(self) -> None:
        with contextlib.suppress(OSError):
            while select.select([self._end], [], [], 0)[0] and (more := os.read(self._end, 1 << 16)):
                self._seen += more

    def calm(self) -> None:
        """Until nothing has appeared for a while."""
        before, end = -1, time.monotonic() + _END_S
        while before != len(self._seen) and time.monotonic() < end:
            before = len(self._seen)
            if not self.watch(_QUIET_S):
                return

    def interrupt(self) -> None:
        """Ctrl-C, and after a long while worse."""
        if self.status < 0:
            os.write(self._end, b"\x03")
        if self.watch(_END_S):
            os.killpg(self.pid, signal.SIGKILL)
            self.watch(5)


def has_begun() -> bool:
    """Whether something is on at the top level, or perf runs, which some of them leave it all to."""
    if (TOP / "current_tracer").read_text().strip() != "nop" or (TOP / "set_event").read_text().strip():
        return True
    return any(_name(pid).startswith("perf") for pid in os.listdir("/proc") if pid.isdigit())


def _name(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def run(code: str, name: str, options: list[str]) -> dict[str, object]:
    """The program's pid and output, the original's text and exit status (-1: it had to be killed)."""
    _LOCK.unlink(missing_ok=True)
    work = subprocess.Popen(
        [sys.executable, "-S", "-c", f"import sys\nsys.stdin.readline()\n{code}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    screen = Screen([program(name), *(one.replace("{pid}", str(work.pid)) for one in options)])
    end = time.monotonic() + _BEGIN_S
    while screen.watch(0.3) and not has_begun() and time.monotonic() < end:
        pass
    screen.watch(_PERF_SETTLE_S if name in BY_PERF else _SETTLE_S)
    assert work.stdin
    work.stdin.write(b"go\n")
    work.stdin.flush()
    while work.poll() is None:
        if not screen.watch(0.1):
            time.sleep(0.1)
    said = work.communicate()[0].decode()
    screen.calm()
    if name in BY_PERF:
        screen.watch(_PERF_END_S)
    screen.interrupt()
    return {"pid": work.pid, "said": said, "text": screen.text, "status": screen.status}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(run(sys.argv[2], sys.argv[3], sys.argv[4:])))
