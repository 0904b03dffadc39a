"""trace-cmd as a second opinion, run so that it says the same each time."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path


def trace_cmd(*words: str | Path) -> bytes:
    """What it writes; a warning, or another exit code than 0, is an error.

    It reads beyond an option without data (TRACECLOCK, as 2.9.1 writes it), where addresses stand: these are kept the same.
    """
    memory = {**os.environ, "MALLOC_PERTURB_": "255"}
    done = subprocess.run([*_same_addresses(), "trace-cmd", *words], capture_output=True, check=True, env=memory)
    assert done.stderr == b""
    return done.stdout


@cache
def _same_addresses() -> tuple[str, ...]:
    words = ("setarch", "-R")
    works = shutil.which(words[0]) and not subprocess.run([*words, "true"], capture_output=True, check=False).returncode
    return words if works else ()
