"""reset --everything, in a guest of the lab alone: it takes everybody's settings, so never on a machine that others use."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from ftracepy.tracefs import Tracefs, files
from tests.kernel.test_commands import FTRACEPY
from tests.support.tracefs_tree import difference, snapshot

pytestmark = pytest.mark.skipif(not Path("/lab").is_dir(), reason="only where nobody else traces: scripts/lab")

# What a careless user may leave behind; what this kernel lacks is left out.
_SETTINGS = (
    ("set_ftrace_filter", "vfs_read"),
    ("set_ftrace_filter", "vfs_write:traceoff:3"),
    ("set_graph_function", "vfs_open"),
    ("set_event_pid", "1"),
    ("set_ftrace_pid", "1"),
    ("kprobe_events", "p:mine/opened vfs_open"),
    ("kprobe_events", "r:mine/returned vfs_open"),
    ("synthetic_events", "waited u64 lat; pid_t pid"),
    ("events/sched/sched_switch/filter", "prev_pid == 0"),
    ("events/sched/sched_switch/enable", "1"),
    ("events/mine/opened/enable", "1"),
    ("events/sched/sched_waking/trigger", "hist:keys=pid:ts0=common_timestamp.usecs"),
    ("events/sched/sched_switch/trigger", "hist:keys=next_pid:lat=common_timestamp.usecs-$ts0"),
    ("events/sched/sched_process_exit/trigger", "stacktrace:5 if prio > 3"),
    ("options/stacktrace", "1"),
    ("options/overwrite", "0"),
    ("trace_clock", "mono"),
    ("buffer_size_kb", "2000"),
    ("tracing_thresh", "7"),
    ("current_tracer", "function"),
    ("tracing_on", "0"),
)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*FTRACEPY, "reset", *options], capture_output=True, text=True, check=False, timeout=300)


def leave_all(root: Path) -> list[str]:
    done = []
    for name, text in _SETTINGS:
        with suppress(OSError):
            files.write_raw(root / name, text, flags=os.O_APPEND)
            done.append(name)
    return done


def test_everything_is_as_after_boot_again(tracefs: Tracefs) -> None:
    first = run("--everything")
    assert first.returncode == 0, first.stderr
    before = snapshot(tracefs.root)
    (tracefs.root / "instances/somebody").mkdir()
    done = leave_all(tracefs.root)
    assert len(done) > (10 if (tracefs.root / "synthetic_events").exists() else 9)
    told = run("--everything", "--instances", "-n")
    assert difference(before, snapshot(tracefs.root))
    assert {name for name in done if name + ":" not in told.stdout} <= {
        "events/sched/sched_switch/enable",
        "events/mine/opened/enable",
    }
    result = run("--everything", "--instances")
    assert (result.returncode, result.stderr) == (0, "")
    changed = [line for line in difference(before, snapshot(tracefs.root)) if not line.startswith(("buffer_", "per_cpu"))]
    assert changed == []
    assert (tracefs.root / "buffer_size_kb").read_text().strip() in {"1408", "1410"}
    assert run("--everything").stdout == "everything is as after boot\n"


def test_it_is_refused_while_somebody_traces(tracefs: Tracefs) -> None:
    (tracefs.root / "options/stacktrace").write_text("1")
    with (tracefs.root / "trace_pipe").open("rb"):
        refused = run("--everything")
        assert refused.returncode == 1
        assert f"({os.getpid()})" in refused.stderr
        assert (tracefs.root / "options/stacktrace").read_text() == "1\n"
        assert run("--everything", "-f", "-q").stdout == ""
    assert (tracefs.root / "options/stacktrace").read_text() == "0\n"


def test_a_dead_lock_of_perf_tools_goes_a_living_one_stays(tracefs: Tracefs) -> None:
    lock = Path("/var/tmp/.ftrace-lock")
    lock.write_text(f"{os.getpid()}\n")
    assert run("--everything").returncode == 1
    lock.write_text("4194303\n")
    assert run("--everything").returncode == 0
    assert not lock.exists()
