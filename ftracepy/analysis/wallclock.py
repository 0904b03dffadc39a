"""The time of day of an event, where the run's header says how its clock stands to it."""

from __future__ import annotations

import time

from ftracepy.analysis.walk import Machine, header_of
from ftracepy.sidefacts import Kind, SideFact


class WallClock(Machine):
    """Learns from the HEADER fact."""

    def __init__(self) -> None:
        self._epoch_ns: int | None = None

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is Kind.HEADER and isinstance(epoch_ns := header_of(fact).get("epoch_ns"), int):
            self._epoch_ns = epoch_ns

    def show(self, ts_ns: int) -> str | None:
        """HH:MM:SS in the reader's time zone; None where no header has told."""
        if self._epoch_ns is None:
            return None
        return time.strftime("%H:%M:%S", time.localtime((self._epoch_ns + ts_ns) // 1_000_000_000))
