"""Recordings that have no end yet: killed recorders, growing files, pipes."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recording_samples import PAGE_BYTES, format_text, pages, read_back, texts, write

from ftracepy import recording
from ftracepy.errors import ExitCode, RecordingFault
from ftracepy.pipeline.convert import ConvertRequest, convert
from ftracepy.pipeline.report import report
from ftracepy.pipeline.requests import ReportRequest, Stop
from ftracepy.recording import Following, Writer, spool
from ftracepy.recording.progress import Progress
from ftracepy.recording.writer import write_at
from ftracepy.source import Pages
from ftracepy.stream import Stream

FIRST, SECOND, THIRD = pages(0, [1000, 5000]), pages(1, [2000]), pages(0, [7000, 9000])
_DIE = """
import os, sys
sys.path.insert(0, {tests!r})
from recording_samples import pages, texts
from ftracepy.recording import Writer
writer = Writer({path!r}, texts({order!r}), [0, 1, 2], compression={compression!r})
writer.write(pages(0, [1000, 5000], {order!r}))
writer.write(pages(1, [2000], {order!r}))
os.kill(os.getpid(), 9)
"""


def killed(path: Path, order: str = "<", compression: str = "none") -> None:
    """A recorder that wrote FIRST and SECOND."""
    tests = str(Path(__file__).parent)
    code = _DIE.format(tests=tests, path=str(path), order=order, compression=compression)
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == -9


@pytest.mark.parametrize(("order", "compression"), [("<", "none"), (">", "zstd")])
def test_a_killed_recorder_loses_nothing_that_it_had_written(tmp_path: Path, order: str, compression: str) -> None:
    killed(tmp_path / "x.dat", order, compression)
    found = recording.open(tmp_path / "x.dat")
    assert read_back(found) == {0: pages(0, [1000, 5000], order).data, 1: pages(1, [2000], order).data, 2: b""}
    assert found.schema.cmdlines == {7: "a name with spaces", 9: "cat"}
    assert found.schema.uname == "Linux box 6.18.0 x86_64"
    (notice,) = found.health().notices
    assert "the recorder was killed" in notice
    assert "ftracepy convert" in notice
    assert isinstance(recording.follow(tmp_path / "x.dat"), recording.Recording)


def killed_while_finishing(path: Path, compression: str, at: int, instance: str, settle_bytes: int) -> bool:
    """A recorder that dies at its call number `at` that changes a file, counted from finish on; False: it was done before."""
    pid = os.fork()
    if not pid:
        recording.writer.SETTLE_BYTES = settle_bytes
        with Writer(path, texts(), [0, 1, 2], compression=compression) as writer:
            if instance:
                writer.add_instance(instance, [0, 1], "mono", PAGE_BYTES)
            for part in MANY:
                for half in halves(part):
                    writer.write(half, instance if part.cpu == 1 else "")
            assert bool(writer._settled) == bool(settle_bytes < 1 << 20 and compression == "none")
            spool.MOVE_BYTES = 30 * PAGE_BYTES
            left = [at]

            def last(call: Callable[..., Any]) -> Callable[..., Any]:
                def counted(*given: Any) -> Any:
                    left[0] -= 1
                    if left[0] < 0:
                        os._exit(9)
                    return call(*given)

                return counted

            for name in ("pwrite", "ftruncate", "copy_file_range", "unlink"):
                setattr(os, name, last(getattr(os, name)))
            writer.finish()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def halves(part: Pages) -> list[Pages]:
    middle = len(part.data) // PAGE_BYTES // 2 * PAGE_BYTES
    return [Pages(part.cpu, data) for data in (part.data[:middle], part.data[middle:]) if data]


MANY = [pages(0, range(1000, 100_000, 500)), pages(1, range(1200, 50_000, 700)), pages(2, [5000])]


@pytest.mark.parametrize("instance", ["", "foo"])
@pytest.mark.parametrize(("compression", "settle_bytes"), [("none", 1 << 30), ("none", 50_000), ("zlib", 0), ("zstd", 1 << 30)])
def test_a_recorder_killed_while_it_makes_the_file_whole_loses_nothing(
    tmp_path: Path, compression: str, instance: str, settle_bytes: int
) -> None:
    at = 0
    while killed_while_finishing(tmp_path / "x.dat", compression, at, instance, settle_bytes):
        found = recording.open(tmp_path / "x.dat", instance="")
        seen = {cpu: data for cpu, data in read_back(found).items() if data}
        said = found.health().notices
        if instance and "foo" in [buffer.name for buffer in found.buffers]:
            seen |= {cpu: data for cpu, data in read_back(found.of_instance("foo")).items() if data}
        whole = {part.cpu: part.data for part in MANY if part.cpu != 1 or not instance or "foo" in str(found.buffers)}
        assert seen == whole, f"killed at call {at}"
        assert not said or "the recorder was killed" in said[0]
        for left in tmp_path.iterdir():
            left.unlink()
        at += 1
    assert at > 15


def test_a_page_that_was_being_written_is_told_of(tmp_path: Path) -> None:
    killed(tmp_path / "x.dat")
    with (tmp_path / "x.dat.cpu1").open("ab") as spool:
        spool.write(b"x" * 100)
    found = recording.open(tmp_path / "x.dat")
    assert read_back(found)[1] == SECOND.data
    assert "CPU 1 ends with 100 of a page's 4096 bytes at byte 4096" in found.health().notices


@pytest.mark.parametrize("name", ["x.dat.cpu99999", "x.dat.cpu", "x.dat.cpu1x", "yx.dat.cpu1"])
def test_other_files_beside_it_are_not_its_pages(tmp_path: Path, name: str) -> None:
    killed(tmp_path / "x.dat")
    (tmp_path / name).write_bytes(b"x" * 4096)
    (tmp_path / "x.dat.cpu2").symlink_to(tmp_path / name)
    assert read_back(recording.open(tmp_path / "x.dat")) == {0: FIRST.data, 1: SECOND.data, 2: b""}


def test_spools_that_vanish_are_told_of(tmp_path: Path) -> None:
    killed(tmp_path / "x.dat")
    found = recording.open(tmp_path / "x.dat")
    (tmp_path / "x.dat.cpu0").unlink()
    assert read_back(found)[1] == SECOND.data
    assert "the data of CPU 0 is incomplete: No such file or directory" in found.health().notices


def test_a_running_recording_is_read_as_far_as_it_has_come(tmp_path: Path) -> None:
    with Writer(tmp_path / "x.dat", texts(), [0, 1]) as writer:
        writer.write(FIRST)
        found = recording.open(tmp_path / "x.dat")
        assert read_back(found) == {0: FIRST.data, 1: b""}
        assert "still runs" in found.health().notices[0]
    assert recording.open(tmp_path / "x.dat").health().notices == []


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_following_shows_every_event_once_and_in_order(tmp_path: Path, compression: str) -> None:
    writer = Writer(tmp_path / "x.dat", texts(), [0, 1], compression=compression)
    writer.write(FIRST)
    writer.promise(1500)
    source = recording.follow(tmp_path / "x.dat")
    assert isinstance(source, Following)
    stamps: list[int] = []
    for batch in Stream(source):
        stamps += batch.ts
        if stamps and stamps[-1] < 1500:
            assert max(stamps) < 1500, "nothing beyond what the recorder promised"
            writer.write(SECOND)
            writer.promise(6000)
        elif stamps and stamps[-1] < 6000:
            writer.write(THIRD)
            writer.finish()
    whole = [ts for batch in Stream(recording.open(tmp_path / "x.dat")) for ts in batch.ts]
    assert stamps == whole == sorted(whole)
    assert len(stamps) == 500
    assert source.health().notices == []


def test_following_waits_while_pages_are_compressed(tmp_path: Path) -> None:
    """They cannot be read then: neither in their spools, nor in the file."""
    writer = Writer(tmp_path / "x.dat", texts(), [0, 1], compression="zstd")
    writer.write(FIRST)
    source, stamps, waits = recording.follow(tmp_path / "x.dat"), list[int](), 0
    for batch in Stream(source):
        if not stamps and len(batch):
            writer.write(SECOND)
            write_at(writer._fd, Progress(ending=True).pack("<"), writer._progress_at)
        stamps += batch.ts
        waits += bool(stamps) and not len(batch)
        if waits == 2:
            writer.finish()
        elif not stamps:
            writer.promise(1 << 60)
    assert sorted(stamps) == [*range(1000, 1100), *range(2000, 2100), *range(5000, 5100)]


def test_following_ends_with_a_recorder_that_dies(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "x.dat", texts(), [0])
    writer.write(FIRST)
    source = recording.follow(tmp_path / "x.dat")
    os.close(writer._fd)  # what the kernel does to the lock of a process that is killed
    assert sum(len(batch) for batch in Stream(source)) == 200
    assert any("the recorder was killed" in notice for notice in source.health().notices)


def test_following_ends_when_asked(tmp_path: Path) -> None:
    with Writer(tmp_path / "x.dat", texts(), [0]) as writer:
        writer.write(FIRST)
        writer.promise(1 << 62)
        stop, out = Stop(), io.BytesIO()
        timer = threading.Timer(0.3, stop.ask)
        timer.start()
        report(ReportRequest(str(tmp_path / "x.dat"), follow=True), out, lambda _: None, stop)
        timer.join()
    assert out.getvalue().count(b"first:") == 200


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tracefs that tells of the samples' events."""
    root, said = tmp_path / "tracing", texts()
    told = {"events/header_page": said.header_page, "trace_clock": b"[mono] local\n", "saved_cmdlines": said.cmdlines}
    told |= {f"events/sample/{name}/format": format_text(name, number) for name, number in (("first", 300), ("second", 301))}
    told |= {"events/ftrace/print/format": format_text("print", 5), "instances/foo/trace_clock": b"mono [boot]\n"}
    for name, text in told.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text)
    monkeypatch.setenv("FTRACEPY_TRACEFS", str(root))
    return root


