"""A recording is followed while its recorder runs, ours and trace-cmd's: every event once, and the same as in the whole file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.errors import RecordingFault
from ftracepy.recording import Following
from ftracepy.stream import Stream
from ftracepy.tracefs import Tracefs
from tests.support.shielded import shielded

CALLS, BURSTS = 503, 41
# It ends when some of it has been seen: by then its recorder has handed over what it holds back at first.
WORK = f"""
import os, sys, time
for _ in range({BURSTS}):
    for _ in range({CALLS}):
        os.getsid(0)
    time.sleep(0.02)
end = time.monotonic() + float(sys.argv[2])
while not os.path.exists(sys.argv[1]) and time.monotonic() < end:
    time.sleep(0.02)
"""
Seen = list[tuple[int, int, bytes]]


def events(source: recording.Recording | Following) -> tuple[Seen, Stream]:
    stream = Stream(source)
    return [(event.ts, event.cpu, event.raw) for batch in stream for event in batch], stream


def followed(path: Path, recorder: subprocess.Popen[bytes]) -> tuple[Seen, Stream, bool]:
    """What was seen of a recording that is begun now, and whether any of it before its recorder had ended, which waits for it."""
    end = time.monotonic() + 60
    while not isinstance(source := _begun(path), Following):
        assert time.monotonic() < end, "it was not begun"
        assert recorder.poll() is None, "it ended before it could be followed"
        time.sleep(0.02)
    seen: Seen = []
    stream, early = Stream(source), False
    for batch in stream:
        seen += [(event.ts, event.cpu, event.raw) for event in batch]
        if seen and not early:
            early = recorder.poll() is None
            path.with_name("seen").touch()
    return seen, stream, early


def _begun(path: Path) -> recording.Recording | Following | None:
    try:
        return recording.follow(path)
    except RecordingFault:
        return None


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_ours(clean_kernel: Tracefs, tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x.dat"
    words = ["record", "-e", "syscalls:sys_enter_getsid", "--compression", compression, "-F", "-o", str(path)]
    command = [sys.executable, "-m", "ftracepy.cli", *words, "--", sys.executable, "-c", WORK, str(tmp_path / "seen"), "60"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as recorder:
        seen, stream, early = followed(path, recorder)
    assert (recorder.returncode, early, stream.late) == (0, True, 0)
    assert len(seen) == CALLS * BURSTS
    assert [stamp for stamp, _, _ in seen] == sorted(stamp for stamp, _, _ in seen)
    assert sorted(seen) == sorted(events(recording.open(path))[0])


@pytest.fixture
def instance(clean_kernel: Tracefs) -> Iterator[Path]:
    path = clean_kernel.root / "instances" / f"following-{os.getpid()}"
    path.mkdir()
    yield path
    for attempt in range(50):
        try:
            path.rmdir()
            return
        except OSError:
            if attempt == 49:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("more", [[], ["-s", "300000"], ["-m", "128"]], ids=["plain", "slow", "wrapped"])
def test_trace_cmds(clean_kernel: Tracefs, instance: Path, tmp_path: Path, more: list[str]) -> None:
    if (program := shutil.which("trace-cmd")) is None:
        pytest.skip("trace-cmd is not installed")
    path = tmp_path / "x.dat"
    words = ["record", "-q", "-b", "128", *more, "-e", "syscalls:sys_enter_getsid", "-e", "syscalls:sys_enter_clock_nanosleep"]
    command = [
        program,
        *words,
        "-o",
        str(path),
        sys.executable,
        "-c",
        WORK,
        str(tmp_path / "seen"),
        "1" if "-m" in more else "60",
    ]
    with subprocess.Popen(
        shielded(clean_kernel.root, instance, tmp_path / "plain", command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as recorder:
        seen, stream, early = followed(path, recorder)
    whole = events(recording.open(path))[0]
    assert early or more[:1] == ["-m"]  # which keeps emptying what could be seen
    assert len(set(seen)) == len(seen)
    assert set(whole) <= set(seen)
    assert more[:1] == ["-m"] or len(seen) == len(whole) >= CALLS * BURSTS  # -m drops pages that were seen
    assert "what quiet CPUs saw is shown late" in " ".join(stream.source.health().notices)
