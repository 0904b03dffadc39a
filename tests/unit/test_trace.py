"""Recordings from Python: the same events, losses and rows as the commands show, and the guide's examples as they stand."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest
from recording_samples import page, write

import ftracepy
from ftracepy import errors, recording
from ftracepy.source import CpuStats, Pages
from ftracepy.stream import Stream
from ftracepy.trace import Trace
from tests.support.pages import event_format

ROOT = Path(__file__).parents[2]
OPENS = ROOT / "fixtures/opensnoop-k6.18"


@pytest.fixture(scope="module")
def trace() -> Trace:
    return ftracepy.open(OPENS / "trace.dat")


def test_the_guide_says_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pandas", "pyarrow"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    monkeypatch.chdir(ROOT)
    told = doctest.testfile(
        str(ROOT / "docs/python.md"), module_relative=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert told.attempted > 15
    assert not told.failed


def test_events_are_those_of_the_stream_and_come_again(trace: Trace) -> None:
    known = [(event.ts, event.cpu, event.raw) for batch in Stream(recording.open(OPENS / "trace.dat")) for event in batch]
    for _ in range(2):
        assert [(event.ts, event.cpu, event.raw) for event in trace] == known
    assert sum(trace.counts().values()) == len(known)


def test_rows_are_those_of_the_command(trace: Trace) -> None:
    told = [json.loads(line) for line in (OPENS / "expected.json").read_text().splitlines()]
    assert [row.as_dict() for row in trace.rows("opensnoop")] == [one for one in told if "pid" in one]


def test_columns_hold_what_each_event_says(trace: Trace) -> None:
    for name in ("syscalls:sys_enter_openat", "sched:sched_process_exec", "ftrace:raw_data"):
        found = trace.columns(name)
        events = list(trace.events(name))
        assert found.rows == len(events) > 0
        assert list(found["ts_ns"]) == [trace.ts_ns(event) for event in events]
        for field in events[0].keys():  # noqa: SIM118  not a mapping
            assert list(found[field]) == [event[field] for event in events]


def test_events_are_chosen_by_name_thread_cpu_and_time(trace: Trace) -> None:
    every = list(trace.events("syscalls"))
    middle_s = trace.ts_ns(every[20]) / 1e9
    assert [one.raw for one in trace.events("syscalls", until_s=middle_s)] == [one.raw for one in every[:20]]
    assert [one.raw for one in trace.events("sys_*", since_s=middle_s)] == [one.raw for one in every[20:]]
    pid = every[0].pid
    assert {one.pid for one in trace.events("syscalls", pids={pid})} == {pid}
    assert {one.cpu for one in trace.events(cpus={1})} == {1}


def test_what_there_is_not_is_told(trace: Trace) -> None:
    with pytest.raises(errors.UsageFault, match="no event 'nothing'"):
        trace.events("nothing")
    with pytest.raises(errors.FtracepyError, match="no instance 'other'"):
        ftracepy.open(OPENS / "trace.dat", "other")
    with pytest.raises(errors.UsageFault, match="no tool 'opensnop'"):
        next(trace.rows("opensnop"))


def test_losses_are_told_by_cpu_where_only_the_pages_or_only_the_counts_know(tmp_path: Path) -> None:
    both = [Pages(0, page(1000, range(3)) + page(2000, range(3), lost=17)), Pages(1, page(1500, range(5)))]
    found = ftracepy.open(write(tmp_path / "x.dat", both, stats=(CpuStats(1, overrun=23),)))
    assert found.losses == {0: 17, 1: 23}
    assert found.counts() == {"sample:first": 11}
    assert list(found.columns("first")["number"]) == [0, 1, 2, 0, 1, 2, 3, 4, 0, 1, 2]


def test_damage_ends_no_reading_and_is_told(tmp_path: Path) -> None:
    damaged = bytearray(page(1000, range(3)))
    damaged[16:20] = b"\xff" * 4
    found = ftracepy.open(write(tmp_path / "x.dat", [Pages(0, bytes(damaged) + page(2000, range(3)))]))
    assert found.columns("sample:first").rows == 3
    assert any("cannot be read" in notice for notice in found.notices)
    assert found.losses == {0: None}


def test_a_name_in_two_systems_has_to_be_told_apart() -> None:
    trace = ftracepy.open(OPENS / "trace.dat")
    trace.schema.formats[65000] = event_format("sys_enter_openat", 65000, system="other")
    with pytest.raises(errors.UsageFault, match="several events"):
        trace.columns("sys_enter_openat")
    assert trace.columns("other:sys_enter_openat").rows == 0
