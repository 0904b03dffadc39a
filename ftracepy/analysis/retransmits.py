"""TCP segments sent again: who talks to whom, in which state, and what made the kernel send them.

tcp:tcp_retransmit_skb tells of each segment sent again, whatever timer or acknowledgement was the reason; that it was a
tail loss probe shows in the kernel's stack alone (kernel: net/ipv4/tcp_output.c, tcp_send_loss_probe). A listener's
answer (SYN-ACK) has no socket yet and an event of its own. On 5.10 the event has no address family: there both
addresses are there as IPv6, those of IPv4 mapped into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from ftracepy.analysis.stacks import hits
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import number, to_ns
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.analysis.feed import Feed

# include/net/tcp_states.h; a user may see these names in `ss`, too.
STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT", 7: "CLOSE", 8: "CLOSE_WAIT",
    9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "NEW_SYN_RECV",
}  # fmt: skip
_SYN_RECV, _INET, _INET6 = 3, 2, 10
_PROBE = "tcp_send_loss_probe"
RETRANSMIT, ANSWER, PROBE, EITHER = "R", "S", "L", "?"


@dataclass(frozen=True, slots=True)
class Retransmit:
    """One segment. `kind` is RETRANSMIT, ANSWER (SYN-ACK), PROBE, or EITHER of the first and the last; `error` an errno,
    negative, where it could not be sent.

    The task is the one that was running: as often as not none that has to do with the connection.
    """

    ts_ns: int
    tid: int
    pid: int
    comm: str
    kind: str
    family: int
    local: tuple[IPv4Address | IPv6Address, int]
    remote: tuple[IPv4Address | IPv6Address, int]
    state: str
    error: int
    stack: tuple[str, ...] | None


def retransmits(feed: Feed, *, stacks: bool) -> Iterator[Retransmit]:
    """Those of a feed in order; tail loss probes are known as such only with `stacks`.

    Without its stack a segment is EITHER then: kernels write none where they find nothing on it, as in interrupts of idle CPUs.
    """
    wanted = ("tcp_retransmit_skb", "tcp_retransmit_synack")
    formats = feed.schema.by_name()
    events = [formats["tcp", name].id for name in wanted if ("tcp", name) in formats]
    ns, tasks = to_ns(feed.schema.time), Tasks(feed.schema)
    for hit in hits(feed, events, tasks, stacks=stacks):
        event = hit.event
        family = _family(event)
        is_answer = event.name == "tcp_retransmit_synack"
        kind = ANSWER if is_answer else _kind(hit.stack) if stacks else RETRANSMIT
        state = _SYN_RECV if is_answer else number(event, "state")
        yield Retransmit(
            ns(event.ts), event.pid, hit.pid, hit.comm, kind, family,
            _end(event, "s", family), _end(event, "d", family), STATES.get(state, str(state)), number(event, "err"), hit.stack,
        )  # fmt: skip


def _kind(stack: tuple[str, ...] | None) -> str:
    if stack is None:
        return EITHER
    return PROBE if any(name.partition(" ")[0].partition("+")[0] == _PROBE for name in stack) else RETRANSMIT


def _family(event: Event) -> int:
    family = number(event, "family")
    if family in {_INET, _INET6}:
        return family
    return _INET if IPv6Address(_bytes(event, "daddr_v6", 16)).ipv4_mapped is not None else _INET6


def _end(event: Event, side: str, family: int) -> tuple[IPv4Address | IPv6Address, int]:
    port = number(event, f"{side}port")
    if family == _INET:
        return IPv4Address(_bytes(event, f"{side}addr", 4)), port
    return IPv6Address(_bytes(event, f"{side}addr_v6", 16)), port


def _bytes(event: Event, field: str, size: int) -> bytes:
    value = event.get(field)
    return value if isinstance(value, bytes) and len(value) == size else bytes(size)


def shown(end: tuple[IPv4Address | IPv6Address, int]) -> str:
    """ADDRESS:PORT, an IPv6 address in brackets and IPv4 in it with dots."""
    address, port = end
    if isinstance(address, IPv4Address):
        return f"{address}:{port}"
    return f"[::ffff:{address.ipv4_mapped}]:{port}" if address.ipv4_mapped else f"[{address}]:{port}"
