"""saved_cmdlines, printk_formats and kallsyms: the tables that turn numbers in events into names."""

from __future__ import annotations

import re
from pathlib import Path

from ftracepy.errors import FtracepyError
from ftracepy.tracefs import files

_NO_LINE = re.compile(rb"^(?!\d+ ).*\n?", re.MULTILINE)


def saved(root: Path) -> bytes:
    """`PID COMM` lines of tasks seen while something was traced; b"" where it may not be read.

    A name may hold a newline, which the kernel does not escape: what follows it is left out, for
    trace-cmd reads no name at all from a recording with a line that is none.
    """
    return _NO_LINE.sub(b"", _or_nothing(root / "saved_cmdlines"))


def printk_formats(root: Path) -> bytes:
    """Addresses of trace_printk formats and their text."""
    return _or_nothing(root / "printk_formats")


def kallsyms(proc: Path = Path("/proc")) -> bytes:
    """The kernel's symbols: 5 MB and 50 ms, so only for those who print addresses."""
    return _or_nothing(proc / "kallsyms")


def _or_nothing(path: Path) -> bytes:
    try:
        return files.read_bytes(path)
    except FtracepyError:
        return b""
