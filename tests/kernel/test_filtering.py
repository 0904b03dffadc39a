"""Our filters against the kernel's own: the same text lets the same events pass."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.analysis.filtering import parse
from ftracepy.cli.main import main
from ftracepy.stream import Stream

pytestmark = pytest.mark.kernel

# lseek(fd, offset, whence) with every offset from -20 to 76, and a rename to a name of its own for each tenth.
WORK = """
import os
fd = os.open("/dev/zero", os.O_RDONLY)
for offset in range(-20, 77):
    if offset % 10 == 0:
        open("/proc/self/comm", "w").write("name-%d" % offset)
    try:
        os.lseek(fd, offset, abs(offset) % 3)
    except OSError:
        pass
"""
FILTERS = [
    "offset == 5", "offset != 5", "offset < 7", "offset <= 7", "offset > 0x20", "offset == 010", "offset >= 70 || offset == 3",
    "whence == 1 && offset < 50", "whence & 2", "!(whence == 0)", "offset > 10 && (whence == 1 || whence == 2)",
    "common_pid > 1 && offset == 17", "!offset == 4 && offset < 9",
]  # fmt: skip
TEXTS = ['newcomm == "name-10"', 'newcomm != "name-10"', 'newcomm ~ "name-*"', 'newcomm ~ "*-2*"', 'newcomm ~ "name-?0"']


def passed(path: Path, event: str, test: str | None = None) -> list[tuple[object, ...]]:
    """Values of a recording's events of the workload, those that `test` lets pass."""
    wanted = parse(test).test if test else lambda get: True
    found: list[tuple[object, ...]] = []
    with recording.open(path) as source:
        for batch in Stream(source):
            for one in batch:
                if one.name == event and wanted(one.get):
                    found.append(tuple(one.get(field) for field in ("offset", "whence", "newcomm")))
    return found


def record(path: Path, event: str) -> None:
    """Within this process: loading the program anew for each of so many takes an emulated processor a minute."""
    command = ["record", "-e", event, "-F", "-o", str(path), "--", sys.executable, "-S", "-c", WORK]
    assert main(command) == 0


@pytest.mark.parametrize(("event", "filters"), [("syscalls:sys_enter_lseek", FILTERS), ("task:task_rename", TEXTS)])
def test_a_filter_passes_what_the_kernels_passes(tmp_path: Path, event: str, filters: list[str]) -> None:
    everything = tmp_path / "everything.dat"
    record(everything, event)
    name = event.partition(":")[2]
    for number, text in enumerate(filters):
        path = tmp_path / f"{number}.dat"
        record(path, f"{event}/{text}/")
        kernels = passed(path, name)
        assert kernels, text
        assert passed(everything, name, text) == kernels, text
