"""Retransmits: addresses of both families, whatever the kernel's event holds."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from ftracepy.analysis.retransmits import Retransmit, _kind, retransmits, shown
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
    return list(retransmits(trace.feed()))


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


def probed(*what: str) -> Trace:
    """`begin` and `end` are those of the function that sends loss probes, of connection 7; 7 and 8 are segments; ! is a loss."""
    trace = trace_of()
    for ident, name in ((910, "loss_probe"), (911, "loss_probe_end")):
        sk = Field("sk", "long", 8, 8, False, FieldKind.FIXED, 8, None)
        trace.schema.add([EventFormat("ftracepy_1_2", name, ident, (), (sk,), "", "")])
    form = trace.schema.by_name()["tcp", "tcp_retransmit_skb"]
    address = Field("skaddr", "long", 800, 8, False, FieldKind.FIXED, 8, None)
    trace.schema.add([replace(form, fields=(*form.fields, address))])
    for one in what:
        if one == "begin":
            trace.event(7, "ftracepy_1_2", "loss_probe", sk=7)
        elif one == "end":
            trace.event(7, "ftracepy_1_2", "loss_probe_end", sk=0)
        elif one == "!":
            trace.lose(3)
        else:
            sent(trace, "10.0.0.1", "10.0.0.2", skaddr=int(one))
    return trace


def told(*what: str) -> Trace:
    """As `probed`, with the socket told: `begin+` finds a probe out already, `timer 7` sets that connection's timer after one."""
    trace = trace_of()

    def form(name: str, ident: int, *names: str) -> EventFormat:
        made = tuple(Field(one, "long", 8 + 8 * at, 8, False, FieldKind.FIXED, 8, None) for at, one in enumerate(names))
        return EventFormat("ftracepy_1_2", name, ident, (), made, "", "")

    words = [f"{end}addr_v6_{at}" for end in "sd" for at in range(4)]
    timer = ("sk", "high", "family", "state", "sport", "dport", "saddr", "daddr", *words)
    trace.schema.add([form("loss_probe", 910, "sk", "high"), form("loss_probe_end", 911), form("loss_timer", 912, *timer)])
    skb = trace.schema.by_name()["tcp", "tcp_retransmit_skb"]
    trace.schema.add([replace(skb, fields=(*skb.fields, Field("skaddr", "long", 800, 8, False, FieldKind.FIXED, 8, None)))])
    ends = {
        name: int.from_bytes(ip_address(one).packed, "little") for name, one in (("saddr", "10.0.0.1"), ("daddr", "10.0.0.2"))
    }
    source, target = ip_address("fe80::1").packed, ip_address("2001:db8::2").packed
    six = {f"{end}addr_v6_{at}": int.from_bytes(packed[4 * at : 4 * at + 4], "little")
           for end, packed in (("s", source), ("d", target)) for at in range(4)}  # fmt: skip
    for one in what:
        if one.startswith("begin"):
            trace.event(7, "ftracepy_1_2", "loss_probe", sk=7, high=int(one == "begin+"))
        elif one == "end":
            trace.event(7, "ftracepy_1_2", "loss_probe_end")
        elif one.startswith("timer"):
            family = 10 if "six" in one else 2
            values = {"sk": int(one.split()[1]), "high": 99, "family": family, "state": 1, "sport": 4242, "dport": 0x5000}
            trace.event(7, "ftracepy_1_2", "loss_timer", **values, **ends, **six)
        elif one == "!":
            trace.lose(3)
        else:
            sent(trace, "10.0.0.1", "10.0.0.2", skaddr=int(one))
    return trace


@pytest.mark.parametrize(
    ("what", "kinds"),
    [
        (("begin", "timer 7", "end"), "N"),
        (("begin", "7", "timer 7", "end", "timer 7"), "L"),
        (("begin", "8", "timer 8", "timer 7", "end"), "RN"),
        (("begin+", "timer 7", "end"), ""),
        (("timer 7", "begin", "end"), ""),
        (("begin", "!", "timer 7", "end"), ""),
        (("begin", "end", "begin", "timer 7"), "N"),
    ],
)
def test_probes_with_new_data_are_those_that_end_with_one_out(what: tuple[str, ...], kinds: str) -> None:
    assert "".join(one.kind for one in retransmits(told(*what).feed(), probes=True)) == kinds
    assert all(one.kind in "RS" for one in retransmits(told(*what).feed()))


def test_whose_probe_with_new_data_it_was() -> None:
    four, six = retransmits(told("begin", "timer 7", "end", "begin", "timer 7 six", "end").feed(), probes=True)
    assert (shown(four.local), shown(four.remote), four.state, four.family) == ("10.0.0.1:4242", "10.0.0.2:80", "ESTABLISHED", 2)
    assert (shown(six.local), shown(six.remote), six.family) == ("[fe80::1]:4242", "[2001:db8::2]:80", 10)


@pytest.mark.parametrize(
    ("what", "kinds"),
    [
        (("begin", "7", "end", "7"), "LR"),
        (("begin", "8", "7", "end"), "RL"),
        (("begin", "end", "7"), "R"),
        (("begin", "!", "7", "7"), "?R"),
        (("!", "begin", "7", "end", "8"), "LR"),
    ],
)
def test_loss_probes_are_those_sent_while_one_is(what: tuple[str, ...], kinds: str) -> None:
    assert "".join(one.kind for one in retransmits(probed(*what).feed(), probes=True)) == kinds


@pytest.mark.parametrize(
    ("stack", "kind"),
    [
        (("__tcp_retransmit_skb", "tcp_send_loss_probe", "tcp_write_timer_handler"), "L"),
        (("__tcp_retransmit_skb", "tcp_retransmit_skb", "tcp_retransmit_timer"), "R"),
        (("tcp_retransmit_timer", "tcp_write_timer"), "R"),
        (("tcp_write_timer", "tcp_write_timer", "call_timer_fn"), "?"),
        (None, "?"),
    ],
)
def test_a_stack_without_its_innermost_functions_tells_nothing(stack: tuple[str, ...] | None, kind: str) -> None:
    assert _kind(stack) == kind
