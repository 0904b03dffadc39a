"""What a command line that will trace can have the kernel begin while the rest of the program is still being loaded."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from ftracepy.errors import FtracepyError
from ftracepy.tools import listed

# With these no instance is wanted, or another one; a guess that is wrong costs time and nothing else.
_NOT_LIVE = ("-h", "--help", "--replay", "-l", "--list", "-v", "--dry-run", "--script", "-b", "--buffer-kb", "--tracefs")


class Early:
    """`signum` is the signal that ended the program before the command could take it (0: none)."""

    signum = 0


@contextmanager
def begun(argv: Sequence[str], early: Early) -> Iterator[None]:
    """Have an instance made for a tool that traces; undone if nobody took it. SIGTERM and SIGHUP raise KeyboardInterrupt."""
    if not _traces(argv):
        yield
        return

    def ended(signum: int, _frame: FrameType | None) -> None:
        early.signum = signum
        raise KeyboardInterrupt

    from ftracepy.live import ahead

    before = {
        one: signal.signal(one, ended) for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) == signal.SIG_DFL
    }
    try:
        ahead.begin()
        yield
    finally:
        with suppress(FtracepyError):  # the journal stays, for `reset`
            ahead.drop()
        for one, handler in before.items():
            signal.signal(one, handler)


def _traces(argv: Sequence[str]) -> bool:
    unfit = any(word == "--" or word.startswith(_NOT_LIVE) for word in argv)
    return bool(argv) and not unfit and argv[0] in listed.names()
