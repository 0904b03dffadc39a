"""report --check: sound recordings are sound, and each kind of damage is found where it is."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import pytest
from recording_samples import PAGE_BYTES, page, pages, texts, write

from ftracepy import recording
from ftracepy.errors import ExitCode
from ftracepy.pipeline.check import check
from ftracepy.pipeline.requests import Stop
from ftracepy.recording import Writer
from ftracepy.recording.options import OptionId
from ftracepy.source import CpuStats, Pages


def checked(path: Path) -> tuple[ExitCode, list[str]]:
    out = io.BytesIO()
    code = check(str(path), out, Stop())
    return code, out.getvalue().decode().splitlines()


def faults(path: Path) -> list[str]:
    code, lines = checked(path)
    found = [line.removeprefix("FAULT ") for line in lines if line.startswith("FAULT ")]
    assert code == (ExitCode.FAILED if found else ExitCode.DONE)
    assert lines[-1] == (f"{len(found)} faults" if len(found) != 1 else "1 fault")
    return found


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_sound_one(tmp_path: Path, compression: str) -> None:
    stats = [CpuStats(0, read=200), CpuStats(1, entries=60, read=40)]
    path = write(tmp_path / "x.dat", [pages(0, [1000, 5000]), pages(1, [3000])], compression=compression, stats=stats)
    assert checked(path) == (
        ExitCode.DONE,
        [
            f"{path}: version 7, compression {compression}, Linux box 6.18.0 x86_64",
            "CPU 0: 200 events in 2 pages, 0.000001 to 0.000005 s",
            "CPU 1: 100 events in 1 pages, 0.000003 to 0.000003 s",
            "0 faults",
        ],
    )


def test_time_that_goes_back(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(2, [1000, 9000, 4000])])
    (data,) = (data for data in recording.open(path).buffers[0].cpus if data.cpu == 2)
    where = data.offset + 2 * PAGE_BYTES
    assert faults(path) == [f"CPU 2: byte {where}: in this page time goes back by 5099, from 9099 to 4000"]


def test_counts_that_disagree(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [1000])], stats=[CpuStats(0, read=101, entries=7)])
    assert faults(path) == ["CPU 0: 100 events are here, but the kernel counted 101 read and 7 left at the end"]


@pytest.mark.parametrize(("writer", "noted"), [(b"trace-cmd 3.4", True), (b"ftracepy 0.1", False)])
@pytest.mark.parametrize("read", [101, 99])
def test_others_may_keep_fewer(tmp_path: Path, writer: bytes, noted: bool, read: int) -> None:
    """trace-cmd -m drops the oldest; nobody has more than the kernel counted."""
    kept = [(int(OptionId.VERSION), writer + b"\0")]
    with Writer(tmp_path / "x.dat", texts(), [0], options=kept) as one:
        one.write(pages(0, [1000]))
        one.finish([CpuStats(0, read=read)])
    code, lines = checked(tmp_path / "x.dat")
    assert (code == ExitCode.DONE) == (noted and read > 100)
    said = f"CPU 0: 100 events are here, but the kernel counted {read} read and 0 left at the end"
    assert lines[-2].partition(": trace-cmd drops")[0] == f"{'NOTE' if noted and read > 100 else 'FAULT'} {said}"


def test_a_type_without_a_format(tmp_path: Path) -> None:
    bad = bytearray(pages(0, [1000]).data)
    struct.pack_into("<H", bad, 16 + 4, 999)
    assert faults(write(tmp_path / "x.dat", [Pages(0, bytes(bad))])) == ["CPU 0: events of type 999 have no format"]


def test_a_page_that_cannot_be_read(tmp_path: Path) -> None:
    bad = bytearray(pages(0, [1000]).data)
    struct.pack_into("<Q", bad, 8, 5000)
    path = write(tmp_path / "x.dat", [Pages(0, bytes(bad)), pages(0, [2000])])
    (fault,) = faults(path)
    assert fault.startswith(f"CPU 0: byte {recording.open(path).buffers[0].cpus[0].offset}: ")


@pytest.mark.parametrize("cut", [100, 4096, 5000])
def test_a_file_cut_short(tmp_path: Path, cut: int) -> None:
    """The options stand at the end of what we write, so it is the start of the file that is missing nothing."""
    path = write(tmp_path / "x.dat", [pages(0, [1000, 2000]), pages(1, [1500])])
    (place,) = (data for data in recording.open(path).buffers[0].cpus if data.cpu == 1)
    data = bytearray(path.read_bytes())
    # CPU 1 claims more than the file has.
    at = data.rindex(struct.pack("<IQQ", 1, place.offset, place.size))
    struct.pack_into("<IQQ", data, at, 1, place.offset, len(data) - place.offset + cut)
    path.write_bytes(data)
    told = faults(path)
    assert told[0].startswith(f"byte {place.offset}: the data of CPU 1 should end at byte {len(data) + cut}")
    assert any("cut short?" in one for one in told)


def test_data_over_each_other(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [1000, 2000]), pages(1, [1500])])
    first, second = recording.open(path).buffers[0].cpus
    data = bytearray(path.read_bytes())
    at = data.rindex(struct.pack("<IQQ", 1, second.offset, second.size))
    struct.pack_into("<IQQ", data, at, 1, first.offset + 100, second.size)
    path.write_bytes(data)
    told = faults(path)
    assert f"byte {first.offset + 100}: the data of CPU 1 do not begin at a multiple of the page size 4096" in told
    inside = f"the data of CPU 1 begin inside the data of CPU 0, which end at byte {first.offset + first.size}"
    assert f"byte {first.offset + 100}: {inside}" in told


def test_what_lies_behind_the_last_section(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [1000])])
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"\xff" * 100)
    assert faults(path) == [f"byte {size}: the 100 bytes from here on are no section"]


def test_for_programs(tmp_path: Path) -> None:
    lossy = Pages(1, page(7000, [1, 17], lost=23))
    stats = [CpuStats(0, read=100), CpuStats(1, read=3, overrun=25)]
    path = write(tmp_path / "x.dat", [pages(0, [1000]), lossy], stats=stats)
    out = io.BytesIO()
    assert check(str(path), out, Stop(), "json") == ExitCode.FAILED
    cpu = {"instance": "", "pages": 1}
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"file": str(path), "version": 7, "compression": "none", "uname": "Linux box 6.18.0 x86_64"},
        cpu | {"cpu": 0, "events": 100, "losses": 0, "lost": 0, "lost_counted": 0, "first": 1000, "last": 1099},
        cpu | {"cpu": 1, "events": 2, "losses": 1, "lost": 23, "lost_counted": 25, "first": 7000, "last": 7001},
        {
            "fault": "2 events are here, but the kernel counted 3 read and 0 left at the end",
            "byte": None,
            "instance": "",
            "cpu": 1,
        },
        {"faults": 1},
    ]
    path = write(tmp_path / "y.dat", [pages(2, [9000, 4000])])
    out = io.BytesIO()
    assert check(str(path), out, Stop(), "json") == ExitCode.FAILED
    where = recording.open(path).buffers[0].cpus[-1].offset + PAGE_BYTES
    (fault,) = [json.loads(line) for line in out.getvalue().splitlines() if b'"fault"' in line]
    assert (fault["byte"], fault["cpu"]) == (where, 2)


def test_many_faults_are_told_briefly(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, range(100_000, 1000, -1000))])
    told = faults(path)
    assert len(told) == 21
    assert told[-1] == "CPU 0: 78 more like these"


def test_a_running_recording_is_not_whole(tmp_path: Path) -> None:
    with Writer(tmp_path / "x.dat", texts(), [0]) as writer:
        writer.write(pages(0, [1000]))
        assert "still runs" in faults(tmp_path / "x.dat")[0]
