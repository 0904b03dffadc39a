"""Runs a command line: the one place where an error becomes text on stderr and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import click

from ftracepy.errors import ExitCode, FtracepyError, UsageFault
from ftracepy.sinks.escape import visible

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
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return _PIPE_CLOSED
    except click.ClickException as fault:
        return _failed(_usage(fault, argv))
    except OSError as fault:
        _forget_output()
        return _failed(_from_system(fault))
    return code


def _run(argv: list[str]) -> int:
    """Parse and call. Click's own `main` is not used: it turns a closed pipe into exit code 1."""
    from ftracepy.cli.group import ftracepy

    if instruction := os.environ.get("_FTRACEPY_COMPLETE"):
        from ftracepy.cli import shells

        return shells.answer(ftracepy, instruction)
    try:
        with ftracepy.make_context("ftracepy", argv) as context:
            code = ftracepy.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return code if isinstance(code, int) else ExitCode.DONE


def _failed(fault: FtracepyError) -> int:
    """Lay the error out. Its text may quote file names and recordings, so nothing of it reaches the terminal raw."""
    first, *rest = fault.lines()
    try:
        sys.stderr.write("".join(f"{visible(line)}\n" for line in (f"ftracepy: {first}", *rest)))
        sys.stderr.flush()
    except OSError:
        _forget_output()
    return fault.exit_code


def _usage(fault: click.ClickException, argv: Sequence[str]) -> FtracepyError:
    """Click's message in our layout; it does not always know which command it was parsing for."""
    first, *rest = fault.format_message().strip().removesuffix(".").splitlines() or [""]
    if not isinstance(fault, click.UsageError):
        return FtracepyError(first, why="\n".join(rest))
    guess = " ".join(["ftracepy", *(word for word in argv[:1] if not word.startswith("-"))])
    return UsageFault(first, why="\n".join(rest), hint=f"{fault.ctx.command_path if fault.ctx else guess} --help")


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
