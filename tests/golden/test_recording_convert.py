"""The corpus converted: trace-cmd's report of what we wrote equals its report of what we read, whatever the form."""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ftracepy.pipeline.convert import ConvertRequest, convert
from ftracepy.pipeline.requests import Stop
from tests.support.corpus import ROOT

# trace-cmd as Debian 12 has it reads no zlib.
FILES = [
    path
    for path in sorted([*ROOT.glob("dat/*/*.dat"), *ROOT.glob("dat/*/*.dat.xz"), *ROOT.glob("public/trace.dat/*.dat.xz")])
    if "v7_zlib" not in path.name
]
# Every page made anew of its events, or copied. Pages that hold discarded events are copied only: trace-cmd adds to time what
# stands in those, 1 ns each, and pages made anew have none.
_FORMS: list[dict[str, Any]] = [{"since_s": 0.0}, {"since_s": 0.0, "version": 6}, {"version": 6}, {"compression": "zstd"}]
_CASES = [
    (path, form)
    for at, path in enumerate(FILES)
    for form in (_FORMS if at % 8 == 0 else [_FORMS[at % 4]])
    if "discard" not in path.name or "since_s" not in form
]

pytestmark = [
    pytest.mark.skipif(not FILES, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)"),
    pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed"),
]


@pytest.mark.parametrize(("path", "form"), _CASES, ids=str)
def test_trace_cmd_sees_no_difference(path: Path, form: dict[str, Any], tmp_path: Path) -> None:
    source, output, said = tmp_path / "x.dat", tmp_path / "y.dat", list[str]()
    source.write_bytes(lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes())
    convert(ConvertRequest((str(source),), str(output), **form), said.append, Stop())
    assert said == []
    assert _trace_cmd("report", "-N", "-t", "-i", output) == _trace_cmd("report", "-N", "-t", "-i", source)
    _trace_cmd("dump", "--summary", "--options", "--flyrecord", "-i", output)


def _trace_cmd(*words: str | Path) -> bytes:
    # Of an option TRACECLOCK without data (2.9.1 writes such) it reads what its memory holds: here zeros, each time.
    memory = {**os.environ, "MALLOC_PERTURB_": "255"}
    done = subprocess.run(["trace-cmd", *words], capture_output=True, check=True, env=memory)
    assert done.stderr == b""
    return done.stdout
