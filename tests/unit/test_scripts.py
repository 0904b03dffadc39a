"""scripts/ftracepy: a start that costs nothing once set up, from anywhere; a set-up that says what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
TOOLS = ("sh", "cat", "date", "mkdir", "sed", "tail", "touch", "readlink", "rm", "mv")

pytestmark = pytest.mark.skipif(not (SCRIPTS / "ftracepy").exists(), reason="needs the checkout's scripts")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that has been set up, with a stand-in for Python that shows what it is called with."""
    root = tmp_path / "check out"
    for folder in ("scripts", "ftracepy/_fastparse/core", ".venv/bin"):
        (root / folder).mkdir(parents=True)
    for name in ("ftracepy", "bootstrap"):
        shutil.copy(SCRIPTS / name, root / "scripts")
    for name in ("pyproject.toml", "setup.py", "constraints.txt", "ftracepy/_fastparse/module.c"):
        (root / name).write_text("")
        os.utime(root / name, (1, 1))
    executable(root / ".venv/bin/python", 'printf "%s\\n" "$@"')
    (root / ".venv/.ftracepy-is-set-up").write_text(f"{root}\n")
    return root


def executable(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def change(path: Path) -> None:
    """Make a file newer than the set-up, whatever the clock's resolution."""
    os.utime(path, (2**33, 2**33))


def run(program: Path | str, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *args], capture_output=True, text=True, cwd="/", env={**os.environ, **more}, timeout=60)


def bare_path(folder: Path, **programs: str) -> str:
    """A PATH with little more than a shell, and `programs`."""
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, text in programs.items():
        executable(folder / name, text)
    return str(folder)


def test_set_up_once_it_only_starts_python(checkout: Path) -> None:
    done = run(checkout / "scripts/ftracepy", "opensnoop", "-n", "a b")
    assert done.stdout.splitlines() == ["-P", str(checkout / "ftracepy/cli/__main__.py"), "opensnoop", "-n", "a b"]
    assert done.stderr == ""


def test_it_starts_no_other_program(checkout: Path, tmp_path: Path) -> None:
    """All that stands before Python's start is the shell's own work, on an empty PATH too."""
    (tmp_path / "empty").mkdir()
    assert run(checkout / "scripts/ftracepy", "x", PATH=str(tmp_path / "empty")).stdout.splitlines()[-1] == "x"


def test_symlinks_lead_to_the_checkout(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("check out/scripts/ftracepy")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert run(tmp_path / "two", "x").stdout.splitlines()[-1] == "x"


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt", "ftracepy/_fastparse/module.c"])
def test_a_change_sets_up_again(checkout: Path, tmp_path: Path, changed: str) -> None:
    change(checkout / changed)
    done = run(checkout / "scripts/ftracepy", "x", PATH=bare_path(tmp_path / "bin"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ftracepy: Python 3.11 or newer is needed; found: none\n  try     apt-get install python3 ")


def test_a_moved_checkout_sets_up_again(checkout: Path, tmp_path: Path) -> None:
    moved = checkout.rename(tmp_path / "moved")
    assert run(moved / "scripts/ftracepy", "x", PATH=bare_path(tmp_path / "bin")).returncode == 1


def test_an_old_python_is_named(checkout: Path, tmp_path: Path) -> None:
    change(checkout / "pyproject.toml")
    old = "case $2 in *platform*) echo 3.9.2 ;; *) exit 1 ;; esac"
    done = run(checkout / "scripts/ftracepy", PATH=bare_path(tmp_path / "bin", python3=old), PYTHON="")
    assert "Python 3.11 or newer is needed; found: python3 (3.9.2)" in done.stderr


def test_a_python_without_venv_is_told_what_to_install(checkout: Path, tmp_path: Path) -> None:
    change(checkout / "pyproject.toml")
    done = run(
        checkout / "scripts/ftracepy", PATH=bare_path(tmp_path / "bin", python3="case $2 in *venv*) exit 1 ;; esac"), PYTHON=""
    )
    assert "apt-get install python3-venv" in done.stderr
    assert done.returncode == 1


def test_completion_never_sets_up(checkout: Path, tmp_path: Path) -> None:
    change(checkout / "pyproject.toml")
    done = run(checkout / "scripts/ftracepy", PATH=bare_path(tmp_path / "bin"), _FTRACEPY_COMPLETE="bash_complete")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
