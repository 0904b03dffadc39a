"""Runs a command line: the one place where an error becomes text on stderr and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from ftracepy.errors import FtracepyError
from ftracepy.sinks.escape import visible
from ftracepy.tools import listed

COMPLETE = "_FTRACEPY_COMPLETE"  # a shell asks what could follow
_PIPE_CLOSED = 128 + signal.SIGPIPE
_INTERRUPTED = 128 + signal.SIGINT


def run(words: Sequence[str]) -> int:
    """Parse and run, lay out what went wrong, and return the exit code."""
    argv = list(words)
    try:
        code = _run(argv)
        sys.stdout.flush()
    except FtracepyError as fault:
        return _failed(fault)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return _PIPE_CLOSED
    except OSError as fault:
        _forget_output()
        return _failed(_from_system(fault))
    return code


def _run(argv: list[str]) -> int:
    """A tool's name alone leaves nothing to parse, and click takes as long to load as the rest."""
    if len(argv) == 1 and argv[0] in listed.names() and not os.environ.get(COMPLETE):
        from ftracepy.cli.bare import run_bare

        return run_bare(argv[0])
    from ftracepy.cli.parsed import run_parsed

    return run_parsed(argv)


def _failed(fault: FtracepyError) -> int:
    """Lay the error out. Its text may quote file names and recordings, so nothing of it reaches the terminal raw."""
    first, *rest = fault.lines()
    try:
        sys.stderr.write("".join(f"{visible(line)}\n" for line in (f"ftracepy: {first}", *rest)))
        sys.stderr.flush()
    except OSError:
        _forget_output()
    return fault.exit_code


def _from_system(fault: OSError) -> FtracepyError:
    """A refusal that no lower layer had words for."""
    if isinstance(fault.filename, str | bytes):
        return FtracepyError(f"cannot use '{os.fsdecode(fault.filename)}'", why=fault.strerror or str(fault))
    return FtracepyError(fault.strerror or str(fault))


def _forget_output() -> None:
    """Point an output that takes no more at nothing, or the interpreter complains when it flushes at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nothing, stream.fileno())
    os.close(nothing)
