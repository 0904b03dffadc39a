"""The small parts of a function_graph listing: how long calls took, what they returned, which options hold."""

from __future__ import annotations

import pytest

from ftracepy._fastparse.twin_graph import duration, mark, returned
from ftracepy.printfmt.graph import graph_legend, graph_options
from ftracepy.text import Formatter
from tests.support.decoders import decoder, implementations
from tests.support.pages import PageWriter, event_format, schema


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, b"  0.000 us    "),
        (9_999, b"  9.999 us    "),
        (10_000, b"  10.000 us   "),
        (10_001, b"+ 10.001 us   "),
        (100_001, b"! 100.001 us  "),
        (1_000_001, b"# 1000.001 us "),
        (12_345_678, b"* 12345.67 us "),
        (123_456_789, b"@ 123456.7 us "),
        (1_234_567_890, b"$ 1234567 us  "),
        (12_345_678_901, b"$ 12345678 us "),
    ],
)
def test_durations(ns: int, text: bytes) -> None:
    assert mark(ns) + b" " + duration(ns) == text


def test_returned_values() -> None:
    assert returned(0, 8, False) == b"0x0"
    assert returned((1 << 64) - 2, 8, False) == b"-2"
    assert returned((1 << 32) - 2, 8, False) == b"-2"
    assert returned((1 << 32) - 2, 4, False) == b"-2"
    assert returned((1 << 64) - 2, 8, True) == b"0xfffffffffffffffe"
    assert returned(0xFFFF888012345678, 8, False) == b"0xffff888012345678"


def test_options() -> None:
    assert graph_options(()) == graph_options(["funcgraph-cpu", "nofuncgraph-proc"])
    assert graph_options(["nofuncgraph-cpu", "funcgraph-tail", "funcgraph-retval", "funcgraph-retval-hex"]) == {
        "abstime": 0, "cpu": 0, "proc": 0, "duration": 1, "overhead": 1, "tail": 1, "overrun": 0, "retval": 2,
        "retaddr": 1, "flags": 0,
    }  # fmt: skip
    assert graph_legend(["nofuncgraph-cpu"]).splitlines()[2:] == [
        "#  DURATION                  FUNCTION CALLS",
        "#   |   |                     |   |   |   |",
    ]


_ENTRY = ("unsigned long func; 8; 8; 0", "int depth; 16; 4; 1")
_EXIT = (
    "unsigned long func; 8; 8; 0", "int depth; 16; 4; 1", "unsigned int overrun; 20; 4; 0",
    "unsigned long long calltime; 24; 8; 0", "unsigned long long rettime; 32; 8; 0", "unsigned long retval; 40; 8; 0",
)  # fmt: skip
_SYMBOLS = """\
0000000000001000 T __irqentry_text_start
0000000000001100 T sysvec_timer
0000000000002000 T __irqentry_text_end
0000000000003000 T work
0000000000004000 T _etext
"""


def listing(implementation: str, *, options: tuple[str, ...] = (), uname: str = "", most: int = 1 << 20) -> list[str]:
    """An interrupt's handler that calls something which fails; meanwhile another CPU calls as well."""
    made = schema(
        event_format("funcgraph_entry", 11, *_ENTRY, system="ftrace"), event_format("funcgraph_exit", 10, *_EXIT, system="ftrace")
    )
    made.kallsyms, made.uname = _SYMBOLS, uname
    writer = PageWriter(made)

    def entry(func: int, depth: int) -> bytes:
        return writer.event("funcgraph_entry", delta=10, func=func, depth=depth)

    def leave(func: int, depth: int, retval: int = 0) -> bytes:
        return writer.event("funcgraph_exit", delta=10, func=func, depth=depth, calltime=0, rettime=500, retval=retval)

    error = (1 << 64) - 22
    pages = {
        0: writer.page(1000, entry(0x1100, 0), entry(0x3000, 1), leave(0x3000, 1, error), leave(0x1100, 0, 1)),
        1: writer.page(900, entry(0x3000, 0), writer.event("funcgraph_exit", delta=5000, func=0x3000, depth=0, rettime=500)),
    }
    fed = decoder(implementation, made, [0, 1])
    for cpu, page in pages.items():
        fed.feed(cpu, page)
    formatter = Formatter(made, tracer="function_graph", options=options, cpus=2)
    text = b""
    while len(batch := fed.batch(max_events=most)):
        text += formatter.lines(batch, more=True)
    return (text + formatter.rest()).decode().splitlines()


