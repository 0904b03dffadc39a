"""fanotify on this machine: renamed, removed and newly mounted folders, repeats, order between its two kinds of groups."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import pytest

from ftracepy.live.aides import fanotify
from ftracepy.live.aides.fanotify import FAN_ONDIR
from ftracepy.live.aides.opens import OpensAide
from ftracepy.live.aides.watch import Path as Opened
from ftracepy.live.aides.watch import Watch
from ftracepy.live.plan import Scope
from ftracepy.sidefacts import Kind, SideFact


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch()
    try:
        made.open()
    except OSError as error:
        pytest.skip(f"this kernel has no fanotify: {error}")
    made.read()
    yield made
    made.close()


def opened(*paths: str | Path) -> int:
    """Open the paths in order in a child; returns its pid."""
    code = "import os, sys\nfor path in sys.argv[1:]: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))"
    with subprocess.Popen([sys.executable, "-S", "-c", code, *map(str, paths)]) as child:
        pass
    assert child.returncode == 0
    return child.pid


def takes_handles(folder: Path) -> bool:
    """Whether files there are told by handle; tmpfs has none before Linux 5.13, for want of an id."""
    group = -1
    try:
        group = fanotify.group(by_handle=True)
        fanotify.mark(group, str(folder), by_handle=True)
    except OSError:
        return False
    else:
        return True
    finally:
        if group >= 0:
            os.close(group)


def mount_point(path: Path) -> str:
    return str(next(one for one in (path, *path.parents) if one.is_mount()))


def told(watch: Watch, pid: int) -> list[str]:
    return [one.path.decode() for one in watch.read() if one.tid == pid]


def test_order_of_one_thread_is_kept(watch: Watch, tmp_path: Path) -> None:
    files = [tmp_path / f"{at}" for at in range(307)]
    for file in files:
        file.touch()
    assert told(watch, opened(*files))[-307:] == list(map(str, files))


def test_repeats_not_read_in_between_are_told_once_at_the_first(watch: Watch, tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.touch()
    b.touch()
    assert told(watch, opened(a, b, a, a))[-2:] == [str(a), str(b)]


def test_a_renamed_folder_is_called_by_its_new_name(watch: Watch, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "file").touch()
    assert told(watch, opened(old / "file"))[-1] == str(old / "file")
    old.rename(new)
    assert told(watch, opened(new / "file"))[-1] == str(new / "file")


def test_a_removed_folder_leaves_the_last_component(watch: Watch, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    (folder / "file").touch()
    pid = opened(folder / "file")
    (folder / "file").unlink()
    folder.rmdir()
    assert told(watch, pid)[-1] == ("file" if takes_handles(tmp_path) else str(folder / "file"))


def test_a_new_mount_is_watched_and_a_watch_keeps_none_busy(watch: Watch, tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "nodev", tmp_path], capture_output=True).returncode:
        pytest.skip("may not mount here")
    try:
        watch.mark_new()
        (tmp_path / "file").touch()
        assert told(watch, opened(tmp_path / "file"))[-1] == str(tmp_path / "file")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_files_of_both_groups_are_marked_as_unordered(watch: Watch, tmp_path: Path) -> None:
    """/proc has no handles: what is opened there comes by descriptor."""
    if not takes_handles(tmp_path):
        pytest.skip("this kernel has no handles on tmpfs")
    (tmp_path / "file").touch()
    pid = opened("/proc/version", tmp_path / "file")
    ours = [one for one in watch.read() if one.tid == pid]
    assert {b"/proc/version", os.fsencode(tmp_path / "file")} <= {one.path for one in ours}
    assert not any(one.ordered for one in ours)


def test_nothing_is_told_of_program_starts(watch: Watch) -> None:
    pid = opened()
    assert os.path.realpath(sys.executable) not in told(watch, pid)


def test_the_aide_tells_of_others_and_not_of_itself(tmp_path: Path) -> None:
    facts: list[SideFact] = []
    aide = OpensAide()
    aide.start(facts.append)
    (tmp_path / "file").touch()
    pid = opened(tmp_path / "file")
    aide.catch_up()
    paths = {fact.body.partition(b"\0")[0].decode(): fact.tid for fact in facts if fact.kind is Kind.PATH}
    caught = [at for at, fact in enumerate(facts) if fact.kind is Kind.CAUGHT_UP]
    aide.stop()
    assert paths[str(tmp_path / "file")] == pid
    assert os.getpid() not in paths.values()
    assert caught
    assert facts[-1].kind is Kind.CAUGHT_UP


def test_the_aide_opens_nothing_to_know_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it opened for a report would be the next report, without end."""
    aide = OpensAide()
    own: list[bytes] = []

    def seen_by(read: Callable[[Watch, Any], list[Opened]], watch: Watch, reads: Any) -> list[Opened]:
        found = read(watch, reads)
        own.extend(one.path for one in found if os.path.exists(f"/proc/self/task/{one.tid}"))
        return found

    for name in ("paths", "relayed"):
        monkeypatch.setattr(Watch, name, partialmethod(partial(seen_by, getattr(Watch, name))))
    aide.start(lambda _: None)
    (tmp_path / "file").touch()
    (tmp_path / "file").read_bytes()
    for _ in range(3):
        aide.catch_up()
    aide.stop()
    assert not [path for path in own if path.endswith(b"/task")]
    assert os.fsencode(tmp_path / "file") in own


