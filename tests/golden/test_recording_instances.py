"""Recordings of several instances against `trace-cmd report`: one time order, every line marked with its instance."""

from __future__ import annotations

import io
import json
import lzma
import shutil
import subprocess
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.pipeline.replay import open_replay
from ftracepy.pipeline.report import report as run_report
from ftracepy.pipeline.requests import ReportRequest, Stop
from ftracepy.probes import Syscalls, Tasks, Tracepoint, Wish
from tests.support.corpus import ROOT

_SEVERAL = sorted(path for start in ("inst", "fmt_v6_inst") for path in ROOT.glob(f"dat/*/{start}*.dat*"))


def plain(path: Path, tmp_path: Path) -> Path:
    """The recording, unpacked where the corpus keeps it packed."""
    if path.suffix != ".xz":
        return path
    (tmp_path / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
    return tmp_path / path.stem


def report(request: ReportRequest) -> tuple[str, list[str]]:
    out, said = io.BytesIO(), list[str]()
    run_report(request, out, said.append, Stop())
    return out.getvalue().decode(errors="replace"), said


@pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed")
@pytest.mark.parametrize("path", _SEVERAL, ids=lambda path: path.name)
def test_every_line_equals_trace_cmds(path: Path, tmp_path: Path) -> None:
    file = plain(path, tmp_path)
    theirs = subprocess.run(["trace-cmd", "report", "-N", "-i", file], capture_output=True, check=True).stdout
    ours, said = report(ReportRequest(str(file), style="trace-cmd"))
    assert ours == theirs.decode(errors="replace")
    assert said == []


@pytest.mark.parametrize("path", _SEVERAL, ids=lambda path: path.name)
def test_one_instance_alone_is_its_marked_lines(path: Path, tmp_path: Path) -> None:
    file = plain(path, tmp_path)
    together = report(ReportRequest(str(file)))[0].splitlines()
    for name in {buffer.name for buffer in recording.open(file).buffers} - {""}:
        alone = report(ReportRequest(str(file), instance=name))[0].splitlines()
        marked = [line.lstrip().removeprefix(f"{name}: ") for line in together if line.lstrip().startswith(f"{name}: ")]
        assert marked == [line for line in alone if not line.startswith("#")]


def test_objects_name_their_instance(tmp_path: Path) -> None:
    file = plain(next(path for path in _SEVERAL if path.name.startswith("inst3-k6.12")), tmp_path)
    rows = [json.loads(line) for line in report(ReportRequest(str(file), format="json"))[0].splitlines()]
    assert {row["instance"] for row in rows} == {"", "foo", "bar"}
    assert [row["ts_ns"] for row in rows] == sorted(row["ts_ns"] for row in rows)
    for buffer in recording.open(file).buffers:
        alone = [
            json.loads(line) for line in report(ReportRequest(str(file), format="json", instance=buffer.name))[0].splitlines()
        ]
        assert [{"instance": buffer.name} | row for row in alone] == [row for row in rows if row["instance"] == buffer.name]
    table = report(ReportRequest(str(file), format="csv"))[0].splitlines()
    assert table[0].startswith("instance,ts_ns,")
    assert sum(line.startswith("instance,") for line in table) == 1
    assert len(table) == len(rows) + 1


_WISHES: list[tuple[tuple[Wish, ...], str]] = [
    ((Syscalls(),), "bar"),
    ((Syscalls(("openat",), ("filename",)), Tasks()), "bar"),
    ((Tracepoint("sched", "sched_switch"),), "foo"),
    ((Tracepoint("irq", "softirq_entry"),), ""),
    ((Tracepoint("kmem", "kmalloc"),), ""),
]


@pytest.mark.parametrize(("wishes", "instance"), _WISHES, ids=str)
def test_a_tool_replays_the_instance_that_holds_what_it_watches(wishes: tuple[Wish, ...], instance: str, tmp_path: Path) -> None:
    file = plain(next(path for path in _SEVERAL if path.name.startswith("inst3-k6.12")), tmp_path)
    found = open_replay(str(file), wishes, Stop())
    assert found.instance == instance
    (notice,) = found.health().notices
    assert notice.startswith(f"replayed is the instance '{instance}'" if instance else "replayed is the top-level buffer")
