"""Granting Blocks: the events of requests or of bios, filtered to one device, and the names of devices as a fact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftracepy.errors import UsageFault
from ftracepy.probes import Blocks, Tracepoint
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.system import devices
from ftracepy.tracefs import events

if TYPE_CHECKING:
    from ftracepy.live.ways.grant import Granting

# Ends before beginnings: what began before its end could be seen is then never taken for what begins later at its place.
_REQUESTS = ("block_rq_complete", "block_rq_requeue", "block_rq_issue", "block_bio_frontmerge", "block_rq_merge", "block_getrq")
# A bio that becomes a request, or part of one, does not end as a bio.
_BIOS = ("block_bio_complete", "block_bio_backmerge", "block_bio_frontmerge", "block_getrq", "block_split", "block_bio_queue")
# Tells of a request that is taken into its neighbour; 5.10 has it not, and there what a request covers has to tell: every bio
# that makes it longer, which are as many events as pages are written.
_TAKEN_IN, _LONGER = "block_rq_merge", "block_bio_backmerge"


def grant(granting: Granting, wish: Blocks) -> None:
    """Raises KernelCannot where this kernel has no block events, UsageFault where there is no such device."""
    known = devices.read()
    filter_ = "" if wish.device is None else _filter(wish.device, known)
    tells = events.exists(granting.tracefs.root, "block", _TAKEN_IN)
    requests = _REQUESTS if tells else [_LONGER if name == _TAKEN_IN else name for name in _REQUESTS]
    for name in _BIOS if wish.bios else requests:
        granting.wish(Tracepoint("block", name, filter_, scoped=False))
    granting.plan.facts.append(SideFact(Kind.DEVICES, 0, 0, devices.pack(known)))


def _filter(asked: str, known: list[devices.Device]) -> str:
    """A disk's requests name the disk, but bios may name the partition that they came by."""
    one = devices.find(asked, known)
    if one is None:
        names = ", ".join(sorted(device.name for device in known))
        raise UsageFault(f"there is no block device '{asked}'", hint=f"there are {names}")
    numbers = sorted({one.disk, *(device.number for device in known if device.disk == one.disk)})
    return " || ".join(f"dev == {number}" for number in numbers)
