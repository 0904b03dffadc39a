"""Granting LossProbes: where the kernel's function that sends them begins and ends, else the stack of each segment sent again.

Own probe events (system "ftracepy_<run>"), of one function, within which the segment is sent:

loss_probe       it begins: `sk` u64, the connection's socket; `high` u32, not 0 where a probe of it is out already
loss_probe_end   it returns
loss_timer       before it returns it sets the retransmission timer again: `sk`; `high`, not 0 once a probe is out; and the
                 connection's ends, as struct sock_common has them, for one that carried new data has no event of its own

`high` and the ends need the kernel's types (BTF).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError
from ftracepy.live.instance import Instance
from ftracepy.live.plan import ProbeDef
from ftracepy.probes import LossProbes, Tracepoint, Way
from ftracepy.probespec.ready import ready
from ftracepy.tracefs import Tracefs, probes
from ftracepy.values import replace

if TYPE_CHECKING:
    from ftracepy.live.ways.grant import Granting

_WHAT = "which segments are tail loss probes"
_FUNCTION = "tcp_send_loss_probe"
_PROBES = (
    ProbeDef("p", "loss_probe", _FUNCTION, ("sk=$arg1:u64",), "kprobe_events"),
    ProbeDef("r", "loss_probe_end", _FUNCTION, (), "kprobe_events"),
)
_SOCK = "sk->__sk_common.skc"
_HIGH = "high=((struct tcp_sock *)sk)->tlp_high_seq"
_ENDS = " ".join((
    f"family={_SOCK}_family state={_SOCK}_state sport={_SOCK}_num dport={_SOCK}_dport",
    f"saddr={_SOCK}_rcv_saddr daddr={_SOCK}_daddr",
    *(f"saddr_v6_{at}={_SOCK}_v6_rcv_saddr.in6_u.u6_addr32[{at}]" for at in range(4)),
    *(f"daddr_v6_{at}={_SOCK}_v6_daddr.in6_u.u6_addr32[{at}]" for at in range(4)),
))  # fmt: skip
_TELLING = f"p:loss_probe {_FUNCTION} sk {_HIGH}; p:loss_timer tcp_rearm_rto sk {_HIGH} {_ENDS}"


def grant(granting: Granting, _wish: LossProbes) -> None:
    """Raises KernelCannot where this kernel does not tell of segments sent again."""
    tracefs = granting.tracefs
    if granting.verdicts.get(f"{tracefs.root}/{_FUNCTION}", partial(_are_taken, tracefs)):
        told = granting.verdicts.get(f"{tracefs.root}/{_TELLING}", partial(_telling, tracefs))
        granting.plan.kprobes += _with_ends(told) if told else _PROBES
        granting.plan.everywhere = True
        misses = "" if told else "those that carry new data: their connections are told by the kernel's types (BTF) alone"
        granting.plan.ways.append(Way(_WHAT, f"kprobes on {_FUNCTION}", "kernel-copy", misses))
        return
    granting.wish(Tracepoint("tcp", "tcp_retransmit_skb", stack=True, scoped=False))
    misses = "those whose stack the kernel does not write, or without its innermost functions"
    granting.plan.ways.append(Way(_WHAT, "the kernel's stacks", "kernel-copy", misses))


def _with_ends(told: Sequence[tuple[str, str, Sequence[str]]]) -> list[ProbeDef]:
    """The end of the function stands before the timer's probe, so that it has been there for each of its hits."""
    begin, timer = (ProbeDef("p", event, place, tuple(args), "kprobe_events") for event, place, args in told)
    return [begin, _PROBES[1], replace(timer, filter="high != 0")]


def _telling(tracefs: Tracefs) -> Sequence[tuple[str, str, Sequence[str]]]:
    """(event, place, arguments) of what tells of probes with new data; empty where this kernel's types are not known."""
    try:
        told = [(one.event, one.place, one.args) for one in ready(_TELLING)]
    except FtracepyError:
        return []
    return told if _are_taken(tracefs, _with_ends(told)) else []


def _are_taken(tracefs: Tracefs, wanted: Sequence[ProbeDef] = _PROBES) -> bool:
    if not probes.supported(tracefs.root, "kprobe_events"):
        return False
    try:
        with Instance(tracefs, clock="local", buffer_kb=4) as instance:
            for probe in wanted:
                instance.add_probe(probe)
    except FtracepyError:
        return False
    return True
