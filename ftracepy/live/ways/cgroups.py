"""Granting Cgroups: a snapshot from /proc, then the events by which processes are moved; a kernel without them has no groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftracepy.live.aides.cgroups import CgroupsAide
from ftracepy.probes import Cgroups, Tracepoint

if TYPE_CHECKING:
    from ftracepy.live.ways.grant import Granting


def grant(granting: Granting, wish: Cgroups) -> None:
    """Never refused: what is not told stays unknown."""
    for name in ("cgroup_attach_task", "cgroup_notify_populated"):
        granting.wish(Tracepoint("cgroup", name, optional=True))
    granting.plan.aides.append(CgroupsAide())
