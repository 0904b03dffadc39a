"""Trying a way against a known call, in an instance of our own that is thrown away, before it is believed."""

from __future__ import annotations

import os
import re
import sys
from _thread import get_native_id
from contextlib import suppress

from ftracepy.errors import FtracepyError, KernelCannot
from ftracepy.live.instance import Instance
from ftracepy.live.ways.candidate import Candidate
from ftracepy.probes import Tracepoint
from ftracepy.symbols import words
from ftracepy.tracefs import Tracefs, files

_PROGRAMS = ("/bin/true", "/usr/bin/true", "/bin/echo", sys.executable)
_WORDS = r"=\{((?:0x[0-9a-f]+,?)+)\}"
_BUFFER_KB = 64
_serial = iter(range(1 << 30))


def token() -> str:
    """A text that nothing else on the machine passes to a system call."""
    return f"ftracepy-canary-{os.getpid()}-{next(_serial)}"


def open_missing() -> str:
    """Open a file that does not exist, through libc; returns the path that must be seen."""
    path = f"/nonexistent/{token()}"
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return path
    return path


def run_program() -> str:
    """Run a small program with a telling argument; returns the argument."""
    argument = token()
    program = next((path for path in _PROGRAMS if os.access(path, os.X_OK)), sys.executable)
    quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    arguments = [program, "-c", "pass", argument] if program == sys.executable else [program, argument]
    os.waitpid(os.posix_spawn(program, arguments, {}, file_actions=quiet), 0)
    return argument


def prove(tracefs: Tracefs, candidate: Candidate) -> None:
    """Raises FtracepyError if the kernel refuses the way's probes, or shows something else than what was done."""
    if candidate.proof is None:
        return
    wanted, trace = seen(tracefs, candidate)
    if wanted not in trace:
        raise KernelCannot(
            f"{candidate.way.how} does not show the {candidate.way.what} here",
            why=f"a known call ({wanted}) was made and not seen" if not trace else f"it shows something else than {wanted}",
        )


def seen(tracefs: Tracefs, candidate: Candidate) -> tuple[str, str]:
    """What must be seen, and what was: the canary's trace, word arrays turned into text."""
    assert candidate.proof
    with Instance(tracefs, clock="local", buffer_kb=_BUFFER_KB) as instance:
        with suppress(FtracepyError):
            instance.only([get_native_id()])
        for probe in candidate.probes:
            instance.add_probe(probe)
        own = [Tracepoint(instance.group, name) for name in dict.fromkeys(probe.event for probe in candidate.probes)]
        for event in (*candidate.events, *own):
            instance.enable(event)
        wanted = candidate.proof()
        return wanted, re.sub(_WORDS, _shown, files.read_text(instance.path / "trace"))


def _shown(match: re.Match[str]) -> str:
    raw = words.raw([int(word, 16) for word in match[1].split(",") if word])
    return "=" + raw.replace(b"\0", b" ").decode(errors="backslashreplace")
