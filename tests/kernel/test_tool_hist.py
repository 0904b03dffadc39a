"""hist live: every value in its bucket, the same whether the kernel counts or we do, live or recorded."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftracepy.tracefs import Tracefs
from tests.kernel.test_commands import FTRACEPY, python, rows_of, watch

# 1009 reads of 7 bytes, 101 refused with EBADF (-9), 13 of 4096 bytes; the interpreter's own are never those sizes twice.
_READS = """import os
zero = os.open("/dev/zero", 0)
for _ in range(1009): os.read(zero, 7)
for _ in range(13): os.read(zero, 40960)
for _ in range(101):
    try: os.read(-1, 7)
    except OSError: pass
"""
_EVENT = ("syscalls:sys_exit_read", "ret")
_EXACT = {(None, 0): 101, (7, 8): 1009, (40960, 40961): 13}
_BOUNDS = ("-b", "0 7 8 40960 40961")


def buckets(rows: list[dict[str, Any]]) -> Counter[tuple[int | None, int | None]]:
    found = Counter[tuple[int | None, int | None]]()
    for row in rows:
        found[row["low"], row["high"]] += row["count"]
    return found


def ours(found: Counter[tuple[int | None, int | None]]) -> dict[Any, int]:
    return {key: count for key, count in found.items() if key in _EXACT}


@pytest.mark.counted("hist", "1123 reads, 101 of them refused", options={"event": _EVENT[0], "field": _EVENT[1]})
@pytest.mark.parametrize("way", [(), ("--every-event",)], ids=["default", "every event"])
def test_every_value_is_in_its_bucket(clean_kernel: Tracefs, way: tuple[str, ...]) -> None:
    rows = watch("hist", "exec " + python(_READS), *_EVENT, *_BOUNDS, *way, "--by", "name")
    mine = [row for row in rows if row["key"].startswith("python")]
    assert ours(buckets(mine)) == _EXACT


def test_a_filter_is_the_kernels(clean_kernel: Tracefs) -> None:
    rows = watch("hist", "exec " + python(_READS), *_EVENT, "-f", "ret == -9", "--by", "name")
    mine = [row for row in rows if row["key"].startswith("python")]
    assert [(row["low"], row["high"], row["count"]) for row in mine] == [(None, 0, 101)]


def test_both_ways_agree_on_one_run(clean_kernel: Tracefs, requires: Callable[[str], None]) -> None:
    """Two at once: one counts in the kernel, the other records every hit of the same calls."""
    requires("hist triggers")
    found: dict[str, Counter[tuple[int | None, int | None]]] = {}
    filter_ = ("-f", "ret == -9 || ret == 7 || ret == 40960")
    inner = f"{' '.join(FTRACEPY)} hist {' '.join(_EVENT)} {filter_[0]} '{filter_[1]}' --every-event --format json -o $F -- "
    path = Path("/tmp") / f"ftracepy-hist-{threading.get_native_id()}"
    rows = watch("hist", f"F={path}; exec {inner} {python(_READS)}", *_EVENT, *filter_)
    found["kernel"], found["events"] = buckets(rows), buckets(rows_of(path.read_bytes()))
    path.unlink()
    assert found["events"] == Counter({(None, 0): 101, (4, 8): 1009, (32768, 65536): 13})
    assert found["kernel"] == found["events"]


def test_a_recording_shows_the_same(clean_kernel: Tracefs, tmp_path: Path) -> None:
    file, asked = tmp_path / "trace.dat", " ".join(("hist", *_EVENT, "--by", "name"))
    subprocess.run(
        [*FTRACEPY, "record", "--tool", asked, "-o", str(file), "--", "sh", "-c", "exec " + python(_READS)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    replay = [*FTRACEPY, "hist", *_EVENT, *_BOUNDS, "--by", "name", "--replay", str(file), "--format", "json"]
    rows = rows_of(subprocess.run(replay, check=True, capture_output=True, timeout=60).stdout)
    assert ours(buckets([row for row in rows if row["key"].startswith("python")])) == _EXACT


def test_intervals_lose_nothing(clean_kernel: Tracefs) -> None:
    code = "import os, time\nzero = os.open('/dev/zero', 0)\nfor _ in range(1009): os.read(zero, 7); time.sleep(0.0007)"
    rows = watch("hist", "exec " + python(code), *_EVENT, "-f", "ret == 7", "-i", "0.2", "--by", "name")
    mine = [row for row in rows if row["key"].startswith("python")]
    assert sum(row["count"] for row in mine) == 1009
    assert len({row["block"] for row in mine}) >= 3


def test_a_process_alone(clean_kernel: Tracefs) -> None:
    """Its own reads, not those of what it starts."""
    program = f"import os, subprocess, sys\nsys.stdin.readline()\nsubprocess.run({json.dumps(_SHELL)}, shell=True)\n{_READS}"
    with subprocess.Popen(["python3", "-S", "-c", program], stdin=subprocess.PIPE) as child:
        assert child.stdin
        rows = watch("hist", f"echo go >/proc/{child.pid}/fd/0; while [ -d /proc/{child.pid}/fd ] && ! grep -q Z "
                     f"/proc/{child.pid}/stat; do sleep 0.1; done", *_EVENT, *_BOUNDS, "-p", str(child.pid))  # fmt: skip
    assert ours(buckets(rows)) == _EXACT


_SHELL = "for i in 1 2 3 4 5 6 7; do head -c 7 </dev/zero >/dev/null; done"


def test_a_filter_that_the_kernel_alone_can_try(clean_kernel: Tracefs, tmp_path: Path) -> None:
    """The record holds the pointer; what it leads to, the kernel compares before it records."""
    path = tmp_path / "file"
    path.touch()
    filter_ = f'filename.ustring == "{path}"'
    rows = watch("hist", f"for n in 1 2 3 4 5 6 7; do cat {path}; done", "syscalls:sys_enter_openat", "flags", "-f", filter_)
    assert sum(row["count"] for row in rows) == 7
