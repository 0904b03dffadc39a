"""Numbers in event text: C's arithmetic, and printf's way to show it. The second opinion is this machine's own C library."""

from __future__ import annotations

import ctypes
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftracepy._fastparse.twin_run import format_number
from ftracepy.printfmt.program import ALT, LEFT, PLUS, SPACE, ZERO
from tests.support.textmachines import event, show

_FLAGS = {"-": LEFT, "0": ZERO, "+": PLUS, " ": SPACE, "#": ALT}


def libc(template: str, value: int) -> str:
    out = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).snprintf(out, ctypes.c_size_t(512), template.encode(), ctypes.c_longlong(value))
    return out.value.decode()


@given(
    st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 300),
    st.sampled_from("diuxXo"),
    st.sets(st.sampled_from("-0+ #")),
    st.integers(0, 30),
    st.none() | st.integers(0, 25),
)
@settings(max_examples=400, deadline=None)
def test_conversions_as_printf_does(value: int, conv: str, flags: set[str], width: int, precision: int | None) -> None:
    dot = "" if precision is None else f".{precision}"
    spec = f"{''.join(sorted(flags))}{width or ''}{dot}"
    want = libc(f"%{spec}ll{conv}", value)
    made = show(event(f'"%{spec}ll{conv}", REC->a', "long long a@8:8s"), struct.pack("=q", value), "trace-cmd")
    assert made == want
    bits = sum(_FLAGS[flag] for flag in flags)
    number = value if conv in "di" else value & (1 << 64) - 1
    plain = format_number(number, "d" if conv == "i" else conv, bits, width, -1 if precision is None else precision)
    assert plain.decode() == want


@pytest.mark.parametrize(
    ("expression", "kernel", "library"),
    [
        ('"%d", REC->s', "-2", "-2"),
        ('"%u", REC->s', "4294967294", "4294967294"),
        ('"%lld", REC->s', "-2", "4294967294"),
        ('"%d", REC->b', "-1", "255"),
        ('"%d", REC->u', "200", "200"),
        ('"%hhd", REC->u', "-56", "-56"),
        ('"%d", REC->s / 2', "-1", "2147483647"),
        ('"%d", REC->s < 0', "1", "0"),
        ('"%d", (int)REC->s < 0', "1", "0"),
        ('"%llx", (u64)REC->u << 40', "c80000000000", "c80000000000"),
        ('"%llx", (u64)(REC->u << 28)', "ffffffff80000000", "c80000000"),
        ('"%d", REC->u % 0', "0", "0"),
        ('"%d", REC->u / REC->z', "0", "0"),
        ('"%d", 7 & ~(1 | 2)', "4", "4"),
        ('"%lu", sizeof(REC->arr)', "6", "6"),
        ('"%d %d", REC->arr[1], REC->arr[REC->one]', "513 513", "513 513"),
        ('"%d", REC->arr[7]', "0", "0"),
        ('"%u", __builtin_expect(!!(REC->u), 1)', "1", "1"),
        ('"%llu.%09u", __print_ns_to_secs(REC->ns), __print_ns_without_secs(REC->ns)', "5.000000007", "5.000000007"),
        ('"%#x %#x", REC->z, REC->u', "0x0 0xc8", "0 0xc8"),
        ('"%c", REC->u - 103', "a", "a"),
        ('"%*d|%-*d|", 5, REC->u, 5, REC->u', "  200|200  |", "  200|200  |"),
    ],
)
def test_c_types_in_the_kernels_style_and_64_bits_in_trace_cmds(expression: str, kernel: str, library: str) -> None:
    fields = ("int s@8:4s", "char b@12:1s", "unsigned char u@13:1", "unsigned char z@14:1", "unsigned char one@15:1",
              "short arr[3]@16:6s", "u64 ns@24:8")  # fmt: skip
    payload = struct.pack("=ibBBB3hxxQ", -2, -1, 200, 0, 1, 7, 513, -1, 5_000_000_007)
    assert show(event(expression, *fields), payload, "kernel") == kernel
    assert show(event(expression, *fields), payload, "trace-cmd") == library


def test_bytes_swapped() -> None:
    """be16_to_cpu() as 6.x leaves it in the formats of ib_core."""
    fields = ("__be16 a@8:2", "__be32 b@10:4", "__be64 c@16:8")
    swaps = ", ".join(f"__builtin_bswap{bits}((__u{bits})(REC->{name}))" for bits, name in ((16, "a"), (32, "b"), (64, "c")))
    made = event(f'"%x %x %llx", {swaps}', *fields)
    assert show(made, struct.pack(">HIxxQ", 0x8122, 0x91223344, 0xA122334455667788)) == "8122 91223344 a122334455667788"


def test_physical_addresses_are_as_wide_as_their_type() -> None:
    made = event('"%pa %pap", &REC->a, &REC->b', "resource_size_t a@8:8", "phys_addr_t b@16:8")
    assert show(made, struct.pack("=QQ", 0x1000, 0xFEDC0000_00000000)) == "0x0000000000001000 0xfedc000000000000"
