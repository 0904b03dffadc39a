"""The aide that tells how large the page cache is: MEMORY facts at the start, at each interval, and at the end."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from ftracepy.live.meanwhile import Meanwhile
from ftracepy.live.plan import Mark
from ftracepy.sidefacts import Kind, SideFact

_WANTED = ("Buffers", "Cached")


def sizes_kb(text: str) -> dict[str, int]:
    """The lines of /proc/meminfo that are wanted."""
    lines = (line.split() for line in text.splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1 and words[0].rstrip(":") in _WANTED}


class MemoryAide:
    """Aide: facts a little before each whole interval, so that each is in the interval it is about."""

    name = "memory"
    _EARLY_S = 0.02

    def __init__(self, interval_s: float, file: Path = Path("/proc/meminfo")) -> None:
        self._interval_s, self._file = interval_s, file
        self._end = threading.Event()
        self._thread: Meanwhile | None = None

    def start(self, mark: Mark) -> None:
        self._mark = mark
        self._tell()
        self._thread = Meanwhile(self._run)
        self._thread.start()

    def catch_up(self) -> None:
        self._tell()
        self._mark(SideFact(Kind.CAUGHT_UP, 0, time.monotonic_ns(), self.name.encode()))

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._end.set()
            thread.finish()
            self._tell()

    def _run(self) -> None:
        start = time.monotonic() - min(self._EARLY_S, self._interval_s / 2)
        while not self._end.wait(self._interval_s - (time.monotonic() - start) % self._interval_s):
            self._tell()

    def _tell(self) -> None:
        """Where it cannot be read, nothing is told, and the columns stay unknown."""
        try:
            sizes = sizes_kb(self._file.read_text())
        except (OSError, ValueError):
            return
        self._mark(SideFact(Kind.MEMORY, 0, time.monotonic_ns(), json.dumps(sizes).encode()))
