"""Whoever asks for one process is told of its opens whatever others open; where that is too much, its rows say so."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftracepy.errors import FtracepyError
from ftracepy.live.aides.opens import OpensAide
from ftracepy.live.plan import Scope
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.tracefs import Tracefs
from tests.kernel.test_commands import FTRACEPY, rows_of, running

_OPENER = """
import os, sys
for line in sys.stdin:
    folder, name, count = line.split()
    for at in range(int(count)):
        os.close(os.open(f"{folder}/{name}{at}", os.O_RDONLY))
    print(flush=True)
"""
_FLOOD = """
import os, sys
names = [f"{sys.argv[1]}/flood{at}" for at in range(3001)]
for name in names:
    os.close(os.open(name, os.O_CREAT | os.O_RDWR))
print(flush=True)
while True:
    for name in names:
        os.close(os.open(name, os.O_RDONLY))
"""


class Opener:
    """A process that opens files when told to, and then waits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-S", "-c", _OPENER]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.open("first", 1)

    def open(self, name: str, count: int) -> list[str]:
        paths = [self.folder / f"{name}{at}" for at in range(count)]
        for path in paths:
            path.touch()
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{self.folder} {name} {count}\n")
        self.process.stdout.readline()
        return list(map(str, paths))

    def keep_opening(self, name: str) -> list[str]:
        """For longer than it takes until others are too many, and until it is tried again."""
        opened = list[str]()
        for turn in range(53):
            opened += self.open(f"{name}{turn}_", 11)
            time.sleep(0.1)
        return opened


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    made = Opener(tmp_path)
    yield made
    made.process.communicate()


@contextmanager
def flood(folder: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-S", "-c", _FLOOD, str(folder)], stdout=subprocess.PIPE) as others:
        try:
            assert others.stdout
            others.stdout.readline()
            yield
        finally:
            others.kill()


def wait_for(what: Callable[[], bool], patience_s: float = 60) -> None:
    end = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_aide_falls_silent_while_others_flood_and_comes_back(opener: Opener, tmp_path: Path) -> None:
    facts: list[SideFact] = []
    aide = OpensAide(Scope(pid=opener.process.pid))
    try:
        aide.start(facts.append)
    except FtracepyError as error:
        pytest.skip(str(error))
    try:
        before = opener.open("before", 307)
        aide.catch_up()
        with flood(tmp_path):
            wait_for(lambda: any(fact.kind is Kind.SILENT for fact in facts))
            opener.open("meanwhile", 101)
        wait_for(lambda: facts[-1].kind is Kind.TELLS or _last_of(facts) is Kind.TELLS)
        after = opener.open("after", 211)
        aide.catch_up()
    finally:
        aide.stop()
    # Whoever has ended may have been the process's: on a busy machine strangers' opens are among the facts.
    mine = [fact for fact in facts if fact.kind is Kind.PATH and fact.tid == opener.process.pid]
    assert [fact.body.partition(b"\0")[0].decode() for fact in mine] == before + after
    assert sum(fact.kind is Kind.NOTICE and b"others open" in fact.body for fact in facts) == 1


def _last_of(facts: list[SideFact]) -> Kind | None:
    return next((fact.kind for fact in reversed(facts) if fact.kind in {Kind.SILENT, Kind.TELLS}), None)


def test_a_recordings_rows_are_marked_while_others_flood(clean_kernel: Tracefs, opener: Opener, tmp_path: Path) -> None:
    """Every open has its row: before with the kernel's path, meanwhile as the caller passed it, but for a moment's trial."""
    recording = tmp_path / "x.dat"
    with running("record", "--tool", "opensnoop", "-p", str(opener.process.pid), "-o", str(recording)) as process:
        wait_for(lambda: recording.exists() and recording.stat().st_size > 0)
        before = opener.keep_opening("before")  # the first of them before recording begins
        with flood(tmp_path):
            meanwhile = opener.keep_opening("meanwhile")
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=60)
    assert process.returncode == 0, words.decode()
    replay = [*FTRACEPY, "opensnoop", "--replay", str(recording), "--format", "json"]
    output = subprocess.run(replay, capture_output=True, check=True, timeout=60).stdout
    if b": fanotify (" not in output:
        pytest.skip("fanotify is not what tells paths here")
    by_name = {name: [row for row in rows_of(output) if f"/{name}" in (row["path"] or "")] for name in ("before", "meanwhile")}
    assert [row["path"] for row in by_name["before"]] == before[-len(by_name["before"]) :]
    assert len(by_name["before"]) > 100
    assert {row["path_by"] for row in by_name["before"]} == {"kernel-copy"}
    assert [row["path"] for row in by_name["meanwhile"]] == meanwhile
    assert sum(row["path_by"] == "user@enter" for row in by_name["meanwhile"]) > 50
    assert output.count(b"others open thousands") == 1
