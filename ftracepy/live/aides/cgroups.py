"""The aide that tells the control group of each process that is there at the start; later ones inherit, or events tell."""

from __future__ import annotations

import time

from ftracepy.live.plan import Mark
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.system.cgroups import pack_cgroups, snapshot


class CgroupsAide:
    """Aide without a thread: all is said at its start."""

    name = "cgroups"

    def start(self, mark: Mark) -> None:
        for body in pack_cgroups(snapshot()):
            mark(SideFact(Kind.CGROUPS, 0, time.monotonic_ns(), body))

    def catch_up(self) -> None:
        """There is nothing to tell."""

    def stop(self) -> None:
        """There is nothing to end."""
