"""The corpus converted: trace-cmd's report of what we wrote equals its report of what we read, whatever the form."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path
from typing import Any

import pytest

from ftracepy.pipeline.convert import ConvertRequest, convert
from ftracepy.pipeline.requests import Stop
from tests.support.corpus import ROOT
from tests.support.tracecmd import trace_cmd

# trace-cmd as Debian 12 has it reads no zlib.
FILES = [
    path
    for path in sorted([*ROOT.glob("dat/*/*.dat"), *ROOT.glob("dat/*/*.dat.xz"), *ROOT.glob("public/trace.dat/*.dat.xz")])
    if "v7_zlib" not in path.name
]
# Every page made anew of its events, or copied. Pages that hold discarded events are copied only: trace-cmd adds to time what
# stands in those, 1 ns each, and pages made anew have none.
_FORMS: list[dict[str, Any]] = [{"since_s": 0.0}, {"since_s": 0.0, "version": 6}, {"version": 6}, {"compression": "zstd"}]
_CASES = [(path, form) for path in FILES for form in _FORMS if "discard" not in path.name or "since_s" not in form]
_SECTIONS = (
    "--summary", "--head-page", "--head-event", "--ftrace-events", "--systems", "--events", "--kallsyms", "--printk",
    "--cmd-lines", "--options", "--flyrecord", "--clock", "--strings",
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(not FILES, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)"),
    pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed"),
]


@pytest.mark.parametrize(("path", "form"), _CASES, ids=str)
def test_trace_cmd_sees_no_difference(path: Path, form: dict[str, Any], tmp_path: Path) -> None:
    source, output, said = tmp_path / "x.dat", tmp_path / "y.dat", list[str]()
    source.write_bytes(lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes())
    convert(ConvertRequest((str(source),), str(output), **form), said.append, Stop())
    assert said == [f"'{source}': version 6 has no room for its BTF_FILE"] * len(said)
    assert not said or form.get("version") == 6
    mine, theirs = (trace_cmd("report", "-N", "-t", "-i", file).splitlines() for file in (output, source))
    assert len(mine) == len(theirs)
    assert [pair for pair in zip(mine, theirs, strict=True) if pair[0] != pair[1]][:1] == []
    trace_cmd("dump", *_SECTIONS, "-i", output)
