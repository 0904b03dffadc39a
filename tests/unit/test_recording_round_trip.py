"""What goes into a recording comes out again, byte for byte and word for word."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from recording_samples import PAGE_BYTES, page, pages, read_back, texts, write

from ftracepy import recording
from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.recording import Writer
from ftracepy.schema import TimeScale
from ftracepy.source import CpuStats, Pages

ORDERS = ("<", ">")
COMPRESSIONS = ("none", "zlib", "zstd")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_pages_texts_and_stats_come_back(tmp_path: Path, order: str, compression: str) -> None:
    first, second = pages(0, [1000, 5000], order), pages(3, [2000, 3000, 4000], order)
    stats = [CpuStats(0, 11, 12, 13, 14, 15), CpuStats(3, overrun=7)]
    path = write(tmp_path / "x.dat", [first, second], order, compression, stats)
    with recording.open(path) as found:
        assert read_back(found) == {0: first.data, 3: second.data}
        assert found.texts.formats == texts(order).formats
        assert found.schema.cmdlines == {7: "a name with spaces", 9: "cat"}
        assert (found.schema.clock, found.schema.uname, found.schema.arch) == ("mono", "Linux box 6.18.0 x86_64", "x86_64")
        assert found.schema.kallsyms == "ffffffff81000000 T _stext\n"
        assert found.schema.printk_formats.startswith("0xffffffff82000000")
        assert found.schema.page.big_endian == (order == ">")
        assert found.health().stats == stats
        assert found.health().notices == []
        assert (found.version, found.compression) == (7, compression)


def test_many_chunks_and_what_does_not_compress(tmp_path: Path) -> None:
    data = b"".join(page(at, range(50))[:1000] + os.urandom(3096) for at in range(1, 333))
    path = write(tmp_path / "x.dat", [Pages(1, data)], compression="zstd")
    assert read_back(recording.open(path)) == {1: data}


def test_a_cpu_without_pages_stays_known(tmp_path: Path) -> None:
    with Writer(tmp_path / "x.dat", texts(), [0, 1, 2]) as writer:
        writer.write(pages(1, [10]))
    found = recording.open(tmp_path / "x.dat")
    assert found.cpus == [0, 1, 2]
    assert read_back(found)[0] == b""


def test_a_cpu_that_comes_online_while_recording(tmp_path: Path) -> None:
    with Writer(tmp_path / "x.dat", texts(), [0]) as writer:
        writer.write(pages(0, [10]))
        writer.write(pages(5, [20]))
    assert recording.open(tmp_path / "x.dat").cpus == [0, 5]


def test_later_texts_replace_the_first(tmp_path: Path) -> None:
    late = texts()
    late.cmdlines = b"8 late\n"
    with Writer(tmp_path / "x.dat", texts(), [0]) as writer:
        writer.finish(texts=late)
    assert recording.open(tmp_path / "x.dat").schema.cmdlines == {8: "late"}


@pytest.mark.parametrize("scale", [TimeScale(3, 1, 0), TimeScale(1, 0, -5), TimeScale(825963191, 31, 10**18)])
def test_the_time_scale_comes_back(tmp_path: Path, scale: TimeScale) -> None:
    scaled = texts()
    scaled.time = scale
    with Writer(tmp_path / "x.dat", scaled, [0]):
        pass
    assert recording.open(tmp_path / "x.dat").schema.time == scale


def test_rounds_are_in_order_and_keep_their_promise(tmp_path: Path) -> None:
    many = [pages(cpu, range(1000 + cpu, 400_000, 500)) for cpu in (0, 1)]
    lone = pages(2, [250_000])
    rounds = list(recording.open(write(tmp_path / "x.dat", [*many, lone])).rounds())
    promised = [round_.until_ns for round_ in rounds]
    assert promised[:-1] == sorted(promised[:-1])
    assert [round_.last for round_ in rounds] == [False] * (len(rounds) - 1) + [True]
    until_ns = 0
    for round_ in rounds:
        for part in round_.pages:
            assert int.from_bytes(part.data[:8], "little") >= until_ns, "a page older than what was promised whole"
        until_ns = round_.until_ns


def test_stop_ends_the_rounds(tmp_path: Path) -> None:
    found = recording.open(write(tmp_path / "x.dat", [pages(0, range(1000, 900_000, 500))]))
    rounds = found.rounds()
    assert not next(rounds).last
    found.stop()
    assert [round_.last for round_ in rounds] == [True]


def test_a_recording_without_events(tmp_path: Path) -> None:
    with Writer(tmp_path / "x.dat", texts(), []):
        pass
    assert [(round_.pages, round_.last) for round_ in recording.open(tmp_path / "x.dat").rounds()] == [((), True)]


def test_an_error_elsewhere_still_leaves_a_whole_file(tmp_path: Path) -> None:
    def fail() -> None:
        with Writer(tmp_path / "x.dat", texts(), [0]) as writer:
            writer.write(pages(0, [10]))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert read_back(recording.open(tmp_path / "x.dat")) == {0: pages(0, [10]).data}
    assert [path.name for path in tmp_path.iterdir()] == ["x.dat"]


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [10])])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_where_the_pages_go_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "x.dat.cpu0").symlink_to(victim)
    write(tmp_path / "x.dat", [pages(0, [10])])
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["", "missing/x.dat", "socket"])
def test_where_no_recording_can_be_written(tmp_path: Path, name: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
        with pytest.raises(UsageFault, match="cannot write the recording"):
            Writer(tmp_path / name, texts(), [0])


def test_no_recording_goes_to_a_terminal() -> None:
    main, terminal = os.openpty()
    with pytest.raises(UsageFault, match="not for a terminal"):
        Writer(os.ttyname(terminal), texts(), [0])
    os.close(main)
    os.close(terminal)


@pytest.mark.parametrize("compression", ["none", "zlib", "zstd"])
def test_into_a_pipe_goes_the_whole_file(tmp_path: Path, compression: str) -> None:
    """Three spools of a megabyte each: the pipe holds 64 KiB, so that it is read while it is written."""
    parts = [pages(cpu, range(1000, 251_000, 1000)) for cpu in (0, 1, 2)]
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "x.dat").open("wb") as out, subprocess.Popen(["cat", tmp_path / "pipe"], stdout=out):
        write(tmp_path / "pipe", parts, compression=compression)
    assert read_back(recording.open(tmp_path / "x.dat")) == {part.cpu: part.data for part in parts}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "x.dat"]


def test_an_unknown_compression(tmp_path: Path) -> None:
    with pytest.raises(FtracepyError, match="compression 'lzo'"):
        Writer(tmp_path / "x.dat", texts(), [0], compression="lzo")


def _fill(writer: Writer) -> None:
    part = pages(0, range(1000, 101_000, 1000))
    with writer:
        while True:
            writer.write(Pages(writer.size_bytes >> 20 & 1, part.data))


@pytest.mark.parametrize(("compression", "settle_bytes"), [("none", 1 << 30), ("none", 1 << 20), ("zstd", 1 << 30)])
def test_a_full_disk_ends_with_a_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, settle_bytes: int
) -> None:
    monkeypatch.setattr(recording.writer, "SETTLE_BYTES", settle_bytes)
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", disk], capture_output=True).returncode:
        pytest.skip("only root can make a small disk")
    try:
        writer = Writer(disk / "x.dat", texts(), [0, 1], compression=compression)
        with pytest.raises(FtracepyError) as fault:
            _fill(writer)
        written = writer.size_bytes
        assert fault.value.kernel == "No space left on device"
        assert "x.dat.cpu" in fault.value.wrote or (writer._settled and "x.dat (" in fault.value.wrote)
        assert f"{written >> 10} KB of pages are saved" in fault.value.why
        assert written > 4 << 20
        assert sum(map(len, read_back(recording.open(disk / "x.dat")).values())) == written
        assert [path.name for path in disk.iterdir()] == ["x.dat"]
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed")
@pytest.mark.parametrize(("compression", "settle_bytes"), [("none", 1 << 30), ("none", PAGE_BYTES), ("zstd", 1 << 30)])
def test_trace_cmd_reads_what_we_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, settle_bytes: int
) -> None:
    monkeypatch.setattr(recording.writer, "SETTLE_BYTES", settle_bytes)
    lossy = Pages(1, page(7000, [-1, 17], lost=23))
    path = write(tmp_path / "x.dat", [pages(0, [1000, 5000]), pages(1, [3000]), lossy], compression=compression)
    report = subprocess.run(["trace-cmd", "report", "-N", "-t", "-i", path], capture_output=True, text=True, check=True)
    assert report.stderr == ""
    lines = report.stdout.splitlines()
    assert lines[0] == "cpus=2"
    assert sum("first:" in line for line in lines) == 302
    assert lines[-1].split() == ["a", "name", "with", "spaces-7", "[001]", "0.000007001:", "first:", "number=17"]
    assert "CPU:1 [23 EVENTS DROPPED]" in lines


@pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed")
def test_trace_cmd_finds_every_section_and_option(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [1000])], stats=[CpuStats(0, overrun=7)])
    command = ["trace-cmd", "dump", "--summary", "--options", "--sections", "-i", str(path)]
    dump = subprocess.run(command, capture_output=True, text=True, check=True)
    assert dump.stderr == ""
    for words in ("overrun: 7", '"" [name]', '"mono" [clock]', "Linux box 6.18.0", "Events format, 1 systems"):
        assert words in dump.stdout


@pytest.mark.parametrize("count", [1, 5, 1500])  # one call to the kernel takes 1024 at most
def test_pages_that_came_together_are_written_as_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    parts = [Pages(at & 1, page(1000 * (at + 1), [at])) for at in range(count)]
    short = os.pwritev

    def a_page_and_a_half(fd: int, pieces: list[memoryview], offset: int) -> int:
        return short(fd, [pieces[0], pieces[1][: PAGE_BYTES // 2]], offset)

    monkeypatch.setattr(os, "pwritev", a_page_and_a_half)
    with Writer(tmp_path / "x.dat", texts(), [0, 1]) as writer:
        writer.write_round(parts)
    whole = {cpu: b"".join(bytes(part.data) for part in parts if part.cpu == cpu) for cpu in (0, 1)}
    assert read_back(recording.open(tmp_path / "x.dat")) == whole