def test_the_aide_keeps_to_a_thread(tmp_path: Path) -> None:
    facts: list[SideFact] = []
    aide = OpensAide(Scope(tid=1))
    aide.start(facts.append)
    opened(tmp_path)
    aide.catch_up()
    aide.stop()
    assert {fact.tid for fact in facts if fact.kind is Kind.PATH} <= {1}


def test_stop_without_start_and_twice() -> None:
    aide = OpensAide()
    aide.stop()
    aide.start(lambda _: None)
    aide.stop()
    aide.stop()


def test_descriptors_and_threads_are_given_back() -> None:
    def once() -> None:
        aide = OpensAide()
        aide.start(lambda _: None)
        opened("/proc/version")
        aide.stop()

    def held() -> set[str]:
        """Threads by their ids, descriptors by their numbers: what others held may go meanwhile, what is new is ours."""
        return {*(f"fd {fd}" for fd in os.listdir("/proc/self/fd")), *os.listdir("/proc/self/task")}

    once()
    before = held()
    for _ in range(5):
        once()
    for _ in range(100):  # a joined thread leaves /proc a moment later
        if held() <= before:
            break
        time.sleep(0.01)
    assert held() - before == set()


def test_a_mount_in_another_namespace_is_watched_by_its_own_path(watch: Watch, tmp_path: Path) -> None:
    """As in a container: nothing of the mount shows in our own mount table."""
    script = 'mount -t tmpfs nodev "$0" && mkdir "$0/d" && touch "$0/d/f" && echo && read x && cat "$0/d/f" && echo && read x'
    command = ["unshare", "-m", "sh", "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as child:
        assert child.stdin
        assert child.stdout
        if not child.stdout.readline():
            pytest.skip("may not make a mount namespace here")
        watch.mark_new()
        print(file=child.stdin)
        child.stdout.readline()
        told_of = {one.path.decode() for one in watch.read()}
        print(file=child.stdin)
    assert str(tmp_path / "d/f") in told_of
    assert not (tmp_path / "d").exists()


def test_a_folder_outside_of_what_is_mounted_has_no_path(tmp_path: Path) -> None:
    """A bind mount of a part reaches the whole file system by handle, but its paths would lie."""
    if not takes_handles(tmp_path):
        pytest.skip("this kernel has no handles on tmpfs")
    inside, outside, place = tmp_path / "part", tmp_path / "outside", tmp_path / "place"
    for folder in (inside, outside, place):
        folder.mkdir()
    if subprocess.run(["mount", "--bind", inside, place], capture_output=True).returncode:
        pytest.skip("may not mount here")
    group = fanotify.group(by_handle=True)
    try:
        fanotify.mark(group, str(tmp_path), by_handle=True)
        pid = opened(outside)
        report = next(one for one in fanotify.read(group) or () if one.tid == pid and one.name == b"." and one.mask & FAN_ONDIR)
        assert fanotify.folder_path(mount_point(tmp_path), report.handle)
        with pytest.raises(FileNotFoundError):
            fanotify.folder_path(str(place), report.handle)
    finally:
        os.close(group)
        subprocess.run(["umount", place], check=True)
