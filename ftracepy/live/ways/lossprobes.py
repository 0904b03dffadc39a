"""Granting LossProbes: where the kernel's function that sends them begins and ends, else the stack of each segment sent again.

Own probe events (system "ftracepy_<run>"), of one function, within which the segment is sent:

loss_probe       it begins: `sk` u64, the connection's socket
loss_probe_end   it returns
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError
from ftracepy.live.instance import Instance
from ftracepy.live.plan import ProbeDef
from ftracepy.probes import LossProbes, Tracepoint, Way
from ftracepy.tracefs import Tracefs, probes

if TYPE_CHECKING:
    from ftracepy.live.ways.grant import Granting

_WHAT = "which segments are tail loss probes"
_FUNCTION = "tcp_send_loss_probe"
_PROBES = (
    ProbeDef("p", "loss_probe", _FUNCTION, ("sk=$arg1:u64",), "kprobe_events"),
    ProbeDef("r", "loss_probe_end", _FUNCTION, (), "kprobe_events"),
)


def grant(granting: Granting, _wish: LossProbes) -> None:
    """Raises KernelCannot where this kernel does not tell of segments sent again."""
    tracefs = granting.tracefs
    if granting.verdicts.get(f"{tracefs.root}/{_FUNCTION}", partial(_are_taken, tracefs)):
        granting.plan.kprobes += _PROBES
        granting.plan.everywhere = True
        granting.plan.ways.append(Way(_WHAT, f"kprobes on {_FUNCTION}", "kernel-copy"))
        return
    granting.wish(Tracepoint("tcp", "tcp_retransmit_skb", stack=True, scoped=False))
    misses = "those whose stack the kernel does not write, or without its innermost functions"
    granting.plan.ways.append(Way(_WHAT, "the kernel's stacks", "kernel-copy", misses))


def _are_taken(tracefs: Tracefs) -> bool:
    if not probes.supported(tracefs.root, "kprobe_events"):
        return False
    try:
        with Instance(tracefs, clock="local", buffer_kb=4) as instance:
            for probe in _PROBES:
                instance.add_probe(probe)
    except FtracepyError:
        return False
    return True
