"""tpoint live: every hit of a known workload, filtered in the kernel, with stacks, and never its own doings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ftracepy.tracefs import Tracefs
from tests.kernel.test_commands import FTRACEPY, python, rows_of, watch

pytestmark = pytest.mark.kernel

_KILLS = "import os, signal\nsignal.signal(10, lambda *_: None)\nfor _ in range(101): os.kill(os.getpid(), {})"


@pytest.mark.counted("tpoint", "101 signals", options={"events": "signal:signal_generate"})
def test_every_hit_is_a_row(clean_kernel: Tracefs) -> None:
    rows = watch("tpoint", python(_KILLS.format(10)), "signal:signal_generate", "sig == 10")
    assert [row["fields"]["sig"] for row in rows] == [10] * 101
    assert {row["tid"] for row in rows} == {row["fields"]["pid"] for row in rows}
    assert all(row["event"] == "signal:signal_generate" and row["text"].startswith("sig=10 errno=0") for row in rows)


def test_patterns_leave_out_what_the_filter_cannot_mean(clean_kernel: Tracefs) -> None:
    rows = watch("tpoint", python(_KILLS.format(10)), "s[ic]*:*", "sig == 10", "--fields", "sig,pid")
    assert {row["event"] for row in rows} == {"signal:signal_generate", "signal:signal_deliver"}
    assert sum(row["event"] == "signal:signal_generate" and row["sig"] == 10 for row in rows) == 101


def test_an_event_that_is_watched_for_names_too_is_filtered(clean_kernel: Tracefs) -> None:
    """Forks are followed anyway, all of them; shown is what was asked for."""
    rows = watch("tpoint", "for at in 1 2 3 4 5; do /bin/true; done", "sched:sched_process_exec", 'filename == "/bin/true"')
    assert [row["fields"]["filename"] for row in rows] == ["/bin/true"] * 5


def test_each_hit_has_its_stack(clean_kernel: Tracefs) -> None:
    rows = watch("tpoint", python(_KILLS.format(10)), "signal:signal_generate", "sig == 10", "-s")
    assert len(rows) == 101
    assert all(row["stack"] and any("sys_kill" in name or "signal" in name for name in row["stack"]) for row in rows)
    assert not any(name.startswith("trace_event_raw") for row in rows for name in row["stack"])


def test_it_never_shows_itself(clean_kernel: Tracefs) -> None:
    """perf-tools' tpoint read its own reads without end."""
    command = [*FTRACEPY, "tpoint", "syscalls:sys_enter_read,syscalls:sys_enter_write", "--format", "json", "-d", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        output, _ = process.communicate(timeout=60)
    assert process.pid not in {row["pid"] for row in rows_of(output)}


def test_the_kernels_caret_stands_where_it_was_typed(clean_kernel: Tracefs) -> None:
    typed = "sig == 10 && nosuch == 1"
    done = subprocess.run([*FTRACEPY, "tpoint", "signal:signal_generate", typed], capture_output=True, timeout=60)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 1
    shown = next(at for at, line in enumerate(lines) if line.endswith(typed) and not line.startswith("ftracepy"))
    caret = lines[shown + 1].index("^") - lines[shown].index(typed)
    assert typed.index("nosuch") <= caret <= typed.index("nosuch") + len("nosuch ")


@pytest.mark.parametrize("filter_", ['COMM == "cat"', "cpu >= 0", "common_pid > 0"])
@pytest.mark.parametrize("event", ["sched:sched_process_exec", "sched:sched_process_exec,task:task_rename"])
def test_filters_name_what_every_event_has(clean_kernel: Tracefs, event: str, filter_: str) -> None:
    """The first is watched for names of tasks, too, and so filtered here as well."""
    rows = watch("tpoint", "cat /dev/null", event, filter_)
    assert any(row["fields"].get("filename", "").endswith("/cat") for row in rows)


def test_a_text_that_a_pointer_leads_to_is_compared_by_the_kernel(clean_kernel: Tracefs, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    rows = watch("tpoint", f"cat {file} {tmp_path}/other", "syscalls:sys_enter_openat", f'filename.ustring == "{file}"')
    assert [row["comm"] for row in rows] == ["cat"]


@pytest.mark.parametrize("event", ["sched:sched_process_exec", "sched:sched_switch"])
def test_a_field_that_is_not_there_is_told(clean_kernel: Tracefs, event: str) -> None:
    done = subprocess.run([*FTRACEPY, "tpoint", event, "common_pid > 0 && nosuch == 1", "-d", "1"], capture_output=True)
    words = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert "  kernel  Field not found" in words


def test_the_list_is_the_kernels(clean_kernel: Tracefs) -> None:
    done = subprocess.run([*FTRACEPY, "tpoint", "-l", "sched:*", "--format", "json"], capture_output=True, check=True, timeout=60)
    listed = {row["event"] for row in map(json.loads, done.stdout.splitlines())}
    known = (clean_kernel.root / "available_events").read_text().split()
    assert listed == {one for one in known if one.startswith("sched:")}
