"""The C compiles without a warning, keeps its two halves apart, and the twin takes over where it is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2] / "ftracepy/_fastparse"
CORE = sorted((HERE / "core").glob("*.[ch]"))
SOURCES = sorted([*HERE.glob("*.c"), *(HERE / "core").glob("*.c")])


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_warnings(source: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    strict = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-DPy_LIMITED_API=0x030B0000"]
    folders = [f"-I{HERE}", f"-I{HERE / 'core'}", f"-I{sysconfig.get_paths()['include']}"]
    run = subprocess.run([compiler, *strict, *folders, str(source)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("source", CORE, ids=lambda path: path.name)
def test_the_core_knows_no_python(source: Path) -> None:
    text = source.read_text()
    assert "Python.h" not in text
    assert not re.search(r'#include ".*bind', text)


def implementation(code: str, **env: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **env})
    return run.stdout.strip()


def test_the_twin_by_wish_and_by_need() -> None:
    ask = "import ftracepy._fastparse as f; print(f.IMPLEMENTATION, f.Decoder.__module__)"
    assert implementation(ask, FTRACEPY_TWIN="1") == "python ftracepy._fastparse.twin"
    missing = f"import sys; sys.modules['ftracepy._fastparse._core'] = None; {ask}"
    assert implementation(missing, FTRACEPY_TWIN="") == "python ftracepy._fastparse.twin"
