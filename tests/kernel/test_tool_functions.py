"""functrace, funcgraph, funcslower, funccount and funclatency on workloads with known counts, and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftracepy.tracefs import Tracefs, files, functions
from tests.kernel.test_commands import FTRACEPY, python, rows_of, running, watch
from tests.support.tracefs_tree import difference, snapshot

pytestmark = pytest.mark.kernel

_CALL = f"__{'arm64' if os.uname().machine == 'aarch64' else 'x64'}_sys_getsid"
_CALLS = "import os\nfor _ in range({}): os.getsid(0)\n"
_SLEEPS = "import time\nfor _ in range({}): time.sleep({})\n"
# Sleeps are until a moment: on a busy machine a millisecond and more of it may be over before the kernel is asked.
_LONG_SLEEPS = _SLEEPS.format(53, 0.02)
_OUTER, _INNER = "hrtimer_nanosleep", "do_nanosleep"
_IDLE = ("current_tracer", "set_ftrace_filter", "set_ftrace_notrace", "set_graph_function", "max_graph_depth", "tracing_thresh",
         "tracing_on", "trace_clock", "options/sleep-time", "options/funcgraph-irqs", "options/function-fork", "set_event",
         "set_ftrace_pid", "set_ftrace_notrace_pid", "set_event_notrace_pid", "options/overwrite")  # fmt: skip


@pytest.fixture(autouse=True)
def _function_tracer(requires: Callable[[str], None]) -> None:
    requires("function tracer")


def mine(rows: list[dict[str, Any]], function: str) -> list[dict[str, Any]]:
    """Rows of the workload's calls of one function."""
    return [row for row in rows if row["function"] == function and row["comm"].startswith("python")]


def settings(tracefs: Tracefs) -> dict[str, str | None]:
    return {name: files.try_read(tracefs.root / name) for name in _IDLE}


@pytest.mark.counted("functrace", "307 calls", options={"functions": (_CALL,)})
def test_every_call_is_one_row(clean_kernel: Tracefs) -> None:
    rows = mine(watch("functrace", python(_CALLS.format(307)), _CALL, "--exclude", "__ia32_*"), _CALL)
    assert len(rows) == 307
    assert len({row["pid"] for row in rows}) == 1
    assert all(row["context"] is None and row["caller"] for row in rows)


def guesses() -> bool:
    """Whether this x86 kernel has no unwinder (ORC): whatever on its stack looks like code stands between the callers then."""
    return os.uname().machine == "x86_64" and " orc_" not in Path("/proc/kallsyms").read_text()


def test_calls_have_their_stacks_and_arguments(clean_kernel: Tracefs) -> None:
    rows = mine(watch("functrace", python(_SLEEPS.format(7, 0.001)), "-s", _INNER), _INNER)
    assert len(rows) == 7
    stacks = [row["stack"] for row in rows]
    if guesses():
        assert all(_OUTER in stack for stack in stacks)
    else:
        assert all(stack[:2] == [_INNER, _OUTER] or stack[:1] == [_OUTER] for stack in stacks)
    told = mine(watch("functrace", python(_SLEEPS.format(7, 0.001)), "--args", _INNER), _INNER)
    assert len(told) == 7
    assert all(row["args"][0].startswith("0xffff") for row in told)  # a pointer into a stack of the kernel


@pytest.mark.counted("funcgraph", "53 calls and what they call", options={"functions": (_OUTER,), "children": (_INNER,)})
def test_trees_hold_what_a_call_calls(clean_kernel: Tracefs) -> None:
    before = settings(clean_kernel)
    rows = watch("funcgraph", python(_SLEEPS.format(53, 0.002)), _OUTER, "--children", _INNER)
    tree = [row for row in rows if row["comm"].startswith("python")]
    assert [(row["function"], row["depth"]) for row in tree] == [(_OUTER, 0), (_INNER, 1)] * 53
    assert all(row["part"] == "whole" for row in tree)
    assert all(0 < inner["took_ns"] <= outer["took_ns"] for outer, inner in zip(tree[::2], tree[1::2], strict=True))
    assert settings(clean_kernel) == before


def test_a_tree_of_all_that_is_called_to_a_depth(clean_kernel: Tracefs) -> None:
    rows = watch("funcgraph", python(_SLEEPS.format(3, 0.002)), _OUTER, "-m", "2")
    tree = [row for row in rows if row["comm"].startswith("python")]
    assert [row["depth"] for row in tree if row["function"] == _OUTER] == [0] * 3
    assert {row["depth"] for row in tree} == {0, 1}
    assert sum(row["function"] == _INNER for row in tree) == 3


@pytest.mark.counted("funcslower", "53 slow calls of 53", options={"words": (_INNER, "1000")})
def test_only_slow_calls(clean_kernel: Tracefs) -> None:
    before = settings(clean_kernel)
    work = python(_LONG_SLEEPS)
    slow = mine(watch("funcslower", work, _INNER, "1000"), _INNER)
    assert len(slow) == 53
    assert all(row["took_ns"] >= 1_000_000 for row in slow)
    assert mine(watch("funcslower", work, _INNER, "10000000"), _INNER) == []
    assert settings(clean_kernel) == before


