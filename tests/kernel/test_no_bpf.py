"""What the name of the game is: no tool ever asks for bpf(2) or perf_event_open(2)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftracepy.tools import kit
from ftracepy.tracefs import Tracefs

FTRACEPY = [sys.executable, "-P", "-m", "ftracepy.cli"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is the witness")
@pytest.mark.parametrize("words", [*([name] for name in kit.names()), ["doctor"]], ids=lambda words: words[0])
def test_no_tool_calls_bpf_or_perf(clean_kernel: Tracefs, tmp_path: Path, words: list[str]) -> None:
    log = tmp_path / "log"
    command = [*FTRACEPY, *words, *([] if words == ["doctor"] else ["--", "true"])]
    strace = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=bpf,perf_event_open,openat"]
    subprocess.run([*strace, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=120)
    calls = log.read_text()
    assert "/trace_pipe_raw" in calls or words == ["doctor"]
    assert "bpf(" not in calls
    assert "perf_event_open(" not in calls
