"""How a run is asked to end from outside, and the exit code that tells by what."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ftracepy.pipeline.requests import Stop

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_on_signals(*, break_off: bool = True) -> Iterator[Stop]:
    """A Stop that the first Ctrl-C, SIGTERM or SIGHUP asks; one more breaks off with KeyboardInterrupt, undoing as it goes,
    unless `break_off` is False: what has threads of others' making would be left in any state by it.

    A SIGHUP that was ignored when we started stays ignored: nohup relies on it. SIGINT is taken though a script's
    background jobs start with it ignored: `kill -INT` is how scripts end a tracer.
    """
    stop = Stop()

    def asked(signum: int, _frame: FrameType | None) -> None:
        if stop.signum and break_off:
            raise KeyboardInterrupt
        stop.ask(signum)

    taken = [one for one in _SIGNALS if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, asked) for one in taken}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def exit_code(code: int, stop: Stop, *, live: bool) -> int:
    """Ctrl-C is how a live run is meant to end; whatever else a signal cut short says so."""
    if stop.signum and not (live and stop.signum == signal.SIGINT):
        return 128 + stop.signum
    return code
