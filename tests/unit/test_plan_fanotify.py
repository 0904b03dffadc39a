"""fanotify's bytes and the mount tables it needs, without a kernel."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftracepy.live.aides import fanotify, mounts
from ftracepy.live.aides.watch import Watch
from tests.support.reports import EXEC, FSID, OPEN, report


def test_reports_are_cut_one_by_one() -> None:
    found = list(fanotify.parse(report(OPEN, 7, b"abcdefgh", b"name") + report(EXEC, 8, b"xy", b".") + report(OPEN, 9, fd=5)))
    assert [(one.tid, one.name, one.fd) for one in found] == [(7, b"name", -1), (8, b".", -1), (9, b"", 5)]
    assert found[0].fsid == FSID
    assert found[0].handle == struct.pack("=Ii", 8, 1) + b"abcdefgh"


def test_of_others_only_what_must_be_known_is_kept() -> None:
    """A descriptor has to be closed, a lost report be told, and a folder that moved be called otherwise."""
    moved, lost = fanotify.FAN_MOVED_FROM | fanotify.FAN_ONDIR, fanotify.FAN_Q_OVERFLOW
    reports = [(OPEN, 7, b"abcd"), (OPEN, 8, b"abcd"), (moved, 8, b"abcd"), (lost, -1, b"")]
    data = b"".join(report(mask, tid, handle) for mask, tid, handle in reports) + report(OPEN, 8, fd=5)
    found = [(one.mask, one.tid) for one in fanotify.parse(data, lambda tid: tid == 7)]
    assert found == [(OPEN, 7), (moved, 8), (lost, -1), (OPEN, 8)]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_ignored(data: bytes) -> None:
    assert len(list(fanotify.parse(data))) <= len(data) // 24 + 1


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> tuple[Watch, list[bytes]]:
    """A watch whose queue is a list of reads, over folders called after their handles."""
    made, queue = Watch(by_handle=100), list[bytes]()
    made._roots[FSID] = [mounts.Mount("8:1", "/", "ext4")]
    monkeypatch.setattr("ftracepy.live.aides.fanotify.os.read", lambda *_: queue.pop(0) if queue else _empty())
    monkeypatch.setattr(fanotify, "folder_path", lambda _, handle, __: b"/" + handle[8:])
    return made, queue


def _empty() -> bytes:
    raise BlockingIOError


def test_paths_are_joined_and_program_starts_left_out(watch: tuple[Watch, list[bytes]]) -> None:
    made, queue = watch
    queue.append(report(OPEN, 7, b"etc", b"passwd") + report(EXEC, 7, b"bin", b"true") + report(OPEN, 8, b"tmp", b"."))
    assert [(one.tid, one.path) for one in made.read()] == [(7, b"/etc/passwd"), (8, b"/tmp")]


def test_a_failed_read_is_passed_over(watch: tuple[Watch, list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of /proc whose process has ended cannot be opened again: that read fails, the next goes on."""
    made, _ = watch
    answers: list[object] = [ProcessLookupError(), report(OPEN, 7, b"etc", b"x"), BlockingIOError()]

    def read(*_: object) -> object:
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr("ftracepy.live.aides.fanotify.os.read", read)
    assert [one.path for one in made.read()] == [b"/etc/x"]


def test_an_overflow_is_told(watch: tuple[Watch, list[bytes]]) -> None:
    made, queue = watch
    queue.append(report(fanotify.FAN_Q_OVERFLOW, 0))
    assert [one.tid for one in made.read()] == [-1]


def test_a_folder_that_is_gone_leaves_the_name(watch: tuple[Watch, list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    made, queue = watch

    def gone(*_: object) -> bytes:
        raise OSError(116, os.strerror(116))

    monkeypatch.setattr(fanotify, "folder_path", gone)
    queue.append(report(OPEN, 7, b"etc", b"x"))
    assert [one.path for one in made.read()] == [b"x"]


def test_a_moved_folder_is_looked_up_again(watch: tuple[Watch, list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    made, queue = watch
    queue.append(report(OPEN, 7, b"old", b"x"))
    assert [one.path for one in made.read()] == [b"/old/x"]
    monkeypatch.setattr(fanotify, "folder_path", lambda *_: b"/new")
    moved = fanotify.FAN_MOVED_FROM | fanotify.FAN_ONDIR
    queue.append(report(moved, 7, b"up", b"old") + report(OPEN, 7, b"old", b"x"))
    assert [one.path for one in made.read()] == [b"/new/x"]


def mount_line(device: str, root: str, place: str, kind: str) -> str:
    return f"30 1 {device} {root} {place} rw,relatime shared:1 - {kind} none rw\n"


def test_mounts_of_all_namespaces_each_file_system_once(tmp_path: Path) -> None:
    for name, namespace in (("self", "mnt:[1]"), ("7", "mnt:[1]"), ("8", "mnt:[2]")):
        (tmp_path / name / "ns").mkdir(parents=True)
        os.symlink(namespace, tmp_path / name / "ns/mnt")
    part, whole = mount_line("8:1", "/part", "/with\\040space", "ext4"), mount_line("8:1", "/", "/", "ext4")
    (tmp_path / "self/mountinfo").write_text(part + whole + mount_line("0:5", "/", "/dev", "tmpfs"))
    (tmp_path / "7/mountinfo").write_text(mount_line("9:9", "/", "/never", "xfs"))
    (tmp_path / "8/mountinfo").write_text(mount_line("8:1", "/", "/", "ext4") + mount_line("0:40", "/", "/tmp", "tmpfs"))
    found = {mount.device: (mount.path, mount.kind) for mount in mounts.mounted(tmp_path)}
    assert found == {"8:1": ("/", "ext4"), "0:5": ("/dev", "tmpfs"), "0:40": (f"{tmp_path}/8/root/tmp", "tmpfs")}
