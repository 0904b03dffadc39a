"""Programs on other people's libraries, built where their headers are: bare walks to hold ours against."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def build(folder: Path, name: str, library: str) -> Path | None:
    """bench/NAME.c with that library, or None where there is none to build with."""
    told = subprocess.run(["pkg-config", "--cflags", "--libs", library], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        return None
    program = folder / name
    source = Path(__file__).with_name(f"{name}.c")
    done = subprocess.run(["cc", "-O2", "-o", str(program), str(source), *told.stdout.split()], capture_output=True, check=False)
    return program if done.returncode == 0 else None


def tracecmd_python() -> str | None:
    """A Python that has trace-cmd's module `tracecmd` (python3-trace-cmd, or PYTHONPATH), if there is one."""
    for python in (sys.executable, "/usr/bin/python3"):
        tried = subprocess.run([python, "-c", "import tracecmd"], capture_output=True, check=False)
        if tried.returncode == 0:
            return python
    return None


def cpu_ns(program: Path | str, *given: str) -> int:
    """What the program says that its work took; raises CalledProcessError where it fails."""
    return int(subprocess.run([program, *given], capture_output=True, check=True).stdout.split()[1])
