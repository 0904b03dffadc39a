"""Completion: the scripts are valid in their shells, and what they ask is answered from tracefs when it can be read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftracepy.cli.main import main
from ftracepy.tools import kit

EVENTS = "sched:sched_wakeup\nsched:sched_wakeup_new\nsched:sched_switch\nirq:irq_handler_entry\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "events").mkdir()
    (tmp_path / "trace_clock").write_text("[local] global boot mono\n")
    (tmp_path / "available_events").write_text(EVENTS)
    (tmp_path / "available_filter_functions").write_text("vfs_read\nvfs_write\next4_sync_fs [ext4]\n")
    return tmp_path


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_valid(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=script(shell, capsys), text=True, check=True)


def offers(line: str, root: Path, breaks: str = " \t\n\"'@><=;|&(:") -> list[str]:
    """What bash is told when TAB is pressed at the end of `line`."""
    env = {**os.environ, "_FTRACEPY_COMPLETE": "bash_complete", "FTRACEPY_LINE": line, "FTRACEPY_BREAKS": breaks}
    env["FTRACEPY_TRACEFS"] = str(root)
    done = subprocess.run([sys.executable, "-P", "-m", "ftracepy.cli"], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [answer.partition(",")[2] for answer in done.stdout.split()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ftracepy open", ["opensnoop"]),
        ("ftracepy opensnoop --form", ["--format"]),
        ("ftracepy opensnoop --format ", ["table", "json", "csv"]),
        ("ftracepy opensnoop --format=j", ["json"]),
        ("ftracepy record -e s", ["sched:"]),
        ("ftracepy record -e sched:sched_w", ["sched_wakeup", "sched_wakeup_new"]),
        ("ftracepy record --event=irq:", ["irq_handler_entry"]),
        ("ftracepy record --tool exec", ["execsnoop"]),
        ("ftracepy record --clock m", ["mono"]),
        ("ftracepy list events irq:", ["irq_handler_entry"]),
        ("ftracepy list functions vfs_", ["vfs_read", "vfs_write"]),
        ("ftracepy list f", ["functions"]),
        ("ftracepy completion ", ["bash", "zsh", "fish"]),
        ("ftracepy list instances x", []),
    ],
)
def test_what_is_offered(line: str, offered: list[str], root: Path) -> None:
    assert offers(line, root) == offered


def test_all_tools_are_offered(root: Path) -> None:
    assert set(kit.names()) < set(offers("ftracepy ", root))


def test_a_bash_that_does_not_split_at_colons_gets_the_whole_name(root: Path) -> None:
    assert offers("ftracepy record -e irq:", root, breaks=" \t\n=") == ["irq:irq_handler_entry"]


def test_without_tracefs_nothing_is_offered_and_nothing_said(tmp_path: Path) -> None:
    assert offers("ftracepy record -e sched:", tmp_path) == []


def test_bash_completes_an_event(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way, in a real bash, with the words split at the colon as bash splits them."""
    command = tmp_path / "ftracepy"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m ftracepy.cli "$@"\n')
    command.chmod(0o755)
    line = "ftracepy record -e sched:sched_s"
    press_tab = (
        f"COMP_LINE={line!r} COMP_POINT={len(line)}\n_ftracepy_completion {command}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    )
    env = {**os.environ, "FTRACEPY_TRACEFS": str(root)}
    done = subprocess.run(
        ["bash", "--norc"], input=script("bash", capsys) + press_tab, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "sched_switch\n"
