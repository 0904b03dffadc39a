"""Every tool over its fixtures: rows as recorded, keys as columns, probes that the recording kernel had."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.cli.toolcommand import chosen_tool
from ftracepy.probes import Syscalls, Tracepoint
from ftracepy.tools import kit

FIXTURES = sorted(Path(__file__).parents[2].glob("fixtures/*/trace.dat"))
IMPLEMENTATIONS = {"c": "", "twin": "1"}


def tool_of(fixture: Path) -> str:
    return fixture.parent.name.partition("-")[0]


def arguments(fixture: Path) -> list[str]:
    """What the tool was told beside its name."""
    origin = tomllib.loads((fixture.parent / "origin.toml").read_text())
    return shlex.split(origin.get("arguments", ""))


def replay(fixture: Path, *options: str, twin: str = "") -> subprocess.CompletedProcess[bytes]:
    """The tool over its fixture, as a user who is not root and has no tracefs would run it."""
    command = [sys.executable, "-m", "ftracepy.cli", tool_of(fixture), *arguments(fixture), "--replay", str(fixture), *options]
    environment = {**os.environ, "FTRACEPY_TWIN": twin, "FTRACEPY_TRACEFS": "/nonexistent"}
    return subprocess.run(command, capture_output=True, env=environment, check=False)


def ids(fixture: Path) -> str:
    return fixture.parent.name


def test_every_tool_has_a_fixture() -> None:
    assert {tool_of(fixture) for fixture in FIXTURES} == set(kit.names())


@pytest.mark.parametrize("twin", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
@pytest.mark.parametrize("fixture", FIXTURES, ids=ids)
def test_replay_shows_what_was_recorded(fixture: Path, twin: str) -> None:
    table = replay(fixture, twin=twin)
    assert table.stdout == (fixture.parent / "expected.table.txt").read_bytes()
    assert table.returncode == 0
    rows = replay(fixture, "--format", "json", twin=twin)
    assert rows.stdout == (fixture.parent / "expected.json").read_bytes()


@pytest.mark.parametrize("fixture", FIXTURES, ids=ids)
def test_json_keys_and_csv_heads_are_the_columns(fixture: Path) -> None:
    tool, options = chosen_tool(shlex.join([tool_of(fixture), *arguments(fixture)]))
    columns = [one.name for one in tool.row_for(options).columns()]
    lines = [json.loads(line) for line in replay(fixture, "--format", "json").stdout.splitlines()]
    rows = [line for line in lines if not {"notice", "loss"} & set(line)]
    assert rows
    assert all([key for key in row if key != "block"] == columns for row in rows)
    head = replay(fixture, "--format", "csv").stdout.decode().splitlines()[0].split(",")
    assert head == [*(["block"] if "block" in rows[0] else []), *columns]


@pytest.mark.parametrize("fixture", FIXTURES, ids=ids)
def test_what_the_tool_asks_for_was_there_to_be_recorded(fixture: Path) -> None:
    tool, options = chosen_tool(shlex.join([tool_of(fixture), *arguments(fixture)]))
    with recording.open(fixture) as source:
        known = set(source.schema.by_name())
    for wish in tool.wishes(options):
        if isinstance(wish, Tracepoint) and not wish.optional:
            assert (wish.system, wish.name) in known
        elif isinstance(wish, Syscalls) and wish.names:
            assert any(("syscalls", f"sys_enter_{name}") in known for name in wish.names)


@pytest.mark.parametrize("name", kit.names())
def test_a_table_fits_a_terminal(name: str) -> None:
    columns = kit.load(name).row.columns()
    assert sum(one.width + 1 for one in columns if one.place == "cell") <= 80
    assert all(one.help for one in columns)


@pytest.mark.parametrize("fixture", FIXTURES, ids=ids)
def test_the_docstring_shows_the_head_of_the_table(fixture: Path) -> None:
    head = (fixture.parent / "expected.table.txt").read_text().splitlines()[0].split()
    assert any(line.split() == head for line in kit.load(tool_of(fixture)).doc.splitlines())


@pytest.mark.parametrize("fixture", FIXTURES, ids=ids)
def test_the_origin_says_how_to_make_it_again(fixture: Path) -> None:
    origin = tomllib.loads((fixture.parent / "origin.toml").read_text())
    assert {"kernel", "command", "workload"} <= set(origin)
    asked = shlex.split(origin["command"])
    assert shlex.split(asked[asked.index("--tool") + 1]) == [tool_of(fixture), *arguments(fixture)]


@pytest.mark.parametrize("fixture", FIXTURES, ids=ids)
def test_limit_and_filters_hold_on_a_recording(fixture: Path) -> None:
    rows = [json.loads(line) for line in replay(fixture, "--format", "json", "--limit", "1").stdout.splitlines()]
    assert sum("notice" not in row for row in rows) == 1
    nobody = [json.loads(line) for line in replay(fixture, "--format", "json", "--comm", "no such comm").stdout.splitlines()]
    left = [row for row in nobody if "notice" not in row]
    assert not left or (tool_of(fixture) == "cachestat" and {row["misses"] for row in left} == {0})  # a row for each interval
