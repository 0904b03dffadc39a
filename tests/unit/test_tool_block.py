"""iosnoop, iolatency, bitesize: options, columns and classes over made-up requests."""

from __future__ import annotations

from typing import Any

import pytest

from ftracepy.errors import UsageFault
from ftracepy.tools.bitesize import bitesize
from ftracepy.tools.iolatency import Heat, iolatency
from ftracepy.tools.iosnoop import iosnoop
from ftracepy.tools.kit import AnyTool
from tests.support.blocktrace import Disk

SECOND = 1_000_000_000


def rows(tool: AnyTool, disk: Disk, **options: Any) -> list[Any]:
    return list(tool.run(disk.feed(), tool.options(**options)))


def one_of_each() -> Disk:
    """A read of 4 KB by 7, a synced write of 64 KB by 8 that fails, and a flush."""
    disk = Disk()
    disk.made(0)
    disk.made(64, 128, "WS", tid=8)
    disk.issued(0)
    disk.issued(64, 128, "WS")
    disk.done(64, 128, "WS", error=-5)
    disk.done(0)
    disk.made(0, 0, "FWS", tid=8)
    disk.issued(0, 0, "FF")
    disk.done(0, 0, "FF")
    return disk


def test_a_row_says_whose_what_where_and_how_long() -> None:
    found = rows(iosnoop, one_of_each())
    assert [row.cells()[:9] for row in found] == [
        ["task8", "7", "WS", "sda", "64", "65536", "0.002", "0.001", "EIO"],
        ["task7", "7", "R", "sda", "0", "4096", "0.002", "0.003", "-"],
        ["task8", "7", "FF", "sda", "0", "0", "0.001", "0.001", "-"],
    ]
    assert found[0].meaning == ["write", "sync"]


def test_queue_and_device_together() -> None:
    found = rows(iosnoop, one_of_each(), queue=True, start=True)
    assert [row.lat_ns for row in found] == [3000, 5000, 2000]
    assert all(row.ts_ns - row.start_ns == row.lat_ns for row in found)


@pytest.mark.parametrize(
    ("options", "found"),
    [({"type": "*S*"}, ["WS"]), ({"type": "R*"}, ["R"]), ({"tid": 7}, ["R"]), ({"pid": 7}, ["WS", "R", "FF"]), ({"pid": 8}, []),
     ({"device": "sdb"}, []), ({"device": "sda"}, ["WS", "R", "FF"])],
)  # fmt: skip
def test_filters(options: dict[str, Any], found: list[str]) -> None:
    assert [row.type for row in rows(iosnoop, one_of_each(), **options)] == found


def test_a_duration_may_stand_alone() -> None:
    assert iosnoop.options(seconds=7.0).duration == 7.0
    assert bitesize.options(seconds=7.0).duration == 7.0


def test_latencies_in_classes_of_two() -> None:
    found = rows(iolatency, one_of_each())
    assert [(row.low, row.high, row.count, row.share) for row in found] == [(1000, 2000, 2, 1.0), (2000, 4000, 1, 0.5)]
    assert [row.cells()[:3] for row in found] == [["1", "2", "2"], ["2", "4", "1"]]


def test_a_histogram_for_each() -> None:
    found = rows(iolatency, one_of_each(), by_device=True, by_type=True, by_comm=True, queue=True, milliseconds=True)
    assert [(row.dev, row.type, row.comm, row.low, row.high, row.count) for row in found] == [
        ("sda", "FF", "task8", 0, 1_000_000, 1), ("sda", "R", "task7", 0, 1_000_000, 1), ("sda", "WS", "task8", 0, 1_000_000, 1),
    ]  # fmt: skip


def test_each_interval_has_what_was_done_in_it() -> None:
    disk = Disk()
    start = disk.now
    for second in (0, 1, 3):
        disk.now = start + second * SECOND + SECOND // 2
        disk.issued(0)
        disk.done(0)
    found = rows(iolatency, disk, interval=1.0)
    assert [(row.block, row.count) for row in found] == [(0, 1), (1, 1), (3, 1)]
    assert [row.block for row in rows(iolatency, disk, interval=1.0, count=2)] == [0, 1]


def test_a_heat_map_is_a_line_for_each_interval() -> None:
    disk = Disk()
    for at in range(17):
        disk.issued(at * 8)
    for at in range(17):
        disk.done(at * 8)
    found = rows(iolatency, disk, heatmap=True)
    (line,) = found
    assert isinstance(line, Heat)
    assert (line.count, line.counts) == (17, [0] * 5 + [17] + [0] * 18)
    assert line.cells()[1] == "     -"
    ruler = Heat.columns()[1].title
    assert len(ruler) == 24
    assert [ruler.index(label) for label in ("<", "1us", "256us", "66ms", "2s")] == [0, 1, 9, 17, 22]


def test_sizes_are_counted_when_issued() -> None:
    disk = Disk()
    for sectors in (1, 2, 15, 16, 128, 4096):
        disk.issued(0, sectors)
    found = rows(bitesize, disk)
    assert [(row.low, row.high, row.count) for row in found] == [
        (0, 1024, 1), (1024, 8192, 2), (8192, 65536, 1), (65536, 131072, 1), (131072, None, 1),
    ]  # fmt: skip
    assert [row.cells()[:2] for row in found][-1] == ["128", "-"]


def test_classes_of_ones_own() -> None:
    spec = next(one for one in bitesize.options.specs() if one.name == "bounds")
    assert spec.parse("0.5 4,16") == (512, 4096, 16384)
    for wrong in ("", "4 4", "8 4", "x", "nan", "inf"):
        with pytest.raises(UsageFault):
            spec.parse(wrong)


@pytest.mark.parametrize(
    ("tool", "options"),
    [(iolatency, {"interval": 0.0}), (iolatency, {"count": 0}), (bitesize, {"interval": -1.0})],
)
def test_intervals_that_cannot_be(tool: AnyTool, options: dict[str, Any]) -> None:
    with pytest.raises(UsageFault):
        tool.options(**options)
