"""Runs a command line that has something to parse; what click says against it becomes one of our errors."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from ftracepy.cli.command import COMPLETE
from ftracepy.cli.group import ftracepy
from ftracepy.errors import ExitCode, FtracepyError, UsageFault


def run_parsed(argv: list[str]) -> int:
    """Parse, call, and return the exit code. Raises FtracepyError, and KeyboardInterrupt for click's Abort."""
    try:
        return _run(argv)
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as fault:
        raise _usage(fault, argv) from None


def _run(argv: list[str]) -> int:
    """Click's own `main` is not used: it turns a closed pipe into exit code 1."""
    if instruction := os.environ.get(COMPLETE):
        from ftracepy.cli import shells

        return shells.answer(ftracepy, instruction)
    try:
        with ftracepy.make_context("ftracepy", argv) as context:
            code = ftracepy.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return code if isinstance(code, int) else ExitCode.DONE


def _usage(fault: click.ClickException, argv: Sequence[str]) -> FtracepyError:
    """Click's message in our layout; it does not always know which command it was parsing for."""
    first, *rest = fault.format_message().strip().removesuffix(".").splitlines() or [""]
    if not isinstance(fault, click.UsageError):
        return FtracepyError(first, why="\n".join(rest))
    guess = " ".join(["ftracepy", *(word for word in argv[:1] if not word.startswith("-"))])
    return UsageFault(first, why="\n".join(rest), hint=f"{fault.ctx.command_path if fault.ctx else guess} --help")