def test_pages_that_trace_cmd_left(tmp_path: Path, kernel: Path) -> None:
    (tmp_path / "x.dat.cpu0").write_bytes(bytes(FIRST.data))
    (tmp_path / "x.dat.cpu1").write_bytes(bytes(SECOND.data))
    (tmp_path / "x.dat.foo.cpu1").write_bytes(bytes(THIRD.data))
    found = recording.open(tmp_path / "x.dat")
    assert read_back(found) == {0: FIRST.data, 1: SECOND.data}
    assert read_back(found.of_instance("foo")) == {1: THIRD.data}
    assert (found.schema.clock, found.of_instance("foo").schema.clock) == ("mono", "boot")
    assert found.schema.cmdlines == {7: "a name with spaces", 9: "cat"}
    assert "its recorder was killed" in found.health().notices[0]
    assert convert(ConvertRequest((str(tmp_path / "x.dat"),), str(tmp_path / "y.dat")), print, Stop()) == ExitCode.DONE
    assert read_back(recording.open(tmp_path / "y.dat")) == {0: FIRST.data, 1: SECOND.data}
    (kernel / "trace_clock").unlink()
    with pytest.raises(RecordingFault, match="cannot read the recording") as fault:
        recording.open(tmp_path / "x.dat")
    assert "there are only its pages" in fault.value.why


