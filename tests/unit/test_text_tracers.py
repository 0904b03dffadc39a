"""Events of latency and memory tracers in kernel style: text of functions in the kernel, not of their print fmt."""

from __future__ import annotations

from typing import Any

import pytest

from ftracepy.schema import EventFormat, Schema
from ftracepy.text import Formatter
from tests.support.decoders import decode, implementations
from tests.support.pages import PageWriter, event_format, schema

SECOND = 1_000_000_000
_HWLAT = event_format(
    "hwlat", 16, "u64 duration; 8; 8; 0", "u64 outer_duration; 16; 8; 0", "u64 nmi_total_ts; 24; 8; 0", "s64 tv_sec; 32; 8; 1",
    "long tv_nsec; 40; 8; 1", "unsigned int nmi_count; 48; 4; 0", "unsigned int seqnum; 52; 4; 0", "unsigned int count; 56; 4; 0",
    system="ftrace",
)  # fmt: skip
_OSNOISE = event_format(
    "osnoise", 17, "u64 noise; 8; 8; 0", "u64 runtime; 16; 8; 0", "u64 max_sample; 24; 8; 0", "unsigned int hw_count; 32; 4; 0",
    "unsigned int nmi_count; 36; 4; 0", "unsigned int irq_count; 40; 4; 0", "unsigned int softirq_count; 44; 4; 0",
    "unsigned int thread_count; 48; 4; 0", system="ftrace",
)  # fmt: skip
_TIMERLAT = event_format(
    "timerlat", 18, "unsigned int seqnum; 8; 4; 0", "int context; 12; 4; 1", "u64 timer_latency; 16; 8; 0", system="ftrace"
)
_BRANCH = event_format(
    "branch", 9, "unsigned int line; 8; 4; 0", "char func[31]; 12; 31; 1", "char file[21]; 43; 21; 1", "char correct; 64; 1; 1",
    system="ftrace",
)  # fmt: skip
_RW = event_format(
    "mmiotrace_rw", 7, "resource_size_t phys; 8; 8; 0", "unsigned long value; 16; 8; 0", "unsigned long pc; 24; 8; 0",
    "int map_id; 32; 4; 1", "unsigned char opcode; 36; 1; 0", "unsigned char width; 37; 1; 0", system="ftrace",
)  # fmt: skip
_MAP = event_format(
    "mmiotrace_map", 8, "resource_size_t phys; 8; 8; 0", "unsigned long virt; 16; 8; 0", "unsigned long len; 24; 8; 0",
    "int map_id; 32; 4; 1", "unsigned char opcode; 36; 1; 0", system="ftrace",
)  # fmt: skip
_PRINT = event_format("print", 5, "unsigned long ip; 8; 8; 0", "char buf[]; 16; 0; 1", system="ftrace")


@pytest.fixture(params=implementations())
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FTRACEPY_TWIN", "0" if request.param == "_core" else "1")
    return str(request.param)


def lines(implementation: str, found: Schema, *events: bytes, tracer: str | None = None) -> list[str]:
    batch = decode(implementation, found, {0: PageWriter(found).page(12 * SECOND + 345678400, *events)})
    return Formatter(found, tracer=tracer).lines(batch).decode().splitlines()


def text(implementation: str, format: EventFormat, arch: str = "", **fields: Any) -> str:
    """What stands behind the columns."""
    found = schema(format)
    found.arch = arch
    (line,) = lines(implementation, found, PageWriter(found).event(format.name, delta=0, **fields))
    return line.split(" 12.345678: ")[1]


def test_hardware_latency(implementation: str) -> None:
    fields: dict[str, Any] = {"duration": 12, "outer_duration": 13, "tv_sec": 1600000000, "tv_nsec": 42, "seqnum": 3, "count": 2}
    shown = "#3     inner/outer(us):   12/13    ts:1600000000.000000042 count:2"
    assert text(implementation, _HWLAT, **fields) == shown
    nmis: dict[str, Any] = {**fields, "nmi_count": 4, "nmi_total_ts": 99}
    assert text(implementation, _HWLAT, arch="x86_64", **nmis) == f"{shown} nmi-total:99 nmi-count:4"
    assert text(implementation, _HWLAT, arch="aarch64", **nmis) == f"{shown} nmi-count:4"


def test_noise_of_the_system(implementation: str) -> None:
    """The share that was left of the runtime, cut to five places."""
    fields: dict[str, Any] = {
        "noise": 1234,
        "runtime": 1000000,
        "max_sample": 56,
        "hw_count": 1,
        "nmi_count": 2,
        "irq_count": 1001,
    }
    shown = text(implementation, _OSNOISE, **fields, softirq_count=22, thread_count=7)
    assert shown == "1000000       1234  99.87660      56      1      2   1001     22      7"
    assert text(implementation, _OSNOISE).startswith("0          0   0.00000")


def test_latency_of_a_timer(implementation: str) -> None:
    assert (
        text(implementation, _TIMERLAT, seqnum=7, context=0, timer_latency=932)
        == "#7     context    irq timer_latency       932 ns"
    )
    shown = text(implementation, _TIMERLAT, seqnum=123456, context=1, timer_latency=11700)
    assert shown == "#123456 context thread timer_latency     11700 ns"


def test_branches(implementation: str) -> None:
    fields: dict[str, Any] = {"line": 77, "func": b"schedule", "file": b"core.c"}
    assert text(implementation, _BRANCH, **fields, correct=1) == "[  ok  ] schedule:core.c:77"
    assert text(implementation, _BRANCH, **fields, correct=0) == "[ MISS ] schedule:core.c:77"


def test_memory_of_devices(implementation: str) -> None:
    """Documentation/trace/mmiotrace.rst, "Trace Log Format": lines without columns, which other programs read."""
    found = schema(_RW, _MAP, _PRINT)
    writer = PageWriter(found)
    rw: dict[str, Any] = {"delta": 0, "phys": 0xFEBF1000, "value": 0x12345678, "pc": 0xFFFF, "map_id": 2}
    mapped: dict[str, Any] = {"delta": 0, "phys": 0xFEBF1000, "virt": 0xC0001000, "len": 0x2000, "map_id": 2}
    shown = lines(
        implementation, found,
        writer.event("print", delta=0, buf=b"begin\n\0"),
        writer.event("mmiotrace_map", opcode=3, **mapped),
        writer.event("mmiotrace_rw", opcode=1, width=4, **rw), writer.event("mmiotrace_rw", opcode=2, width=1, **rw),
        writer.event("mmiotrace_rw", opcode=5, width=1, **rw), writer.event("mmiotrace_rw", opcode=9, width=1, **rw),
        writer.event("mmiotrace_map", opcode=4, **mapped),
        tracer="mmiotrace",
    )  # fmt: skip
    assert shown == [
        "MARK 12.345678 begin",
        "MAP 12.345678 2 0xfebf1000 0xc0001000 0x2000 0x0 0",
        "R 4 12.345678 2 0xfebf1000 0x12345678 0xffff 0",
        "W 1 12.345678 2 0xfebf1000 0x12345678 0xffff 0",
        "UNKNOWN 12.345678 2 0xfebf1000 34,56,78 0xffff 0",
        "rw what?",
        "UNMAP 12.345678 2 0x0 0",
    ]