@pytest.fixture(params=implementations())
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FTRACEPY_TWIN", "0" if request.param == "_core" else "1")
    return str(request.param)


def test_where_interrupts_begin_and_end(implementation: str) -> None:
    """Documentation/trace/ftrace.rst shows the arrows; which functions they stand around, two of the kernel's symbols."""
    assert listing(implementation) == [
        " 1)   0.500 us    |  work();",
        " 0)   ==========> |",
        " 0)               |  sysvec_timer() {",
        " 0)   0.500 us    |    work();",
        " 0)   0.500 us    |  }",
        " 0)   <========== |",
    ]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_call_that_ends_batches_later_takes_one_line(implementation: str, most: int) -> None:
    assert listing(implementation, most=most) == listing(implementation)


def test_returned_values_before_and_since_6_13(implementation: str) -> None:
    options = ("funcgraph-retval", "nofuncgraph-duration")
    assert listing(implementation, options=options, uname="Linux vm 6.12.1 x86_64")[2:5] == [
        " 0) sysvec_timer() {", " 0)   work(); /* = -22 */", " 0) } /* sysvec_timer = 0x1 */",
    ]  # fmt: skip
    assert listing(implementation, options=options, uname="Linux vm 6.13.1 x86_64")[2:5] == [
        " 0) sysvec_timer() {", " 0)   work(); /* ret=-22 */", " 0) } /* sysvec_timer ret=0x1 */",
    ]  # fmt: skip


def test_with_irq_and_preempt_state(implementation: str) -> None:
    """The option latency-format: a column behind the CPU's (print_graph_lat_fmt), on the lines of interrupts too."""
    assert listing(implementation, options=("latency-format",))[:2] == [
        " 1)  ..... |   0.500 us    |  work();",
        " 0)  ..... |   ==========> |",
    ]


def test_as_trace_cmd_lists_it(implementation: str) -> None:
    """A call takes one line only where its end is the next event of all; long ones and returned values have their own forms."""
    made = schema(
        event_format("funcgraph_entry", 11, *_ENTRY, system="ftrace"), event_format("funcgraph_exit", 10, *_EXIT, system="ftrace")
    )
    made.kallsyms = _SYMBOLS
    writer = PageWriter(made)

    def call(func: int, delta: int, took_ns: int, retval: int = 0) -> list[bytes]:
        end = writer.event("funcgraph_exit", delta=delta, func=func, depth=0, rettime=took_ns, retval=retval)
        return [writer.event("funcgraph_entry", delta=10, func=func, depth=0), end]

    error = (1 << 64) - 22
    pages = {
        0: writer.page(1000, *call(0x3000, 10, 785_879, 1), *call(0x3000, 100, 1_142_110_415, error)),
        1: writer.page(1050, *call(0x3000, 10, 1_142_232)),
    }
    fed = decoder(implementation, made, [0, 1])
    for cpu, page in pages.items():
        fed.feed(cpu, page)
    formatter = Formatter(made, "trace-cmd", form="latency")
    text = b""
    while len(batch := fed.batch(max_events=1)):
        text += formatter.lines(batch, more=True)
    shown = [line.partition(": ")[2].partition(": ")[2].lstrip() for line in (text + formatter.rest()).decode().splitlines()]
    assert shown == [
        "! 785.879 us |  work(); (ret=0x1)",
        "|  work() {",
        "# 1142.232 us |  work(); (ret=0x0)",
        "$ 1142110 us |  } (ret=-22)",
    ]
