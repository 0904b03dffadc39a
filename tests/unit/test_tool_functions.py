"""functrace, funcgraph, funcslower, funccount and funclatency over pages made by hand: what becomes a row, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from ftracepy.cli.toolcommand import chosen_tool
from ftracepy.errors import UsageFault
from ftracepy.probes import Functions
from ftracepy.tools.functionoptions import call_text, took
from tests.support.graph import NAMES, Graph
from tests.support.pages import event_format
from tests.support.recorded import Recorded, kallsyms

FUNCTION = event_format("function", 1, "unsigned long ip; 8; 8; 0", "unsigned long parent_ip; 16; 8; 0", system="ftrace")
HARDIRQ, SOFTIRQ = 0x08, 0x10


class Calls(Recorded):
    def __init__(self) -> None:
        super().__init__(FUNCTION, kallsyms=kallsyms(NAMES))

    def call(self, ts: int, name: str, caller: str = "top", *, pid: int = 7, flags: int = 0) -> None:
        self.at(ts, "function", ip=NAMES[name], parent_ip=NAMES[caller] + 5, pid=pid, flags=flags)


def rows(made: Recorded, command: str) -> list[dict[str, Any]]:
    tool, options = chosen_tool(command)
    return [row.as_dict() for row in tool.run(made.feed(), options)]


def wish(command: str) -> Functions:
    tool, options = chosen_tool(command)
    found = tool.wishes(options)[0]
    assert isinstance(found, Functions)
    return found


def test_functrace_tells_caller_and_interrupt() -> None:
    made = Calls()
    made.call(10, "leaf")
    made.call(20, "irq", "middle", flags=SOFTIRQ | HARDIRQ)
    made.call(30, "leaf", "irq", flags=SOFTIRQ)
    shown = [(row["function"], row["caller"], row["context"]) for row in rows(made, "functrace '*'")]
    assert shown == [("leaf", "top", None), ("irq", "middle", "hi"), ("leaf", "irq", "si")]
    assert [row["function"] for row in rows(made, "functrace --no-irq '*'")] == ["leaf"]


def test_functrace_leaves_the_tracers_own_frames_out_of_stacks() -> None:
    made = Calls()
    made.call(10, "leaf")
    made.at(11, "kernel_stack", pid=7, size=3, caller=(0x7FFFFFFF, NAMES["leaf"] + 9, NAMES["top"] + 5))
    assert [row["stack"] for row in rows(made, "functrace -s leaf")] == [["leaf", "top"]]


def test_funcgraph_sets_calls_in_and_marks_returns_seen_late() -> None:
    made = Graph()
    made.enter(10, "top", 0)
    made.enter(11, "leaf", 1)
    made.leave(12, "leaf", 1, 500)
    made.leave(13, "top", 0, 31904)
    made.lose(1)
    made.leave(20, "middle", 1, 7)
    assert [(row["call"], row["took_ns"]) for row in rows(made, "funcgraph top")] == [
        ("top", 31904), ("  leaf", 500), ("  } middle", 7),
    ]  # fmt: skip
    assert [row["call"] for row in rows(made, "funcgraph -m 1 top")] == ["top"]
    assert "took_ns" not in rows(made, "funcgraph -D top")[0]


def test_funcgraph_of_slow_trees() -> None:
    made = Graph()
    for start, long in ((10, 999), (3000, 1000)):
        made.enter(start, "top", 0)
        made.leave(start + long, "top", 0, long)
    assert [row["took_ns"] for row in rows(made, "funcgraph -u 1 top")] == [1000]


def test_funcslower_shows_what_reaches_the_threshold() -> None:
    made = Graph()
    for at, long in enumerate((999, 1000, 5000)):
        made.leave(10_000 * (at + 1), "top", 0, long)
    assert [row["took_ns"] for row in rows(made, "funcslower top 1")] == [1000, 5000]
    assert [row["took_ns"] for row in rows(made, "funcslower")] == [999, 1000, 5000]


def test_funclatency_counts_each_call_once() -> None:
    made = Graph()
    for at, (name, long) in enumerate((("top", 3), ("top", 2), ("leaf", 1000), ("top", 1500))):
        made.leave(10_000 * (at + 1), name, 0, long)
    full = [(row["low"], row["high"], row["count"]) for row in rows(made, "funclatency '*'") if row["count"]]
    assert full == [(2, 4, 2), (512, 1024, 1), (1024, 2048, 1)]
    both = {(row["function"], row["low"]) for row in rows(made, "funclatency -F -u '*'") if row["count"]}
    assert both == {("leaf", 1000), ("top", 0), ("top", 1000)}


def test_funccount_counts_recorded_calls() -> None:
    made = Calls()
    for at in range(7):
        made.call(10 + at, "leaf", pid=7 if at % 2 else 8)
    made.call(30, "top", pid=7)
    assert rows(made, "funccount '*'") == [{"function": "leaf", "count": 7}, {"function": "top", "count": 1}]
    assert rows(made, "funccount -t 1 '*'") == [{"function": "leaf", "count": 7}]
    assert [(row["pid"], row["count"]) for row in rows(made, "funccount --by-process leaf") if row["function"] == "leaf"] == [
        (8, 4), (7, 3),
    ]  # fmt: skip
    assert rows(made, "funccount -p 8 leaf") == [{"function": "leaf", "count": 4}]


@pytest.mark.parametrize(
    ("command", "watch", "patterns"),
    [
        ("functrace 'vfs_*' 'tcp_*,ext4:*'", "calls", ("vfs_*", "tcp_*", "ext4:*")),
        ("funcgraph vfs_read", "trees", ("vfs_read",)),
        ("funcslower vfs_read vfs_write 10", "spans", ("vfs_read", "vfs_write")),
        ("funclatency 'vfs_*'", "spans", ("vfs_*",)),
        ("funccount 'vfs_*' 'tcp_*'", "counts", ("vfs_*", "tcp_*")),
    ],
)
def test_several_functions_at_once(command: str, watch: str, patterns: tuple[str, ...]) -> None:
    found = wish(f"{command} -x 'vfs_statx,vfs_x*'")
    assert (found.watch, found.patterns, found.exclude) == (watch, patterns, ("vfs_statx", "vfs_x*"))


def test_what_is_asked_reaches_the_wish() -> None:
    found = wish("funcgraph -C --no-irq -m 3 --args --retval --children 'vfs_*,ext4:*' do_sys_openat2")
    assert (found.on_cpu, found.irqs, found.depth, found.args, found.returns) == (True, False, 3, True, True)
    assert found.children == ("vfs_*", "ext4:*")
    assert wish("funcslower do_nanosleep 1500").least_us == 1500
    assert wish("funccount -i 0.5 -p 1 x").interval_s == 0.5
    assert wish("funccount -p 1 x").by_task


@pytest.mark.parametrize(
    "command",
    [
        "funcslower vfs_read",
        "funcslower 10",
        "funcslower vfs_read -- -5",
        "funcgraph -m 0 x",
        "funclatency -u -m x",
        "funccount -i 0 x",
    ],
)
def test_options_that_cannot_be_meant(command: str) -> None:
    with pytest.raises(UsageFault):
        chosen_tool(command)


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, " 0.000"), (2170, " 2.170"), (31_904, "+ 31.904"), (100_001, "! 100.001"), (10**9 + 1, "$ 1000000.001")],
)
def test_times_are_marked_as_the_kernel_marks_them(ns: int, text: str) -> None:
    assert took(ns).split() == text.split()
    assert len(took(ns)) == 14
    assert took(ns)[0] == text[0]


def test_a_call_as_text() -> None:
    assert call_text("f", None, None) == "f"
    assert call_text("f", (1, 255), -2) == "f(0x1, 0xff) = -2"
    assert call_text("f", None, -(1 << 45)) == "f = 0xffffe00000000000"
