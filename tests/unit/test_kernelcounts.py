"""Counts made in the kernel: its tables' text, the facts they come in, and the same counts from recorded events."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ftracepy.analysis.kernelcounts import PROBE, Reading, readings
from ftracepy.errors import UsageFault
from ftracepy.live.ways import kernelcounts as ways
from ftracepy.probes import KernelCounts, Tracepoint
from ftracepy.sidefacts import Kind
from ftracepy.tracefs import counts
from tests.support.events import Trace

SECOND = 1_000_000_000
WISH = KernelCounts("reads", Tracepoint("syscalls", "sys_exit_read"), ("ret",))

# As 6.1 prints it: every number unsigned.
_HIST = """# event histogram
#
# trigger info: hist:keys=ret,common_pid:vals=hitcount:sort=hitcount:size=2048 [active]
#

{ ret: 18446744073709551607, common_pid:        112 } hitcount:        101
{ ret:                    7, common_pid:        112 } hitcount:       1009
{ ret: 18446744073709551607, common_pid: 4294967295 } hitcount:          1

Totals:
    Hits: 1111
    Entries: 3
    Dropped: 13
"""


def told(
    trace: Trace, *rows: tuple[list[Any], int], lost: int = 0, last: bool = False, name: str = "reads",
    keys: tuple[str, ...] = ("ret",), filter_: str = "",
) -> None:  # fmt: skip
    body = {"name": name, "keys": keys, "filter": filter_, "counts": [list(row) for row in rows], "lost": lost, "last": last}
    trace.fact(Kind.COUNTS, 0, json.dumps(body).encode())


def counted(reading: Reading) -> dict[Any, int]:
    return dict(reading.counts)


def test_a_table_of_the_kernels_is_read(tmp_path: Path) -> None:
    (tmp_path / "hist").write_text(_HIST)
    table = counts.read_hist(tmp_path, (True, False))
    assert table == counts.Table({(-9, 112): 101, (7, 112): 1009, (-9, 4294967295): 1}, 13)
    assert counts.read_hist(tmp_path, (False, False)).counts[2**64 - 9, 112] == 101
    assert counts.read_hist_hits(tmp_path) == 1111 + 13


def test_hits_of_probes_are_read(tmp_path: Path) -> None:
    (tmp_path / "kprobe_profile").write_text("  ftracepy_7_8_1_0                 1219               0\n  other  5  1\n")
    assert counts.read_profile(tmp_path) == {"ftracepy_7_8_1_0": 1219, "other": 5}


def test_a_trigger_is_written_down() -> None:
    assert counts.hist_trigger(["ret", "common_pid"], 128, "ret < 0") == "hist:keys=ret,common_pid:size=128 if ret < 0"
    assert counts.hist_trigger(["ret"], 128, "") == "hist:keys=ret:size=128"


def test_totals_become_differences() -> None:
    trace = Trace()
    told(trace)
    told(trace, ([7], 5), ([-9], 1))
    told(trace, ([7], 12), last=True)
    [reading] = readings(trace.feed(), WISH)
    assert counted(reading) == {(7,): 12, (-9,): 1}
    assert (reading.start_ns, reading.end_ns) == (1_000_001_000, 1_000_003_000)


def test_each_reading_is_an_interval_and_none_is_counted_twice() -> None:
    trace = Trace()
    told(trace)
    for at, total in ((1, 5), (2, 5), (3, 12)):
        trace.now = (at + 1) * SECOND
        told(trace, ([7], total)) if at != 2 else told(trace)
    trace.now += SECOND // 10
    told(trace, ([7], 13), last=True)
    found = list(readings(trace.feed(), WISH, interval_ns=SECOND))
    assert [counted(one) for one in found] == [{(7,): 5}, {}, {(7,): 7}, {(7,): 1}]


def test_intervals_are_joined_where_longer_ones_are_asked_for() -> None:
    trace = Trace()
    told(trace)
    for at in (1, 2, 3, 4):
        trace.now = (at + 1) * SECOND
        told(trace, ([7], at))
    assert [counted(one) for one in readings(trace.feed(), WISH, interval_ns=2 * SECOND)] == [{(7,): 2}, {(7,): 2}]


def test_a_lost_fact_costs_an_interval_and_no_count() -> None:
    trace = Trace()
    told(trace)
    told(trace, ([7], 5))
    trace.lose(1)
    told(trace, ([7], 20), ([8], 3), last=True)
    [reading] = readings(trace.feed(), WISH)
    assert counted(reading) == {(7,): 20, (8,): 3}
    assert trace.losses == [(0, 1)]


def test_hits_without_room_are_told() -> None:
    trace = Trace()
    told(trace)
    told(trace, ([7], 5), lost=11)
    told(trace, ([7], 6), lost=13, last=True)
    assert [one.lost for one in readings(trace.feed(), WISH)] == [13]


_ABOUT = b'{"name":"reads","keys":["ret"],"filter":"","lost":0,"counts":'


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"name":"reads"}', _ABOUT + b"[[7,1]]}", _ABOUT + b"[[[[]],1]]}", _ABOUT + b"[[[7,8],1]]}",
             _ABOUT.replace(b"reads", b"other") + b"[]}"],
)  # fmt: skip
def test_facts_that_are_none_are_left_out(body: bytes) -> None:
    trace = Trace()
    trace.fact(Kind.COUNTS, 0, body)
    trace.leave(7, "read", 4)
    [reading] = readings(trace.feed(), WISH)
    assert counted(reading) == {(4,): 1}


def test_recorded_events_give_the_same_counts() -> None:
    trace = Trace()
    for ret in (7, 7, -9):
        trace.enter(5, "read")
        trace.leave(5, "read", ret)
    [reading] = readings(trace.feed(), WISH)
    assert counted(reading) == {(7,): 2, (-9,): 1}


def test_recorded_events_are_cut_at_intervals() -> None:
    trace = Trace()
    for at in (0, 1, 2, 9, 10, 11):
        trace.leave(5, "read", 7, at=SECOND + at * SECOND // 10)
        if at == 1:
            trace.cut()
    found = list(readings(trace.feed(), WISH, interval_ns=SECOND))
    assert [counted(one) for one in found] == [{(7,): 4}, {(7,): 2}]
    assert (found[0].start_ns, found[0].end_ns) == (SECOND, 2 * SECOND)


def test_recorded_events_are_counted_by_thread_and_filtered() -> None:
    trace = Trace()
    for tid, ret in ((5, 7), (6, 7), (5, -9), (5, 7)):
        trace.leave(tid, "read", ret)
    wish = KernelCounts("reads", WISH.event, ("ret", "common_pid"))
    [reading] = readings(trace.feed(), wish)
    assert counted(reading) == {(7, 5): 2, (7, 6): 1, (-9, 5): 1}
    [reading] = readings(trace.feed(), WISH, filter_="ret < 0")
    assert counted(reading) == {(-9,): 1}


def test_recorded_hits_of_functions_are_counted() -> None:
    trace = Trace(probes={PROBE + "vfs_read": (), PROBE + "vfs_open": (), "path_kernel": ("path",)})
    for name in ("vfs_read", "vfs_read", "vfs_open"):
        trace.probe(7, PROBE + name)
    trace.probe(7, "path_kernel", path="/x")
    [reading] = readings(trace.feed(), KernelCounts("calls", functions=("vfs_read", "vfs_open")))
    assert counted(reading) == {("vfs_read",): 2, ("vfs_open",): 1}


def test_both_sides_agree_on_the_probes_name() -> None:
    assert ways.PROBE == PROBE


def test_what_the_kernel_counted_is_not_counted_again() -> None:
    trace = Trace()
    told(trace)
    trace.leave(5, "read", 7)
    told(trace, ([7], 1), last=True)
    [reading] = readings(trace.feed(), WISH)
    assert reading.counts == Counter({(7,): 1})


def test_counts_by_more_than_is_wished_are_summed() -> None:
    trace = Trace()
    told(trace, keys=("ret", "common_pid"))
    told(trace, ([7, 5], 2), ([7, 6], 3), ([-9, 5], 1), keys=("ret", "common_pid"), last=True)
    [reading] = readings(trace.feed(), WISH)
    assert counted(reading) == {(7,): 5, (-9,): 1}
    [reading] = readings(trace.feed(), KernelCounts(""))
    assert counted(reading) == {(7,): 5, (-9,): 1}


@pytest.mark.parametrize(("wish", "filter_"), [(KernelCounts("reads", WISH.event, ("ret", "common_pid")), ""), (WISH, "ret < 0")])
def test_what_the_kernel_did_not_tell_apart_is_refused(wish: KernelCounts, filter_: str) -> None:
    trace = Trace()
    told(trace)
    with pytest.raises(UsageFault, match=filter_ or "common_pid"):
        list(readings(trace.feed(), wish, filter_=filter_))