@pytest.mark.usefixtures("kernel")
def test_following_what_trace_cmd_records(tmp_path: Path) -> None:
    path = tmp_path / "x.dat"
    with (tmp_path / "x.dat.cpu0").open("wb") as spool:
        holder = subprocess.Popen(["sleep", "100"], stdout=spool)
    (tmp_path / "x.dat.cpu0").write_bytes(bytes(FIRST.data))
    (tmp_path / "x.dat.cpu1").write_bytes(b"")
    source = recording.follow(path)
    assert isinstance(source, Following)
    seen: list[tuple[int, int]] = []
    for batch in Stream(source):
        seen += zip(batch.ts, batch.cpu, strict=True)
        if holder.poll() is None and len(seen) >= 100:
            (tmp_path / "x.dat.cpu1").write_bytes(bytes(SECOND.data))
            (tmp_path / "x.dat.cpu0").write_bytes(bytes(FIRST.data) + bytes(THIRD.data))
            holder.kill()
            holder.wait()
            write(tmp_path / "whole", [FIRST, SECOND, THIRD], compression="zlib").rename(path)
            for left in tmp_path.glob("x.dat.cpu*"):
                left.unlink()
    whole = [(event.ts, event.cpu) for batch in Stream(recording.open(path)) for event in batch]
    assert sorted(seen) == sorted(whole)
    assert "what quiet CPUs saw is shown late" in source.health().notices[0]


