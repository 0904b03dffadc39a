"""The small parts of a function_graph listing: how long calls took, what they returned, which options hold."""

from __future__ import annotations

import pytest

from ftracepy._fastparse.twin_graph import duration, mark, returned
from ftracepy.printfmt.graph import graph_legend, graph_options


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
    }  # fmt: skip
    assert graph_legend(["nofuncgraph-cpu"]).splitlines()[2:] == [
        "#  DURATION                  FUNCTION CALLS",
        "#   |   |                     |   |   |   |",
    ]
