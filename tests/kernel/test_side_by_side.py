"""Tools beside each other and beside trace-cmd: each sees exactly its own, and nothing is left of any."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ftracepy.tracefs import Tracefs, instances
from tests.kernel.test_commands import FTRACEPY, left_by, rows_of
from tests.support.tracefs_tree import difference, snapshot

# 211 opens that fail, 101 signals of its own to itself, 307 calls of getsid: prime numbers of what four tools tell apart.
_LOAD = """import os, signal, sys
signal.signal(10, lambda *_: None)
sys.stdin.readline()
for at in range(211):
    try: os.open(f"/no/such/{at}", 0)
    except OSError: pass
for _ in range(101): os.kill(os.getpid(), 10)
for _ in range(307): os.getsid(0)
"""
_TOOLS = (
    ("opensnoop", "-x"),
    ("killsnoop",),
    ("syscount", "-c", "-v"),
    ("tpoint", "syscalls:sys_enter_getsid"),
    ("hist", "syscalls:sys_exit_getsid", "ret", "--by", "process"),
)


def ready(root: Path, pids: list[int]) -> None:
    """Wait until each tool has its instance and something on in it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        names = instances.names(root)
        on = [pid for pid in pids if any(name.startswith(f"ftracepy_{pid}_") and _is_on(root, name) for name in names)]
        if len(on) == len(pids):
            time.sleep(1)
            return
        time.sleep(0.1)
    raise AssertionError("not every tool has begun")


def _is_on(root: Path, name: str) -> bool:
    try:
        return bool((root / "instances" / name / "set_event").read_text())
    except OSError:
        return False


def watched(root: Path, out: Path) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Rows of all tools, run at once over one load, by tool; and the load's pid."""
    load = subprocess.Popen([sys.executable, "-S", "-c", _LOAD], stdin=subprocess.PIPE)
    with ExitStack() as undo:
        undo.callback(load.kill)
        tools = {}
        for name, *options in _TOOLS:
            command = [*FTRACEPY, name, *options, "--strict", "--format", "json", "-o", str(out / name)]
            tools[name] = undo.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE))
            undo.callback(tools[name].kill)
        ready(root, [one.pid for one in tools.values()])
        load.communicate(b"go\n", timeout=120)
        for one in tools.values():
            one.send_signal(2)
        for one in tools.values():
            _, words = one.communicate(timeout=120)
            assert one.returncode == 0, words.decode()
            assert left_by(one.pid) == []
    return load.pid, {name: rows_of((out / name).read_bytes()) for name in tools}


def check(pid: int, rows: dict[str, list[dict[str, Any]]]) -> None:
    mine = {name: [row for row in found if row.get("pid") == pid] for name, found in rows.items()}
    assert Counter(row["err"] for row in mine["opensnoop"] if str(row["path"]).startswith("/no/such/")) == {"ENOENT": 211}
    assert Counter(row["signal"] for row in mine["killsnoop"]) == {"SIGUSR1": 101}
    counts = {row["syscall"]: row["count"] for row in mine["syscount"]}
    assert (counts["kill"], counts["getsid"]) == (101, 307)
    assert len(mine["tpoint"]) == 307
    buckets = [row["count"] for row in rows["hist"] if str(row["key"]).endswith(f" {pid}")]
    assert sum(buckets) == 307


def test_five_tools_at_once_each_count_exactly(clean_kernel: Tracefs, tmp_path: Path) -> None:
    before = snapshot(clean_kernel.root)
    pid, rows = watched(clean_kernel.root, tmp_path)
    check(pid, rows)
    assert mine(difference(before, snapshot(clean_kernel.root))) == []


def mine(changes: list[str]) -> list[str]:
    """What tools of ours could have changed: other programs' instances and probes come and go on a busy machine."""
    return changes if Path("/lab").is_dir() else [line for line in changes if "ftracepy_" in line]