def test_a_cpu_that_comes_late_is_followed_too(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "x.dat", texts(), [0])
    writer.write(FIRST)
    source = recording.follow(tmp_path / "x.dat")
    late = len(source.cpus) - 1
    assert late > 0
    stamps: list[int] = []
    for batch in Stream(source):
        stamps += batch.ts
        if not stamps:
            writer.write(Pages(late, SECOND.data))
            writer.promise(1 << 60)
        elif len(stamps) == 300:
            writer.finish()
    assert sorted(stamps) == sorted([*range(1000, 1100), *range(2000, 2100), *range(5000, 5100)])


def test_a_pipe_is_read_as_the_file_is(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [FIRST, SECOND], compression="zlib")
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(path.read_bytes()))
    feeder.start()
    found = recording.open(tmp_path / "pipe")
    feeder.join()
    assert read_back(found) == {0: FIRST.data, 1: SECOND.data}
    assert found.health().notices[0].startswith("read from a pipe: its ")


@pytest.mark.parametrize(("data", "why"), [(b"", "it is empty"), (b"\x17\x08\x44tracing7\0", "cut short")])
def test_a_pipe_that_ends_too_early(tmp_path: Path, data: bytes, why: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(data))
    feeder.start()
    with pytest.raises(RecordingFault) as fault:
        recording.open(tmp_path / "pipe")
    feeder.join()
    assert why in fault.value.why


