"""tcpretrans: show TCP segments that had to be sent again: addresses, ports, state of the connection.

        PID LADDR:LPORT             RADDR:RPORT            STATE        ERR
          0 10.1.18.225:53874    R> 10.105.152.3:6001      ESTABLISHED  -
          0 [fe80::1:2]:22       R> [fe80::3:4]:40044      ESTABLISHED  -
       4711 10.1.18.225:40012    S> 10.105.152.9:80        SYN_RECV     -

R> is a segment sent again, S> a listener's answer (SYN-ACK) sent again. With -l a tail loss probe, which sends the last
segment again before its time, shows as L>, one that sends new data instead as N>, which is no retransmission. Kernels with
kprobes tell of each (of N> those with BTF); without, the kernel's stack shows L>, and where that is not written or lacks its
innermost functions ?> may be either. PID is the process that was running, which for timers and acknowledgements is any, or
none (0). ERR is why the segment could not be sent, on kernels that tell (7.x).
"""

from __future__ import annotations

from collections.abc import Iterator

from ftracepy.analysis.retransmits import Retransmit, retransmits, shown
from ftracepy.probes import LossProbes, Tasks, Tracepoint, Wish
from ftracepy.system import errnos
from ftracepy.tools.kit import Feed, Filters, Row, col, flag, tool


class Options(Filters):
    probes: bool = flag("-l", "--loss-probes", help="tell tail loss probes apart (L>), and those with new data (N>)")
    stacks: bool = flag("-s", "--stacks", help="the kernel stack of each")


class Sent(Row):
    pid: int = col(width=7, help="process that was running then")
    local: str = col(width=20, title="LADDR:LPORT", help="this machine's end")
    kind: str = col(
        width=2,
        title="",
        show=lambda kind: f"{kind}>",
        help="R again, S SYN-ACK, L tail loss probe, N one with new data, ? R or L",
    )
    remote: str = col(width=22, title="RADDR:RPORT", help="the other end")
    state: str = col(width=12, help="state of the connection")
    err: str | None = col(help="why it could not be sent")
    comm: str = col(place="data", help="name of the task that was running then")
    family: int = col(place="data", help="2 IPv4, 10 IPv6")
    stack: list[str] | None = col(place="below", default=None, help="functions of the kernel, innermost first")


def _wishes(options: Options) -> tuple[Wish, ...]:
    stack = options.stacks
    return (
        Tracepoint("tcp", "tcp_retransmit_skb", stack=stack, scoped=False),
        Tracepoint("tcp", "tcp_retransmit_synack", stack=stack, scoped=False, optional=True),
        *((LossProbes(),) if options.probes else ()),
        Tasks(),
    )


@tool(wishes=_wishes, options=Options, row=Sent)
def tcpretrans(feed: Feed, options: Options) -> Iterator[Sent]:
    for one in retransmits(feed, stacks=options.stacks, probes=options.probes):
        if options.admits(pid=one.pid, tid=one.tid, comm=one.comm):
            yield _row(one, options)


def _row(one: Retransmit, options: Options) -> Sent:
    return Sent(
        ts_ns=one.ts_ns, pid=one.pid, comm=one.comm, local=shown(one.local), kind=one.kind, remote=shown(one.remote),
        state=one.state, family=one.family, err=errnos.name(-one.error) if one.error else None,
        stack=list(one.stack) if options.stacks and one.stack is not None else None,
    )  # fmt: skip
