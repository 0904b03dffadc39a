"""What the name of the game is: nothing here ever asks for bpf(2) or perf_event_open(2).

The guard of tests/support/guard.py is up while the tests of this folder run: what calls one of the two dies, and its test
fails. Here it is shown that the guard stands, and that commands without a live test of their own run under it.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from ftracepy.tools import kit
from ftracepy.tracefs import Tracefs
from tests.support.guard import FORBIDDEN

pytestmark = pytest.mark.everywhere
FTRACEPY = [sys.executable, "-P", "-m", "ftracepy.cli"]


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("name", FORBIDDEN)
def test_who_calls_it_dies(name: str) -> None:
    code = f"import ctypes; ctypes.CDLL(None).syscall({FORBIDDEN[name]}, 0, 0, 0, 0, 0)"
    assert subprocess.run([sys.executable, "-S", "-c", code]).returncode == -signal.SIGSYS


@pytest.mark.usefixtures("guarded")
def test_doctor_lives(clean_kernel: Tracefs) -> None:
    """It tries everything that any tool may use, and plans every tool."""
    done = subprocess.run([*FTRACEPY, "doctor"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert all(f"\n{name} can" in done.stdout for name in kit.names())