def test_slow_calls_within_slow_calls(clean_kernel: Tracefs) -> None:
    rows = watch("funcslower", python(_LONG_SLEEPS), _OUTER, _INNER, "1000")
    found = [(row["function"], row["depth"], row["call"]) for row in rows if row["comm"].startswith("python")]
    assert found == [(_INNER, 1, f"  {_INNER}"), (_OUTER, 0, _OUTER)] * 53


def test_time_asleep_can_be_left_out(clean_kernel: Tracefs) -> None:
    before = settings(clean_kernel)
    rows = mine(watch("funcslower", python(_SLEEPS.format(11, 0.05)), "-C", _INNER, "0"), _INNER)
    assert len(rows) == 11
    assert all(row["took_ns"] < 50_000_000 for row in rows)
    assert settings(clean_kernel) == before


def test_what_a_call_was_given_and_returned(clean_kernel: Tracefs) -> None:
    code = "import os\nfor at in range(13):\n try: os.getsid(4000000 + at)\n except OSError: pass"
    rows = mine(watch("funcslower", python(code), "--args", "--retval", _CALL, "0"), _CALL)
    assert len(rows) == 13
    told = [row for row in rows if row["ret"] is not None]
    assert all(row["ret"] == -3 for row in told)  # ESRCH
    assert len(told) == 13
    assert all(row["args"] for row in rows)


@pytest.mark.counted("funccount", "997 calls", options={"functions": (_CALL,)})
def test_every_way_counts_the_same(clean_kernel: Tracefs) -> None:
    """In the kernel, and by recording each call where very many functions are named."""
    work = python(_CALLS.format(997))
    few = watch("funccount", work, _CALL)
    many = watch("funccount", work, _CALL, "vfs_*", f"{_CALL.removesuffix('sid')}*", "d_*", "-x", "d_hash*")
    assert [row["count"] for row in few if row["function"] == _CALL] == [997]
    assert [row["count"] for row in many if row["function"] == _CALL] == [997]
    [one] = mine(watch("funccount", work, "--by-process", _CALL, "vfs_open"), _CALL)
    assert one["count"] == 997


def test_counts_by_interval_add_up(clean_kernel: Tracefs) -> None:
    code = "import os, time\nfor _ in range(5):\n for _ in range(101): os.getsid(0)\n time.sleep(0.3)"
    rows = [row for row in watch("funccount", python(code), "-i", "0.4", "-T", _CALL) if row["function"] == _CALL]
    assert sum(row["count"] for row in rows) == 505
    assert len({row["block"] for row in rows}) == len(rows)
    assert all(row["time"] for row in rows)


@pytest.mark.counted("funclatency", "53 calls", options={"functions": (_INNER,)})
def test_every_call_is_in_the_histogram(clean_kernel: Tracefs) -> None:
    rows = watch("funclatency", python(_SLEEPS.format(53, 0.003)), "-n", "^python", "-F", _INNER)
    assert {row["function"] for row in rows} == {_INNER}
    assert sum(row["count"] for row in rows) == 53
    assert all(row["low"] > 0 for row in rows if row["count"])


def test_a_misspelt_function_is_told_its_like(clean_kernel: Tracefs) -> None:
    done = subprocess.run([*FTRACEPY, "functrace", "do_nanoslep"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'do_nanosleep'" in done.stderr
    assert "Traceback" not in done.stderr


def test_others_at_work_are_not_disturbed(clean_kernel: Tracefs) -> None:
    root = clean_kernel.root
    functions.add(root, functions.ROOTS, ["vfs_statx"])
    try:
        done = subprocess.run([*FTRACEPY, "funcgraph", _OUTER], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert "set_graph_function" in done.stderr
        assert functions.listed(root, functions.ROOTS) == ["vfs_statx"]
        assert functions.tracer(root) == functions.NO_TRACER
    finally:
        functions.clear(root, functions.ROOTS)


def test_two_at_once(clean_kernel: Tracefs) -> None:
    with running("functrace", "--format", "json", _INNER) as other:
        assert other.stdout
        end = time.monotonic() + 30
        while not other.stdout.readline() and time.monotonic() < end:
            pass
        rows = mine(watch("functrace", python(_CALLS.format(101)), _CALL), _CALL)
        other.terminate()
    assert len(rows) == 101
    assert not mine(rows_of(other.communicate()[0]), _CALL)


def test_reset_puts_back_what_a_killed_run_had_borrowed(clean_kernel: Tracefs) -> None:
    before = snapshot(clean_kernel.root)
    process = subprocess.Popen(
        [*FTRACEPY, "funcgraph", "-m", "3", "--children", _INNER, "--format", "json", _OUTER], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout
        with subprocess.Popen([sys.executable, "-S", "-c", _SLEEPS.format(100000, 0.05)]) as busy:
            try:
                assert process.stdout.readline()
            finally:
                busy.kill()
    finally:
        process.kill()
        process.communicate()
    assert functions.listed(clean_kernel.root, functions.ROOTS) == [_OUTER]
    subprocess.run([*FTRACEPY, "reset"], check=True, capture_output=True)
    assert difference(before, snapshot(clean_kernel.root)) == []
