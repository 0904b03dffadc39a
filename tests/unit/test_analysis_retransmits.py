"""Retransmits: addresses of both families, whatever the kernel's event holds."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from ftracepy.analysis.retransmits import Retransmit, retransmits, shown
from ftracepy.schema import EventFormat, Field, FieldKind
from tests.support.events import Trace

_FIELDS = ("sport", "dport", "saddr", "daddr", "saddr_v6", "daddr_v6")


def trace_of(*, family: bool = True, err: bool = False) -> Trace:
    trace = Trace()
    common = (*(["family"] if family else []), *_FIELDS)
    skb = ("state", *common, *(["err"] if err else []))
    for ident, (name, fields) in enumerate((("tcp_retransmit_skb", skb), ("tcp_retransmit_synack", common)), 900):
        made = tuple(Field(one, "long", 8 + 8 * at, 8, True, FieldKind.FIXED, 8, None) for at, one in enumerate(fields))
        trace.schema.add([EventFormat("tcp", name, ident, (), made, "", "")])
    return trace


def sent(trace: Trace, source: str, target: str, name: str = "skb", **more: Any) -> None:
    ends = {"s": ip_address(source), "d": ip_address(target)}
    values: dict[str, Any] = {"sport": 4242, "dport": 80, "family": 2 if ends["s"].version == 4 else 10, "state": 1, **more}
    for side, address in ends.items():
        mapped = ip_address(f"::ffff:{address}") if address.version == 4 else address
        values |= {f"{side}addr": address.packed if address.version == 4 else bytes(4), f"{side}addr_v6": mapped.packed}
    form = trace.schema.by_name()["tcp", f"tcp_retransmit_{name}"]
    trace.event(7, "tcp", form.name, **{field.name: values.get(field.name) for field in form.fields})


def rows(trace: Trace) -> list[Retransmit]:
    return list(retransmits(trace.feed(), stacks=False))


@pytest.mark.parametrize("family", [True, False], ids=["with family", "without, as 5.10 has it"])
def test_addresses_and_ports(family: bool) -> None:
    trace = trace_of(family=family)
    sent(trace, "10.0.0.1", "192.168.7.9")
    sent(trace, "fe80::1", "2001:db8::2")
    found = rows(trace)
    assert [(shown(one.local), shown(one.remote), one.family) for one in found] == [
        ("10.0.0.1:4242", "192.168.7.9:80", 2),
        ("[fe80::1]:4242", "[2001:db8::2]:80", 10),
    ]


def test_an_ipv6_socket_that_talks_ipv4() -> None:
    trace = trace_of()
    sent(trace, "::ffff:10.0.0.1", "::ffff:10.0.0.2", family=10)
    assert [shown(one.remote) for one in rows(trace)] == ["[::ffff:10.0.0.2]:80"]


def test_states_answers_and_errors() -> None:
    trace = trace_of(err=True)
    sent(trace, "10.0.0.1", "10.0.0.2", state=2)
    sent(trace, "10.0.0.1", "10.0.0.2", state=99, err=-113)
    sent(trace, "10.0.0.1", "10.0.0.2", "synack")
    assert [(one.kind, one.state, one.error) for one in rows(trace)] == [
        ("R", "SYN_SENT", 0),
        ("R", "99", -113),
        ("S", "SYN_RECV", 0),
    ]
