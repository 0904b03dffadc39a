"""The whole command over real and made-up recordings: rows, events, losses, a reader that leaves, a file that is cut off."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from recording_samples import PAGE_BYTES, page, pages, write

from ftracepy.source import Pages

COMMAND = [sys.executable, "-P", "-m", "ftracepy.cli"]
FIXTURES = sorted((Path(__file__).parents[2] / "fixtures").glob("*/*.dat"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,700 events on two CPUs, and 17 lost ones before the last page of CPU 1."""
    folder = tmp_path_factory.mktemp("recordings")
    parts = [
        pages(0, range(1000, 54_000, 1000)),
        pages(1, range(1500, 54_500, 1000)),
        Pages(1, page(90_000, range(100), lost=17)),
    ]
    return write(folder / "made.dat", parts)


def run(*args: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    line = [*COMMAND, *map(str, args)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, env={**os.environ, **(environment or {})})


def objects(text: str) -> Iterator[dict[str, object]]:
    return (json.loads(line) for line in text.splitlines())


@pytest.mark.parametrize("twin", ["0", "1"])
def test_report_in_json(recording: Path, twin: str) -> None:
    done = run("report", recording, "--format", "json", environment={"FTRACEPY_TWIN": twin} if twin == "1" else {})
    events = list(objects(done.stdout))
    losses = [one for one in events if "loss" in one]
    assert (done.returncode, done.stderr) == (0, "")
    assert losses == [{"loss": {"cpu": 1, "events": 17}}]
    assert len(events) == 10_701
    assert events[0] == {
        "ts_ns": 1000, "cpu": 0, "pid": 7, "comm": "a name with spaces", "event": "sample:first", "fields": {"number": 0},
    }  # fmt: skip
    times = [int(str(one["ts_ns"])) for one in events if "loss" not in one]
    assert times == sorted(times)
    assert events.index(losses[0]) == 10_600


def test_report_in_csv_tells_losses_on_stderr(recording: Path) -> None:
    done = run("report", recording, "--format", "csv", "--cpu", "1")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 5400
    assert json.loads(rows[-1]["fields"]) == {"number": 99}
    assert done.stderr == "ftracepy: lost 17 events on CPU 1\n"


def test_report_as_text(recording: Path) -> None:
    done = run("report", recording, "--style", "trace-cmd")
    assert done.returncode == 0
    assert sum("number=" in line for line in done.stdout.splitlines()) == 10_700


def test_strict_tells_a_loss_by_its_code(recording: Path) -> None:
    assert run("report", recording, "--format", "json", "--strict").returncode == 5


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_ends_it_quietly(recording: Path, unbuffered: str) -> None:
    """Unbuffered, Python writes what fits into the pipe and tells of the rest: none of it may be forgotten."""
    line = f'PYTHONUNBUFFERED={unbuffered} {" ".join(COMMAND)} report {recording} | head -n 1; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[1:] == ["141"]
    assert done.stderr == ""


def test_output_goes_to_the_file(recording: Path, tmp_path: Path) -> None:
    done = run("report", recording, "--format", "json", "-o", tmp_path / "events")
    assert done.stdout == ""
    assert len((tmp_path / "events").read_text().splitlines()) == 10_701


@pytest.mark.parametrize("keep", [0, 3, 100, 2000, -PAGE_BYTES, -7])
def test_a_cut_off_recording_is_no_traceback(recording: Path, tmp_path: Path, keep: int) -> None:
    cut = tmp_path / "cut.dat"
    cut.write_bytes(recording.read_bytes()[:keep])
    for line in (["report", str(cut)], ["opensnoop", "--replay", str(cut)]):
        done = run(*line)
        assert "Traceback" not in done.stderr
        assert done.returncode in {0, 1}
        assert done.returncode == 0 or done.stderr.startswith("ftracepy: ")


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    done = run("report", Path(__file__))
    assert done.returncode == 1
    assert done.stderr.startswith("ftracepy: ")
    assert run("report", tmp_path).returncode == 1


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("format", ["table", "json", "csv"])
def test_replay_of_a_fixture_needs_no_tracefs(fixture: Path, format: str) -> None:
    tool, origin = fixture.parent.name.partition("-")[0], tomllib.loads(fixture.with_name("origin.toml").read_text())
    words = [tool, *shlex.split(origin.get("arguments", "")), "--replay", str(fixture), "--format", format, "--timestamps"]
    done = run(*words, environment={"FTRACEPY_TRACEFS": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1
    assert format != "json" or all(isinstance(one, dict) for one in objects(done.stdout))
