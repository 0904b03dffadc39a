"""Which command lines have an instance made before they are understood."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ftracepy.cli import run
from ftracepy.cli.bare import run_bare
from ftracepy.cli.early import _traced
from ftracepy.cli.parsed import run_parsed
from ftracepy.errors import FtracepyError
from ftracepy.live import first
from ftracepy.live.journal import Journal, records
from ftracepy.live.owner import Owner, owner_of
from ftracepy.tools import listed


@pytest.mark.parametrize("line", ["opensnoop", "opensnoop -x -p 12", "killsnoop --limit 1", "tpoint sched:sched_switch"])
def test_a_tool_that_will_trace(line: str) -> None:
    assert _traced(line.split()) == line.split()[0]


@pytest.mark.parametrize(
    "line",
    ["", "--help", "opensnoop --help", "opensnoop --replay x", "tpoint -l", "report x", "opensnoop -b 64", "execsnoop -- true"],
)
def test_what_traces_nothing_or_something_else(line: str) -> None:
    assert not _traced(line.split())


@pytest.mark.parametrize("name", listed.names())
def test_a_tool_called_by_its_name_alone_runs_as_its_parsed_command_line_would(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """click is not loaded for it, so each default is written down a second time."""
    ran: list[tuple[object, object, dict[str, object]]] = []

    def run_tool(tool: object, options: object, **common: object) -> int:
        ran.append((tool, options, common))
        return 7

    monkeypatch.setattr(run, "run_tool", run_tool)
    ends: list[object] = []
    ways: list[Callable[[], int]] = [lambda: run_bare(name), lambda: run_parsed([name])]
    for way in ways:
        try:
            ends.append(way())
        except FtracepyError as fault:
            ends.append(fault.lines())
    assert ends[0] == ends[1]
    assert len(ran) in (0, 2)
    assert ran[:1] == ran[1:]


def test_a_name_alone_loads_no_parser(tmp_path: Path) -> None:
    code = "import sys; from ftracepy.cli.main import main; sys.exit(main(['opensnoop']) + 10 * ('click' not in sys.modules))"
    env = {**os.environ, "FTRACEPY_TRACEFS": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 13
    assert "it holds no trace_clock and no events" in done.stderr


def test_the_first_steps_are_journalled_as_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their lines are written without what writes the others, and read by the same."""
    root = tmp_path / "tracing"
    (root / "instances").mkdir(parents=True)
    (root / "trace_clock").write_text("[local] mono\n")
    folder = tmp_path / "journals"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(first, "ROOT", str(root))
    monkeypatch.setattr(first, "JOURNALS", str(folder))
    monkeypatch.delenv("FTRACEPY_TRACEFS", raising=False)
    monkeypatch.delenv("FTRACEPY_STATE", raising=False)
    if os.geteuid():
        pytest.skip("only root begins early")
    assert first.is_usual()
    begun = first.First("opensnoop")
    assert begun.start()
    begun.wait()  # the clock is refused: this is no tracefs
    assert begun.made
    assert (root / "instances" / begun.name).is_dir()
    monkeypatch.setenv("FTRACEPY_STATE", str(folder))
    journal = Journal.begin("other", root)
    journal.note("instance", "other")
    ours, other = sorted(records(), key=lambda one: one.path.name == "other.journal")
    assert (ours.owner, ours.boot, ours.root) == (other.owner, other.boot, other.root)
    assert [(deed.kind, deed.name) for deed in ours.deeds] == [("instance", begun.name)]
    assert owner_of(begun.name) == Owner(ours.owner.pid, ours.owner.start)
    begun.drop()
    assert not list((root / "instances").iterdir())
    assert [path.name for path in folder.iterdir()] == ["other.journal"]
    journal.close(undone=True)


@pytest.mark.parametrize("name", ["FTRACEPY_TRACEFS", "FTRACEPY_STATE"])
def test_nothing_is_begun_where_something_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/nowhere")
    assert not first.is_usual()


def test_the_first_steps_load_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); from ftracepy.live import first; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if name != "__future__"}
    assert loaded == {"ftracepy", *(f"ftracepy.live{name}" for name in ("", ".first", ".meanwhile", ".room", ".undisturbed"))}
