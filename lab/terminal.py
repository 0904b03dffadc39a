"""A person's terminal: what the guest is told of it, and that it is left as it was found."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import termios
from collections.abc import Iterator

from lab.debian import LabFault


def described() -> str:
    """Its kind, lines and columns: three words of a shell's."""
    columns, lines = os.get_terminal_size(sys.stdin.fileno())
    return shlex.quote(f"{os.environ.get('TERM', 'vt100')} {lines} {columns}")


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Puts its settings back, however the guest ended. Raises LabFault where stdin or stdout is none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise LabFault("--shell is for a person at a terminal\n  try     scripts/lab KERNEL -- COMMAND")
    found = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, found)