def test_beside_trace_cmd_neither_disturbs_the_other(clean_kernel: Tracefs, tmp_path: Path) -> None:
    if (program := shutil.which("trace-cmd")) is None:
        pytest.skip("trace-cmd is not installed")
    before = snapshot(clean_kernel.root)
    file = tmp_path / "trace.dat"
    instance = f"beside-{os.getpid()}"
    record = [program, "record", "-q", "-B", instance, "-e", "syscalls:sys_enter_getsid", "-e", "syscalls:sys_enter_kill"]
    with subprocess.Popen([*record, "-o", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as other:
        end = time.monotonic() + 30
        while other.poll() is None and not _is_on(clean_kernel.root, instance) and time.monotonic() < end:
            time.sleep(0.1)
        if other.poll() is not None:
            instances.remove(clean_kernel.root, instance)  # it leaves that behind where it fails
            pytest.skip(f"this kernel does not let trace-cmd record: {other.communicate()[1].decode().strip()[:120]}")
        try:
            pid, rows = watched(clean_kernel.root, tmp_path)
        finally:
            other.send_signal(2)
            other.wait(60)
    check(pid, rows)
    text = subprocess.run([program, "report", str(file)], capture_output=True, text=True, check=True, timeout=60).stdout
    seen = Counter(
        word
        for line in text.splitlines()
        if f"-{pid} " in line
        for word in ("sys_enter_getsid", "sys_enter_kill")
        if word in line
    )
    assert seen == {"sys_enter_getsid": 307, "sys_enter_kill": 101}
    assert [line for line in mine(difference(before, snapshot(clean_kernel.root))) if instance not in line] == []


def test_beside_a_session_made_by_hand(clean_kernel: Tracefs, tmp_path: Path) -> None:
    """Somebody's instance with two events of the same calls: what it holds afterwards, and that its settings are untouched."""
    theirs = clean_kernel.root / "instances" / f"by-hand-{os.getpid()}"
    theirs.mkdir()
    try:
        for name in ("sys_enter_getsid", "sys_enter_kill"):
            (theirs / "events/syscalls" / name / "enable").write_text("1")
        before = snapshot(theirs)
        pid, rows = watched(clean_kernel.root, tmp_path)
        check(pid, rows)
        lines = (theirs / "trace").read_text().splitlines()
        assert difference(before, snapshot(theirs)) == []
    finally:
        theirs.rmdir()
    seen = Counter(name for line in lines if f"-{pid} " in line for name in ("sys_getsid(", "sys_kill(") if name in line)
    assert seen == {"sys_getsid(": 307, "sys_kill(": 101}


# The same function under every tool for functions, each started by the one before it, so that all have begun.
_FUNCTION = f"__{'arm64' if os.uname().machine == 'aarch64' else 'x64'}_sys_getsid"
_FUNCTION_TOOLS = (
    ("functrace", _FUNCTION),
    ("funccount", _FUNCTION),
    ("funclatency", _FUNCTION),
    ("funcslower", _FUNCTION, "0"),
    ("funcgraph", "--children", _FUNCTION, _FUNCTION),
    ("kprobe", f"p:getsids {_FUNCTION}"),
)


def nested(out: Path, around: tuple[str, ...] = ()) -> dict[str, list[dict[str, Any]]]:
    """Rows of every tool for functions, by tool, all at once over 307 calls."""
    command = [sys.executable, "-S", "-c", "import os\nfor _ in range(307): os.getsid(0)"]
    for name, *options in _FUNCTION_TOOLS:
        command = [*FTRACEPY, name, *options, "--strict", "--format", "json", "-o", str(out / name), "--", *command]
    done = subprocess.run([*around, *command], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return {name: rows_of((out / name).read_bytes()) for name, *_ in _FUNCTION_TOOLS}


def check_functions(rows: dict[str, list[dict[str, Any]]]) -> None:
    found = {name: sum(row.get("count", 1) for row in of_one) for name, of_one in rows.items()}
    assert found == dict.fromkeys((name for name, *_ in _FUNCTION_TOOLS), 307)


def test_every_tool_for_functions_at_once(clean_kernel: Tracefs, tmp_path: Path, requires: Callable[[str], None]) -> None:
    requires("function tracer")
    requires("kprobes")
    before = snapshot(clean_kernel.root)
    check_functions(nested(tmp_path))
    assert mine(difference(before, snapshot(clean_kernel.root))) == []


def test_every_tool_for_functions_beside_trace_cmd(
    clean_kernel: Tracefs, tmp_path: Path, requires: Callable[[str], None]
) -> None:
    """It traces the same function in an instance of its own."""
    requires("function tracer")
    requires("kprobes")
    if (program := shutil.which("trace-cmd")) is None:
        pytest.skip("trace-cmd is not installed")
    file, instance = tmp_path / "trace.dat", f"beside-{os.getpid()}"
    before = snapshot(clean_kernel.root)
    record = (program, "record", "-q", "-o", str(file), "-B", instance, "-p", "function", "-l", _FUNCTION)
    check_functions(nested(tmp_path, record))
    text = subprocess.run([program, "report", str(file)], capture_output=True, text=True, check=True, timeout=60).stdout
    assert sum(_FUNCTION in line and "function" in line for line in text.splitlines()) == 307
    assert [line for line in mine(difference(before, snapshot(clean_kernel.root))) if instance not in line] == []
