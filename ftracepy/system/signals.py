"""Names of signals, the real-time ones counted from SIGRTMIN as C libraries count them."""

from __future__ import annotations

import signal
from functools import lru_cache

_RT_FIRST, _RT_LAST = 34, 64  # the kernel's start at 32; glibc and musl keep the first for themselves


@lru_cache(maxsize=128)
def name(number: int) -> str:
    """`SIGTERM`, `SIGRTMIN+3`; the plain number for 0 (which only asks whether one may send) and for no signal at all."""
    if _RT_FIRST <= number <= _RT_LAST:
        return "SIGRTMAX" if number == _RT_LAST else f"SIGRTMIN+{number - _RT_FIRST}".removesuffix("+0")
    try:
        return _OLD.get(number) or signal.Signals(number).name
    except ValueError:
        return str(number)


def number(text: str) -> int:
    """The signal that a user means by `9`, `KILL`, `SIGKILL` or `SIGRTMIN+3`; ValueError where there is none."""
    if text.isdigit():
        return int(text)
    wanted = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    for candidate in range(1, _RT_LAST + 1):
        if name(candidate) == wanted:
            return candidate
    raise ValueError(f"no signal is called {text!r}")


# Python knows two names for these and may answer with the lesser known one.
_OLD = {signal.SIGABRT.value: "SIGABRT", signal.SIGCHLD.value: "SIGCHLD", signal.SIGIO.value: "SIGIO"}
