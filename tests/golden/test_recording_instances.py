"""Recordings of several instances against `trace-cmd report`: one time order, every line marked with its instance."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import re
import shutil
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.errors import UsageFault
from ftracepy.pipeline.replay import open_replay
from ftracepy.pipeline.report import report as run_report
from ftracepy.pipeline.requests import ReportRequest, Stop
from ftracepy.printfmt import Form
from ftracepy.probes import Syscalls, Tasks, Tracepoint, Wish
from tests.golden.test_text_corpus import differences, event_of
from tests.support.corpus import ROOT
from tests.support.tracecmd import trace_cmd

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
    theirs = trace_cmd("report", "-N", "-i", file)
    ours, said = report(ReportRequest(str(file), style="trace-cmd"))
    assert ours == theirs.decode(errors="replace")
    assert said == []


# What trace-cmd 3.4 shows between CPU and time, and 3.1 and so `--style trace-cmd` do not.
_FLAGS = re.compile(r"(?<=\]) (?! )\S{5,6}(?= )")


@pytest.mark.parametrize(("form", "kind"), [("text", "noplugin"), ("raw", "rawfields-ns"), ("latency", "lat")])
@pytest.mark.parametrize("path", [*_SEVERAL, *ROOT.glob("dat/*/agent_*.dat")], ids=lambda path: path.name)
def test_every_form_as_trace_cmd_3_4_has_it(path: Path, form: Form, kind: str, tmp_path: Path) -> None:
    stem = path.name.removesuffix(".xz").removesuffix(".dat")
    text = gzip.decompress(path.with_name(f"{stem}.report.{kind}.txt.gz").read_bytes()).decode(errors="replace")
    theirs = [_FLAGS.sub("", line, count=1) if form == "text" else line for line in text.splitlines()]
    request = ReportRequest(str(plain(path, tmp_path)), style="trace-cmd", form=form, ns=form == "raw")
    mine = report(request)[0].splitlines()
    assert len(mine) == len(theirs)
    name = f"{path.parent.name}/{path.name}"
    unexplained = [
        (ours, want)
        for ours, want in zip(mine, theirs, strict=True)
        if ours != want and not any(one.explains(form, name, event_of(want.encode()), ours, want) for one in differences())
    ]
    assert not unexplained, f"{len(unexplained)} lines; the first: {unexplained[0]}"


_PLAIN = [
    path for path in ROOT.glob("dat/k6.1/*.dat") if path.name.startswith(("sched-", "opt_date", "inst_func", "task-", "filt"))
]


@pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed")
@pytest.mark.parametrize("others", [1, 2, 4])
@pytest.mark.parametrize("path", _SEVERAL, ids=lambda path: path.name)
def test_several_recordings_as_trace_cmd_merges_them(path: Path, others: int, tmp_path: Path) -> None:
    files = [plain(one, tmp_path) for one in [path, *_PLAIN[:others]]]
    for at in range(2):
        chosen = files[at:] + files[:at]
        words = [word for file in chosen for word in ("-i", str(file))]
        theirs = trace_cmd("report", "-N", *words)
        ours, said = report(ReportRequest(str(chosen[0]), others=tuple(map(str, chosen[1:])), style="trace-cmd"))
        mine, want = ours.splitlines(), theirs.decode(errors="replace").splitlines()
        assert [pair for pair in zip(mine, want, strict=False) if pair[0] != pair[1]][:1] == []
        assert len(mine) == len(want)
        assert said == []


def test_several_recordings_name_their_file(tmp_path: Path) -> None:
    one = plain(next(path for path in _SEVERAL if path.name.startswith("inst3-k6.12")), tmp_path)
    (tmp_path / "b").mkdir()
    two = Path(shutil.copy(one, tmp_path / "b" / one.name))
    asked = ReportRequest(str(one), others=(str(two),), format="json")
    rows = [json.loads(line) for line in report(asked)[0].splitlines()]
    alone = [json.loads(line) for line in report(ReportRequest(str(one), format="json"))[0].splitlines()]
    for path in (one, two):
        assert [row for row in rows if row["file"] == str(path)] == [{"file": str(path)} | row for row in alone]
    assert [row["ts_ns"] for row in rows] == sorted(row["ts_ns"] for row in rows)
    lines = report(ReportRequest(str(one), others=(str(two),)))[0].splitlines()
    assert sum(f"{two}/foo: " in line for line in lines) == sum(row["instance"] == "foo" for row in alone)
    with pytest.raises(UsageFault, match="only one recording can be followed"):
        report(ReportRequest(str(one), others=(str(two),), follow=True))
    asked = ReportRequest(str(one), others=(str(two),), format="json", events=("sched_switch",), instance="foo")
    assert {json.loads(line)["event"] for line in report(asked)[0].splitlines()} == {"sched:sched_switch"}


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
