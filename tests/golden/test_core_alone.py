"""The C core without Python, built with sanitizers: the lines it makes of recordings are those of the extension, to the byte."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from bench import corefile
from ftracepy import recording
from ftracepy.printfmt.target import Style
from ftracepy.stream import Stream
from ftracepy.text import Formatter

FIXTURES = Path(__file__).parents[2] / "fixtures"
RECORDINGS = ("syscount-k6.18", "opensnoop-k5.10", "funcgraph-k5.10", "funcgraph-k7.3", "kprobe-k6.12", "tpoint-k6.18")


STRICT = ("-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module", params=[(), ("-U__SSE2__",)], ids=["here", "on any processor"])
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    return corefile.build(tmp_path_factory.mktemp("core"), *STRICT, *request.param)


@pytest.mark.parametrize("style", get_args(Style))
@pytest.mark.parametrize("name", RECORDINGS)
def test_the_core_alone_makes_the_same_lines(core: Path, tmp_path: Path, name: str, style: Style) -> None:
    source, made = FIXTURES / name / "trace.dat", tmp_path / "core"
    events = corefile.write(source, made, style)
    with recording.open(source) as opened:
        formatter = Formatter(opened.schema, style, cpus=opened.cpu_count)
        expected = b"".join(formatter.lines(batch, more=True) for batch in Stream(opened)) + formatter.rest()
    shown = subprocess.run([core, made, "print"], capture_output=True, check=True).stdout
    wrong = [pair for pair in zip(shown.splitlines(), expected.splitlines(), strict=False) if pair[0] != pair[1]]
    assert wrong[:3] == []
    assert len(shown) == len(expected)
    for mode in ("walk", "records", "columns", "fields") if style == "kernel" else ():
        counted = subprocess.run([core, made, mode], capture_output=True, check=True).stdout
        assert counted.split()[0] == b"%d" % events, mode
