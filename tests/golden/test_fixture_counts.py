"""What the workloads of fixtures did, by what they are made of: each kernel's recording shows just that, and as often."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

_FIXTURES = Path(__file__).parents[2] / "fixtures"


def recorded(tool: str) -> list[Any]:
    return [pytest.param(folder, id=folder.name) for folder in sorted(_FIXTURES.glob(f"{tool}-k*"))]


def rows(fixture: Path) -> Iterator[Mapping[str, Any]]:
    lines = (json.loads(line) for line in (fixture / "expected.json").read_text().splitlines())
    return (line for line in lines if not {"notice", "loss"} & set(line))


@pytest.mark.parametrize("fixture", recorded("execsnoop"))
def test_programs(fixture: Path) -> None:
    assert [(row["args"], row["ret"]) for row in rows(fixture)] == [
        (["sh", "workload"], "0"),
        (["/bin/true"], "0"),
        (["/bin/echo", "one", "two words", ""], "0"),
        (["env", "-i", "A=b", "/bin/true"], "0"),
        (["/bin/true"], "0"),
        (["sh", "-c", "exec /bin/true --an-argument"], "0"),
        (["/bin/true", "--an-argument"], "0"),
        (["nice", "-n", "1", "/bin/echo", "caf\u00e9\tx"], "0"),
        (["/bin/echo", "caf\u00e9\tx"], "0"),
    ]


@pytest.mark.parametrize("fixture", recorded("opensnoop"))
def test_files(fixture: Path) -> None:
    wanted = ("workload", "file", "missing", "link", "passwd", "a name with spaces")
    found = Counter(
        (row["comm"], name, row["err"], "O_CREAT" in row["flags"])
        for row in rows(fixture)
        if (name := row["path"].rpartition("/")[2]) in wanted and row["comm"] in ("sh", "touch", "cat")
    )
    # touch file; cat file passwd; cat missing; echo >>file; : >"dir/a name"; cat dir/* <file; cat link. A link is followed.
    name_of_link = "file" if found["cat", "file", None, False] == 2 else "link"
    assert found == Counter(
        [
            ("sh", "workload", None, False),
            ("touch", "file", None, True),
            ("cat", "file", None, False),
            ("cat", "passwd", None, False),
            ("cat", "missing", "ENOENT", False),
            ("sh", "file", None, True),
            ("sh", "a name with spaces", None, True),
            ("sh", "file", None, False),
            ("cat", "a name with spaces", None, False),
            ("cat", name_of_link, None, False),
        ]
    )


@pytest.mark.parametrize("fixture", recorded("killsnoop"))
def test_signals(fixture: Path) -> None:
    found = [(row["comm"], row["signal"], row["result"]) for row in rows(fixture)]
    to_the_sleeper = [("sh", name, "0") for name in ("0", "SIGSTOP", "SIGCONT", "SIGTERM")]
    assert found == [*to_the_sleeper, ("sh", "SIGUSR1", "ESRCH"), ("kill", "SIGWINCH", "0")]


@pytest.mark.parametrize("fixture", recorded("syscount"))
def test_calls_are_as_many_as_trace_cmd_lists(fixture: Path, tmp_path: Path) -> None:
    if shutil.which("trace-cmd") is None:
        pytest.skip("no trace-cmd")
    plain = tmp_path / "plain.dat"  # not every trace-cmd reads zlib
    convert = [
        sys.executable,
        "-m",
        "ftracepy.cli",
        "convert",
        str(fixture / "trace.dat"),
        "--compression",
        "none",
        "-o",
        str(plain),
    ]
    subprocess.run(convert, capture_output=True, check=True)
    report = subprocess.run(["trace-cmd", "report", "-i", str(plain)], capture_output=True, text=True, check=True)
    entered = sum(": sys_enter: " in line for line in report.stdout.splitlines())
    assert sum(row["count"] for row in rows(fixture)) == entered > 100


@pytest.mark.parametrize("fixture", recorded("funcgraph"))
def test_two_sleeps_and_how_long(fixture: Path) -> None:
    took = [row["took_ns"] for row in rows(fixture) if row["function"] == "hrtimer_nanosleep"]
    assert len(took) == 2
    assert took[0] >= 3_000_000
    assert took[1] >= 20_000_000


@pytest.mark.parametrize("fixture", recorded("funccount"))
def test_two_sleeps(fixture: Path) -> None:
    assert [(row["comm"], row["count"]) for row in rows(fixture) if row["function"] == "do_nanosleep"] == [("sleep", 1)] * 2


@pytest.mark.parametrize("fixture", recorded("hist"))
def test_reads_by_what_they_returned(fixture: Path) -> None:
    """dd read 7 bytes 101 times and no read else returned four to seven; of a folder one was refused."""
    counts = {(row["low"], row["high"]): row["count"] for row in rows(fixture)}
    assert counts[4, 8] == 101
    assert [count for (low, high), count in counts.items() if high == 0] == [1]