@pytest.mark.parametrize("by", ["pipe", "file"])
def test_the_whole_command_reads_standard_input(tmp_path: Path, by: str) -> None:
    path = write(tmp_path / "x.dat", [FIRST, SECOND])
    command = [sys.executable, "-m", "ftracepy", "report", "-"]
    if by == "pipe":
        done = subprocess.run(command, input=path.read_bytes(), capture_output=True)
    else:
        with path.open("rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True)
    assert done.returncode == 0
    assert done.stdout.count(b"first:") == 300
    assert (b"read from a pipe" in done.stderr) == (by == "pipe")


BUSY = [pages(0, range(1000, 9000, 200)), pages(1, [1100]), pages(0, range(9000, 20_000, 200)), pages(1, [9100])]


def killed_while_settling(path: Path, at: int) -> tuple[bool, int]:
    """A recorder that dies at its call number `at` that changes a file; whether it did, and how many of BUSY had been written."""
    done, told = os.pipe()
    pid = os.fork()
    if not pid:
        recording.writer.SETTLE_BYTES = 30 * PAGE_BYTES
        writer, left = Writer(path, texts(), [0, 1]), [at]

        def last(call: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*given: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return call(*given)

            return counted

        for name in ("pwrite", "ftruncate", "copy_file_range", "unlink"):
            setattr(os, name, last(getattr(os, name)))
        for part in BUSY:
            writer.write(part)
            os.write(told, b"x")
        os._exit(0)
    os.close(told)
    died = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    with open(done, "rb") as pipe:
        return died, len(pipe.read())


def test_a_recorder_killed_while_a_cpu_settles_loses_nothing(tmp_path: Path) -> None:
    at, died = 0, True
    while died:
        died, written = killed_while_settling(tmp_path / "x.dat", at)
        whole = {cpu: b"".join(bytes(part.data) for part in BUSY[:written] if part.cpu == cpu) for cpu in (0, 1)}
        seen = read_back(recording.open(tmp_path / "x.dat"))
        lost = [cpu for cpu, data in whole.items() if seen[cpu][: len(data)] != data]
        assert not lost, f"killed at call {at} after {written} writes"
        for left in tmp_path.iterdir():
            left.unlink()
        at += 1
    assert at > 5


def settling(monkeypatch: pytest.MonkeyPatch, path: Path, cpus: int = 2, kept_pages: int = 1) -> Writer:
    monkeypatch.setattr(recording.writer, "SETTLE_BYTES", kept_pages * PAGE_BYTES)
    return Writer(path, texts(), range(cpus))


@pytest.mark.parametrize("first", [0, 1])
def test_the_busiest_cpu_lies_first_in_a_file_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    with settling(monkeypatch, tmp_path / "x.dat", 3, kept_pages=4) as writer:
        for part in (pages(2, [50]), pages(first, [1000, 2000, 3000]), pages(1 - first, [4000]), pages(first, [5000])):
            writer.write(part)
        assert os.path.getsize(tmp_path / "x.dat") >= 4 * PAGE_BYTES
    found = recording.open(tmp_path / "x.dat")
    busy, idle = pages(first, [1000, 2000, 3000, 5000]).data, pages(1 - first, [4000]).data
    assert read_back(found) == {first: busy, 1 - first: idle, 2: pages(2, [50]).data}
    assert [data.cpu for data in found.buffer.cpus] == [0, 1, 2]
    assert min(found.buffer.cpus, key=lambda data: data.offset).cpu == first
    assert found.health().notices == []
    assert [left.name for left in tmp_path.iterdir()] == ["x.dat"]
    (section,) = (one for one in found.sections() if one.number == 3)
    assert section.start <= min(data.offset for data in found.buffer.cpus)
    assert section.end == max(data.offset + data.size for data in found.buffer.cpus)


def test_following_goes_on_where_a_cpu_settles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = settling(monkeypatch, tmp_path / "x.dat", kept_pages=4)
    parts = [
        pages(0, [1000, 2000]),
        pages(1, [2500]),
        pages(0, [3000, 4000]),
        pages(1, [4500]),
        pages(0, [5000]),
        pages(0, [6000]),
    ]
    stamps, settled = list[int](), list[bool]()
    writer.write(parts.pop(0))
    writer.promise(2001)
    source = recording.follow(tmp_path / "x.dat")
    for batch in Stream(source):
        stamps += batch.ts
        if parts and stamps:
            part = parts.pop(0)
            writer.write(part)
            settled.append(writer._settled is not None)
            writer.promise(1 << 60)
        elif not parts:
            writer.finish()
    whole = [ts for batch in Stream(recording.open(tmp_path / "x.dat")) for ts in batch.ts]
    assert sorted(stamps) == whole == sorted(whole)
    assert len(stamps) == 800
    assert settled[0] is False
    assert settled[-2:] == [True, True]
    assert source.health().notices == []


def test_where_there_is_no_room_to_settle_pages_are_moved_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = settling(monkeypatch, tmp_path / "x.dat")

    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(spool.Spool, "copy", full)
        writer.write(FIRST)
    writer.write(SECOND)
    writer.write(THIRD)
    writer.finish()
    assert read_back(recording.open(tmp_path / "x.dat")) == {0: bytes(FIRST.data) + bytes(THIRD.data), 1: SECOND.data}


def test_pages_of_an_instance_alone_stay_in_their_spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording.writer, "SETTLE_BYTES", PAGE_BYTES)
    for cpus in ([], [0]):
        with Writer(tmp_path / "x.dat", texts(), cpus) as writer:
            writer.add_instance("foo", [0], "mono", PAGE_BYTES)
            writer.write(FIRST, "foo")
            assert writer._settled is None
        assert read_back(recording.open(tmp_path / "x.dat", instance="foo")) == {0: FIRST.data}
