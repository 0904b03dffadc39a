"""hist: buckets, keys and filters, over counts of the kernel's and over events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftracepy.errors import UsageFault
from ftracepy.probes import KernelCounts, Tasks, Tracepoint
from ftracepy.sidefacts import Kind
from ftracepy.system.tasklines import TaskLine
from ftracepy.tools.hist import Options, hist
from tests.support.events import Trace

ASKED: dict[str, Any] = {"event": "syscalls:sys_exit_read", "field": "ret"}


def reads() -> Trace:
    trace = Trace()
    trace.tasks(TaskLine(5, 5, 1, 0, "cat"), TaskLine(6, 5, 1, 0, "cat"), TaskLine(9, 9, 1, 0, "sh"))
    for tid, ret in ((5, 7), (6, 7), (5, -9), (5, 4096), (9, 0)):
        trace.leave(tid, "read", ret)
    return trace


def shown(trace: Trace, **options: Any) -> list[tuple[Any, ...]]:
    rows = hist.run(trace.feed(), Options(**ASKED, **options))
    return [(*([row.key] if "key" in row.as_dict() else []), row.low, row.high, row.count) for row in rows if row.count]  # type: ignore[attr-defined]


def test_powers_of_two_and_what_is_below_zero() -> None:
    assert shown(reads()) == [(None, 0, 1), (0, 1, 1), (4, 8, 2), (4096, 8192, 1)]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"power": 4}, [(None, 0, 1), (0, 1, 1), (4, 16, 2), (4096, 16384, 1)]),
        ({"power": 4, "most": 64}, [(None, 0, 1), (0, 1, 1), (4, 16, 2), (64, None, 1)]),
        ({"step": 5}, [(None, 0, 1), (0, 5, 1), (5, 10, 2), (4095, 4100, 1)]),
        ({"bounds": (0, 7, 8)}, [(None, 0, 1), (0, 7, 1), (7, 8, 2), (8, None, 1)]),
        ({"filter": "ret < 0"}, [(None, 0, 1)]),
        ({"pid": 9}, [(0, 1, 1)]),
        ({"tid": 6}, [(4, 8, 1)]),
        ({"by": "process"}, [("cat 5", None, 0, 1), ("cat 5", 4, 8, 2), ("cat 5", 4096, 8192, 1), ("sh 9", 0, 1, 1)]),
        ({"by": "name", "top": 1}, [("cat", None, 0, 1), ("cat", 4, 8, 2), ("cat", 4096, 8192, 1)]),
        ({"by": "__syscall_nr", "filter": "ret == 7"}, [("0", 4, 8, 2)]),
    ],
)
def test_options(options: dict[str, Any], rows: list[tuple[Any, ...]]) -> None:
    assert shown(reads(), **options) == rows


def test_what_the_kernel_counted_needs_no_options_on_replay() -> None:
    trace = Trace()
    for counts in ([], [[[7], 1009], [[-9], 101]]):
        body = {"name": "syscalls:sys_exit_read.ret", "keys": ["ret"], "filter": "", "counts": counts, "lost": 13}
        trace.fact(Kind.COUNTS, 0, json.dumps(body).encode())
    rows = [(row.low, row.high, row.count) for row in hist.run(trace.feed(), Options()) if row.count]
    assert rows == [(None, 0, 101), (4, 8, 1009)]
    assert "13 hits found no room" in trace.notices[0]


def test_it_asks_the_kernel_to_count_by_no_more_than_is_needed() -> None:
    event = Tracepoint("syscalls", "sys_exit_read", "ret < 0")
    name = "syscalls:sys_exit_read.ret"
    assert hist.wishes(Options(**ASKED, filter="ret < 0")) == (KernelCounts(name, event, ("ret",)),)
    by_process = hist.wishes(Options(**ASKED, by="process", filter="ret < 0", interval=2.0))
    assert by_process == (KernelCounts(name, event, ("ret", "common_pid"), interval_s=2.0), Tasks())
    assert hist.wishes(Options(**ASKED, filter="ret < 0", every_event=True)) == (event,)


@pytest.mark.parametrize(
    "options", [{"event": "read"}, {"power": 1}, {"bounds": (3, 2)}, {"step": 0}, {"power": 2, "step": 2}, {"interval": 0.0}]
)
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageFault):
        Options(**options)


def test_text_falls_into_no_bucket() -> None:
    trace = Trace()
    trace.rename(7, "sh", "cat")
    with pytest.raises(UsageFault, match="newcomm is no single number"):
        list(hist.run(trace.feed(), Options(event="task:task_rename", field="newcomm")))


def test_seconds_behind_the_field_are_the_duration() -> None:
    assert Options(**ASKED, seconds=3.0).duration == 3.0
