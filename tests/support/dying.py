"""Runs of ours that are struck by a signal at a chosen moment of theirs: at their n-th change of the kernel, or n-th call.

Moments are counted, not timed, so they are the same on a fast machine and on an emulated one. Run as a program this forks
a run for each line of its input, "SIGNAL WHEN NUMBER": WHEN is before or after the change of that number, or call, the
call or return of that number in the main thread, of Python's functions and C's. Its answer is a line of JSON.
"""

from __future__ import annotations

import atexit
import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

_ROOT = Path(__file__).parents[2]
_PATIENCE_S = 60.0
_INTERRUPTED = 130
# Where the main thread begins others, waits for them and undoes: an interrupt there must neither hang nor leave anything.
_DELICATE = tuple(f"live/{name}.py" for name in ("meanwhile", "ahead", "undo", "source", "instance"))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: exit status, minus a signal, or None where it did not within a minute. `calls` are of delicate places."""

    pid: int
    status: int | None
    changes: int
    calls: list[int]


class Dying:
    """The program's other end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, number: int = 0, when: str = "before", at: int = -1) -> Ended:
        """A run that `number` strikes then; with none it ends by itself."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{int(number)} {when} {at}\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


@contextmanager
def dying(*places: str) -> Iterator[Dying]:
    """Runs that trace system calls, and put two uprobes at `places`."""
    command = [sys.executable, "-P", "-m", "tests.support.dying", *places]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT, env=_environment()
    ) as process:
        yield Dying(process)
        process.communicate("")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT)}


def _trace(places: list[str]) -> None:
    from ftracepy import live, tracefs
    from ftracepy.live.plan import Plan, ProbeDef
    from ftracepy.probes import Tracepoint
    from tests.support.machines import FIRST_ARGUMENT

    args = (f"a={FIRST_ARGUMENT}:u64",)
    plan = Plan(
        events=[Tracepoint("raw_syscalls", "sys_enter", "id > 0"), Tracepoint("raw_syscalls", "sys_exit")],
        uprobes=[ProbeDef("p", name, place, args) for name, place in zip(("one", "two"), places, strict=True)],
    )
    with live.open(plan, tracefs=tracefs.find()) as source:
        source.stop()
        for _ in source.rounds():
            pass


class _Moments:
    """Counts changes and calls, and strikes at the one that was asked for."""

    def __init__(self, number: int, when: str, at: int) -> None:
        self.number, self.when, self.at = number, when, at
        self.changes = self.calls = 0
        self.delicate: list[int] = []

    def strike(self, when: str, at: int) -> None:
        if (when, at) == (self.when, self.at):
            os.kill(os.getpid(), self.number)

    def watched(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: object) -> object:
            at, self.changes = self.changes, self.changes + 1
            self.strike("before", at)
            done = change(*arguments)
            self.strike("after", at)
            return done

        return changed

    def called(self, frame: FrameType, _event: str, _: object) -> None:
        at, self.calls = self.calls, self.calls + 1
        if frame.f_code.co_filename.endswith(_DELICATE):
            self.delicate.append(at)
        self.strike("call", at)


def _child(moments: _Moments, places: list[str], told: int) -> None:
    from ftracepy.tracefs import files

    for name in ("sys_write", "sys_mkdir", "sys_rmdir"):
        setattr(files, name, moments.watched(getattr(files, name)))
    status = 1
    try:
        faulthandler.register(signal.SIGUSR1)
        sys.setprofile(moments.called)
        _trace(places)
        status = 0
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except Exception:
        traceback.print_exc()
    finally:
        sys.setprofile(None)
        atexit._run_exitfuncs()
        os.write(told, json.dumps([moments.changes, moments.delicate]).encode())
        os._exit(status)


def _one(number: int, when: str, at: int, places: list[str]) -> Ended:
    read, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _child(_Moments(number, when, at), places, told)
    os.close(told)
    status = _waited(pid)
    said = json.loads(_all(read) or b"[0, []]")
    os.close(read)
    return Ended(pid, status, *said)


def _all(fd: int) -> bytes:
    return b"".join(iter(lambda: os.read(fd, 1 << 16), b""))


def _waited(pid: int) -> int | None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGUSR1)  # where each thread hangs, on stderr
    time.sleep(1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def main(places: list[str]) -> None:
    _trace(places)  # all that is imported late is there: an interrupt within Python's own importing can vanish
    for line in sys.stdin:
        number, when, at = line.split()
        ended = _one(int(number), when, int(at), places)
        sys.stdout.write(json.dumps({name: getattr(ended, name) for name in Ended.__slots__}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
