"""Every change to tracefs made to fail in turn: an FtracepyError or a whole run, and nothing left behind either way."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ftracepy import live
from ftracepy.errors import FtracepyError
from ftracepy.live.plan import Plan, ProbeDef
from ftracepy.probes import Tracepoint
from ftracepy.tracefs import Tracefs, files
from tests.support.tracefs_tree import difference, snapshot

PLAN = Plan(
    events=[Tracepoint("sched", "sched_process_fork"), Tracepoint("syscalls", "sys_enter_getppid", "common_pid > 0")],
    uprobes=[ProbeDef("p", "one", "/bin/true:0x2000"), ProbeDef("p", "two", "/bin/true:0x2004")],
    settings={"options/sym-offset": "1"},
)


class Saboteur:
    """Counts changes; the one numbered `fails` is refused with `error`, and so are all later ones if `for_good`."""

    def __init__(self, fails: int = -1, error: int = errno.EIO, for_good: bool = False) -> None:
        self.fails, self.error, self.for_good = fails, error, for_good
        self.changes = 0

    def guard(self) -> None:
        number, self.changes = self.changes, self.changes + 1
        if number == self.fails or (self.for_good and 0 <= self.fails < number):
            raise OSError(self.error, os.strerror(self.error))

    def write(self, fd: int, data: bytes) -> int:
        self.guard()
        return os.write(fd, data)

    def mkdir(self, path: Path) -> None:
        self.guard()
        os.mkdir(path)

    def rmdir(self, path: Path) -> None:
        self.guard()
        os.rmdir(path)


def run(tracefs: Tracefs) -> None:
    with live.open(PLAN, tracefs=tracefs, buffer_kb=64) as source:
        source.stop()
        for _ in source.rounds():
            pass


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch) -> Callable[[Saboteur], Saboteur]:
    def put(saboteur: Saboteur) -> Saboteur:
        monkeypatch.setattr(files, "sys_write", saboteur.write)
        monkeypatch.setattr(files, "sys_mkdir", saboteur.mkdir)
        monkeypatch.setattr(files, "sys_rmdir", saboteur.rmdir)
        return saboteur

    return put


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOMEM, errno.EPERM, errno.EBUSY], ids=errno.errorcode.get)
def test_one_change_refused(clean_kernel: Tracefs, sabotage: Callable[[Saboteur], Saboteur], error: int) -> None:
    before = snapshot(clean_kernel.root, [os.getpid()])
    changes = _count(clean_kernel, sabotage)
    assert changes > 15
    faults = []
    for number in range(changes):
        sabotage(Saboteur(number, error))
        try:
            run(clean_kernel)
        except FtracepyError as fault:
            faults.append(fault.lines())
    sabotage(Saboteur())
    assert len(faults) > 8
    assert all(lines[0].startswith("cannot ") or len(lines) > 1 for lines in faults)
    assert difference(before, snapshot(clean_kernel.root, [os.getpid()])) == []


def _count(tracefs: Tracefs, sabotage: Callable[[Saboteur], Saboteur]) -> int:
    counter = sabotage(Saboteur())
    run(tracefs)
    return counter.changes


def test_all_changes_refused_from_some_moment_on_are_undone_by_reset(
    clean_kernel: Tracefs, sabotage: Callable[[Saboteur], Saboteur], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be undone stays in the journal; once its owner is gone, reset finishes it."""
    from ftracepy.live import instance, reset
    from ftracepy.tracefs import instances

    monkeypatch.setattr(instances, "_RETRY_S", 0.0)
    monkeypatch.setattr(instance, "_UNDO_TRIES", 1)
    before = snapshot(clean_kernel.root, [os.getpid()])
    for number in range(0, _count(clean_kernel, sabotage), 3):
        sabotage(Saboteur(number, errno.EIO, for_good=True))
        with pytest.raises(FtracepyError):
            run(clean_kernel)
        sabotage(Saboteur())
        with monkeypatch.context() as patch:
            patch.setattr(reset, "is_alive", lambda owner: owner.pid != os.getpid())
            reset.reset(clean_kernel)
    assert difference(before, snapshot(clean_kernel.root, [os.getpid()])) == []
