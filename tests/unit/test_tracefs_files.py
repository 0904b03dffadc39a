"""Reading and writing control files on a fake tree, and what errors say."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ftracepy.errors import FtracepyError, KernelCannot, NotPermitted
from ftracepy.source import CpuStats
from ftracepy.tracefs import buffer, clock, error_log, events, files, instances, options, probes, stats
from tests.support import fake_tracefs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fake_tracefs.make(tmp_path / "tracing")


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def write(fd: int, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "sys_write", write)


def test_events_of_a_tree(root: Path) -> None:
    fake_tracefs.add_event(root, "sched:sched_wakeup", 301)
    assert events.matching(root, "sched:*") == [("sched", "sched_switch"), ("sched", "sched_wakeup")]
    assert events.matching(root, "sched:sched_wakeup") == [("sched", "sched_wakeup")]
    assert events.matching(root, "sched") == [("sched", "sched_switch"), ("sched", "sched_wakeup")]
    assert events.matching(root, "sched:nope") == []
    assert events.event_id(root, "sched", "sched_switch") == 300
    assert events.event_id(root, "sched", "nope") is None
    assert [name for name, _text in events.system_formats(root, "ftrace")] == ["print"]
    with pytest.raises(KernelCannot, match="no event sched:nope"):
        events.set_enabled(root, "sched", "nope")


def test_a_setting_is_written_without_truncating(root: Path) -> None:
    path = fake_tracefs.put(root, "uprobe_events", "p:theirs/one /bin/sh:0x10\n")
    probes.add(root, "uprobe_events", "p:mine/two /bin/sh:0x20")
    assert path.read_text() == "p:theirs/one /bin/sh:0x10\np:mine/two /bin/sh:0x20"


def test_a_probe_file_is_never_emptied(root: Path) -> None:
    with pytest.raises(ValueError, match="everybody's"):
        files.truncate(root / "uprobe_events")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOMEM, errno.EPERM, errno.EBUSY], ids=errno.errorcode.get)
def test_a_refused_write_names_file_errno_and_text(root: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    refuse(monkeypatch, number)
    with pytest.raises(FtracepyError) as caught:
        options.set_tracing(root, True)
    assert caught.value.what == "cannot start recording"
    assert caught.value.wrote == f"'1' to tracing_on ({errno.errorcode[number]})"
    assert caught.value.kernel == os.strerror(number)
    assert isinstance(caught.value, NotPermitted) == (number == errno.EPERM)


def test_a_missing_file_is_the_kernels_lack(root: Path) -> None:
    with pytest.raises(KernelCannot, match="buffer of 5 KB") as caught:
        buffer.set_size_kb(root / "instances" / "gone", 5)
    assert caught.value.why == "this kernel's tracefs has no such file"
    with pytest.raises(KernelCannot, match="vfs_open") as caught:
        probes.add(root, "kprobe_events", "p:mine/open vfs_open")
    assert "CONFIG_KPROBE_EVENTS" in caught.value.hint


def test_what_may_not_be_read_is_none(root: Path) -> None:
    assert files.try_read(root / "set_ftrace_pid") is None
    assert options.get(root, "no-such-option") is None
    assert buffer.size_kb(root) == 7
    assert buffer.subbuffer_bytes(root) is None
    assert buffer.set_wakeup_percent(root / "instances", 0) is False


ERROR_LOG = """\
[   28.342432] trace_uprobe: error: Failed to find the given file
  Command: p:mine/x /no/such:0x10
                    ^
[   29.342432] event filter parse error: error: Field not found
  Command: pidd == 1
           ^
[   30.000001] trace_kprobe: error: Invalid probed address or symbol
  Command: p:mine/open do_sys_opne ret=%ax
                       ^
"""


def test_error_log_answers_only_what_was_written(root: Path) -> None:
    fake_tracefs.put(root, "error_log", ERROR_LOG)
    answer = error_log.answer_to(root, "p:mine/open    do_sys_opne ret=%ax\n")
    assert answer
    assert answer.text() == "Invalid probed address or symbol\n  p:mine/open    do_sys_opne ret=%ax\n  " + " " * 15 + "^"
    assert error_log.answer_to(root, "p:mine/other do_sys_opne") is None
    assert [entry.caret for entry in error_log.entries(ERROR_LOG)] == [9, 0, 12]


def test_probe_lines(root: Path) -> None:
    fake_tracefs.put(root, "uprobe_events", "p:a/one /bin/sh:0x0000000000000010 x=%di:u64\nr8:b/two /bin/sh:0x20\n\ngarbage\n")
    found = probes.listed(root, "uprobe_events")
    assert [(probe.kind, probe.group, probe.name) for probe in found] == [("p", "a", "one"), ("r", "b", "two")]
    assert [probe.name for probe in probes.in_group(root, "b")] == ["two"]
    assert probes.listed(root, "kprobe_events") == []


def test_stats(root: Path) -> None:
    text = fake_tracefs.stats_text(entries=1, overrun=2, commit_overrun=3, dropped=4, read=5)
    fake_tracefs.put(root, "per_cpu/cpu3/stats", text)
    assert stats.cpus(root) == [0, 1, 3]
    assert stats.read(root, 3) == CpuStats(3, entries=1, overrun=2, commit_overrun=3, dropped=4, read=5)
    assert stats.read(root, 3).lost == 9
    assert stats.now(root, 3) == 12_345_700_001_000
    fake_tracefs.put(root, "per_cpu/cpu3/stats", fake_tracefs.stats_text(now="987654321"))
    assert stats.now(root, 3) == 987_654_321
    with pytest.raises(FtracepyError, match="counts of CPU 9"):
        stats.read(root, 9)


def test_clocks(root: Path) -> None:
    assert clock.chosen(root) == "local"
    assert clock.available(root)[:2] == ["local", "global"]
    assert clock.now_ns("mono")
    assert clock.now_ns("global") is None


def test_instances(root: Path) -> None:
    path = instances.make(root, "mine")
    with pytest.raises(FtracepyError, match="cannot make a private trace buffer") as caught:
        instances.make(root, "mine")
    assert caught.value.wrote == "instances/mine (EEXIST)"
    assert instances.names(root) == ["mine"]
    assert path.is_dir()
    assert instances.remove(root, "mine") is True
    assert instances.remove(root, "mine") is False
    with pytest.raises(KernelCannot, match="private trace buffers"):
        instances.make(root / "events", "mine")


def test_a_refused_filter_shows_the_parse_error_and_is_cleared(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "events/sched/sched_switch/filter"
    refused = "pidd == 1\n    ^\nparse_error: Field not found\n"
    real = files.sys_write

    def write(fd: int, data: bytes) -> int:
        if data == b"pidd == 1":
            path.write_text(refused)
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(fd, data)

    monkeypatch.setattr(files, "sys_write", write)
    with pytest.raises(FtracepyError) as caught:
        events.set_filter(root, "sched", "sched_switch", "pidd == 1")
    assert caught.value.kernel == "Field not found\n  pidd == 1\n      ^"
    assert path.read_text().startswith("0")
