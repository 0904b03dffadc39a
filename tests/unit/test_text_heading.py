"""The legend above kernel-style lines, letter by letter as kernels print it."""

from __future__ import annotations

import tarfile

import pytest

from ftracepy.schema import Schema
from ftracepy.text import Formatter
from tests.support.corpus import ROOT


@pytest.mark.parametrize(("uname", "name"), [("Linux 5.10.223 x86_64", "k5.10"), ("Linux 6.12.107 x86_64", "k6.12")])
def test_the_legend_is_the_kernels(uname: str, name: str) -> None:
    path = ROOT / "raw" / name / f"rawsys-{name}.tar.xz"
    if not path.exists():
        pytest.skip("no corpus here")
    with tarfile.open(path) as archive:
        member = next(one for one in archive.getnames() if one.endswith("/trace.txt") or one == "trace.txt")
        file = archive.extractfile(member)
        assert file
        lines = [line for line in file.read().decode().splitlines() if line.startswith("#")]
    kernels = [lines[0], *lines[3:]]  # without the counts of entries
    assert Formatter(Schema(uname=uname)).heading(2).decode().splitlines() == kernels


def test_trace_cmd_counts_cpus() -> None:
    assert Formatter(Schema(), "trace-cmd").heading(64) == b"cpus=64\n"
