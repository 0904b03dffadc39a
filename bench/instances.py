"""Instances of tracefs for the bench's own use: called after the process, so that those of one that was killed can be told."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

TRACEFS = Path("/sys/kernel/tracing")
_OWN = re.compile(r"bench_\w*?(\d+)")
_TRIES, _PAUSE_S = 20, 0.1  # a reader that was just ended holds its files a moment longer


def end_by_signals() -> None:
    """A bench that is told to end undoes what it has done; what an earlier one could not is removed now."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    for place in (TRACEFS / "instances").glob("bench_*"):
        pid = match[1] if (match := _OWN.fullmatch(place.name)) else ""
        if not pid or not os.path.exists(f"/proc/{pid}"):
            _remove(place)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def instance(purpose: str) -> Iterator[Path]:
    """An instance for as long as the block lasts."""
    place = TRACEFS / f"instances/bench_{purpose}_{os.getpid()}"
    place.mkdir()
    try:
        yield place
    finally:
        _remove(place)


def _remove(place: Path) -> None:
    for _ in range(_TRIES):
        try:
            place.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(_PAUSE_S)
