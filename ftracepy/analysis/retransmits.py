"""TCP segments sent again: who talks to whom, in which state, and what made the kernel send them.

tcp:tcp_retransmit_skb tells of each segment sent again, whatever timer or acknowledgement was the reason. That it was a
tail loss probe (kernel: net/ipv4/tcp_output.c, tcp_send_loss_probe) our own probes `loss_probe` and `loss_probe_end` tell,
or the kernel's stack, of which kernels without the ORC unwinder leave out some innermost functions. One that carries new data
sends nothing again; it shows by the timer that the function sets last, our own probe `loss_timer`. A listener's answer
(SYN-ACK) has no socket yet and an event of its own. On 5.10 the event has no address family: there both
addresses are there as IPv6, those of IPv4 mapped into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Literal

from ftracepy.analysis.stacks import Hit, context_of, hits
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, number, own_probes, to_ns
from ftracepy.schema import Schema
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
_PROBE, _TIMER = "tcp_send_loss_probe", "loss_timer"
# Whatever else calls the function that sends a segment again, or is called for it (net/ipv4/tcp_*.c).
_REASONS = {"tcp_retransmit_skb", "tcp_retransmit_timer", "tcp_xmit_retransmit_queue", "tcp_simple_retransmit"}
RETRANSMIT, ANSWER, PROBE, NEW_DATA, EITHER = "R", "S", "L", "N", "?"


@dataclass(frozen=True, slots=True)
class Retransmit:
    """One segment. `kind` is RETRANSMIT, ANSWER (SYN-ACK), PROBE, NEW_DATA (a probe that sent what had not been sent before),
    or EITHER of RETRANSMIT and PROBE; `error` an errno, negative, where it could not be sent.

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


def retransmits(feed: Feed, *, stacks: bool = False, probes: bool = False) -> Iterator[Retransmit]:
    """Those of a feed in order, with `stacks` each with its own; tail loss probes are known as such only with `probes`.

    One of which neither our probes nor its stack tells what made the kernel send it is EITHER then.
    """
    wanted = ("tcp_retransmit_skb", "tcp_retransmit_synack")
    formats = feed.schema.by_name()
    events = [formats["tcp", name].id for name in wanted if ("tcp", name) in formats]
    ns, tasks, marks = to_ns(feed.schema.time), Tasks(feed.schema), _Marks(feed.schema)
    timers, order = set(own_probes(feed.schema, _TIMER) if probes else ()), _order(feed.schema)
    events += timers
    for hit in hits(feed, events, tasks, stacks=stacks or (probes and not marks.are_there), machines=(marks,)):
        event = hit.event
        if event.id in timers:
            if marks.kind(event) == NEW_DATA:
                yield _with_new_data(hit, ns(event.ts), order)
            continue
        family = _family(event)
        is_answer = event.name == "tcp_retransmit_synack"
        kind = ANSWER if is_answer else (marks.kind(event) or _kind(hit.stack)) if probes else RETRANSMIT
        state = _SYN_RECV if is_answer else number(event, "state")
        yield Retransmit(
            ns(event.ts), event.pid, hit.pid, hit.comm, kind, family,
            _end(event, "s", family), _end(event, "d", family), STATES.get(state, str(state)), number(event, "err"), hit.stack,
        )  # fmt: skip


def _with_new_data(hit: Hit, ts_ns: int, order: Literal["little", "big"]) -> Retransmit:
    event, state = hit.event, number(hit.event, "state")
    family = number(event, "family")
    port = number(event, "dport").to_bytes(2, order)
    return Retransmit(
        ts_ns, event.pid, hit.pid, hit.comm, NEW_DATA, family,
        (_address(event, "saddr", family, order), number(event, "sport")),
        (_address(event, "daddr", family, order), int.from_bytes(port, "big")), STATES.get(state, str(state)), 0, hit.stack,
    )  # fmt: skip


def _address(event: Event, name: str, family: int, order: Literal["little", "big"]) -> IPv4Address | IPv6Address:
    """Of the words that the socket holds it in, whose bytes are in the network's order."""
    names = [name] if family == _INET else [f"{name}_v6_{at}" for at in range(4)]
    data = b"".join(number(event, one).to_bytes(4, order) for one in names)
    return IPv4Address(data) if family == _INET else IPv6Address(data)


def _order(schema: Schema) -> Literal["little", "big"]:
    return "big" if schema.page.big_endian else "little"


class _Marks(Machine):
    """Which segments were sent between the beginning and the end of the function that sends tail loss probes."""

    def __init__(self, schema: Schema) -> None:
        self._begins, self._ends = (set(own_probes(schema, name)) for name in ("loss_probe", "loss_probe_end"))
        self._begins -= self._ends
        self.are_there = bool(self._begins)
        self._timers = own_probes(schema, _TIMER)
        self._inside: dict[tuple[int, int], int] = {}  # the connection, by context
        self._may_be_new: set[tuple[int, int]] = set()  # contexts in which no probe is out yet, and nothing was sent again
        self._kinds: dict[tuple[int, int], str] = {}  # by CPU and stamp
        self._is_sure = self._is_whole = True

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        if not self.are_there:
            return {}
        found: dict[int, Handler] = dict.fromkeys(self._begins, self._begin)
        found |= dict.fromkeys(self._ends, self._end)
        found |= dict.fromkeys(self._timers, self._timer)
        if sent := schema.event("tcp", "tcp_retransmit_skb"):
            found[sent.id] = self._sent
        return found

    def _begin(self, event: Event) -> None:
        where = context_of(event)
        self._inside[where] = number(event, "sk")
        self._may_be_new.discard(where)
        if number(event, "high", 1) == 0:
            self._may_be_new.add(where)
        self._is_sure = self._is_whole

    def _end(self, event: Event) -> None:
        self._inside.pop(context_of(event), None)

    def _timer(self, event: Event) -> None:
        where = context_of(event)
        if where in self._may_be_new and self._inside.get(where) == number(event, "sk") and number(event, "high"):
            self._kinds[event.cpu, event.ts] = NEW_DATA

    def _sent(self, event: Event) -> None:
        if self._inside.get(context_of(event)) == number(event, "skaddr"):
            self._may_be_new.discard(context_of(event))
        if self._is_sure:
            is_probe = self._inside.get(context_of(event)) == number(event, "skaddr")
            self._kinds[event.cpu, event.ts] = PROBE if is_probe else RETRANSMIT
        self._is_sure = self._is_whole

    def kind(self, event: Event) -> str | None:
        """Of a segment; None where our probes do not tell."""
        return self._kinds.pop((event.cpu, event.ts), None)

    def doubt(self) -> None:
        self._is_whole = self._is_sure = False

    def lost(self) -> None:
        """Of the next segment it is not known whether a probe of it had begun."""
        self._inside.clear()
        self._may_be_new.clear()
        self._is_whole, self._is_sure = True, False


def _kind(stack: tuple[str, ...] | None) -> str:
    """By the functions that the kernel ran through: those of a segment sent again for another reason are known, too."""
    names = {name.partition(" ")[0].partition("+")[0] for name in stack or ()}
    return PROBE if _PROBE in names else RETRANSMIT if names & _REASONS else EITHER


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
