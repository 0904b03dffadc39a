"""A damaged file is read as far as it goes or refused with place and reason: no traceback, hang or huge allocation."""

from __future__ import annotations

import os
import random
import re
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from recording_samples import PAGE_BYTES, format_text, pages, read_back, texts, write

from ftracepy import recording
from ftracepy.errors import FtracepyError, RecordingFault
from ftracepy.recording import Writer

COMPRESSIONS = ("none", "zlib", "zstd")
MOST_BYTES = 64 << 20


@pytest.fixture(params=COMPRESSIONS)
def sound(tmp_path: Path, request: pytest.FixtureRequest) -> bytes:
    """A sound recording of two CPUs."""
    return write(tmp_path / "sound.dat", [pages(0, [1000, 5000]), pages(1, [2000])], compression=request.param).read_bytes()


def attempt(path: Path, data: bytes) -> int:
    """Read `data` as a recording: the number of bytes of pages it gave, -1 for a refusal, -2 for one that says too little."""
    path.write_bytes(data)
    try:
        return sum(map(len, read_back(recording.open(path)).values()))
    except RecordingFault as refusal:
        return -1 if refusal.why and "cannot read the recording" in refusal.what else -2


@pytest.fixture
def bounded() -> Iterator[None]:
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST_BYTES


@pytest.mark.usefixtures("bounded")
def test_cut_at_every_place(tmp_path: Path, sound: bytes) -> None:
    """What is read of a file without its end is the whole pages that are there, those of each CPU, and nothing else."""
    whole, before = {0: bytes(pages(0, [1000, 5000]).data), 1: bytes(pages(1, [2000]).data)}, -1
    for size in range(0, len(sound), 13):
        found = attempt(tmp_path / "x.dat", sound[:size])
        assert found in (-1, PAGE_BYTES, 2 * PAGE_BYTES, 3 * PAGE_BYTES)
        assert found >= before or before == PAGE_BYTES * 3, "a longer file holds no less"
        if found > 0:
            recovered = recording.open(tmp_path / "x.dat")
            assert all(whole[cpu].startswith(data) for cpu, data in read_back(recovered).items())
            assert found == 3 * PAGE_BYTES or "cut short" in "".join(recovered.health().notices)
        before = found
    assert before == 3 * PAGE_BYTES


@pytest.mark.usefixtures("bounded")
def test_every_byte_outside_the_pages_changed(tmp_path: Path, sound: bytes) -> None:
    dice = random.Random(1)
    empty = re.compile(b"\0{64,}")  # what is left of pages holds nothing to misread
    places = set(range(len(sound))).difference(*(range(*gap.span()) for gap in empty.finditer(sound)))
    for place in sorted(places)[::5]:
        assert attempt(tmp_path / "x.dat", sound[:place] + bytes([dice.randrange(256)]) + sound[place + 1 :]) > -2


@pytest.mark.usefixtures("bounded")
def test_every_number_made_huge(tmp_path: Path, sound: bytes) -> None:
    for place in range(0, len(sound) - 8, 7):
        if sound[place : place + 64].strip(b"\0"):
            assert attempt(tmp_path / "x.dat", sound[:place] + b"\xff\xff\xff\x7f" + sound[place + 4 :]) > -2


def test_a_chain_of_options_that_returns(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [1000])])
    data = bytearray(path.read_bytes())
    first = struct.unpack_from("<Q", data, 24)[0]
    done = data.rindex(struct.pack("<HIQ", 0, 8, 0))
    struct.pack_into("<Q", data, done + 6, first)
    path.write_bytes(data)
    found = recording.open(path)
    assert found.health().notices == [f"the chain of options returns to byte {first}; what follows is not read"]
    assert len(read_back(found)[0]) == PAGE_BYTES


def test_data_that_ends_early_is_given_as_far_as_it_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [1000, 2000, 3000])])
    data = path.read_bytes()
    place = struct.pack("<Q", 3 * PAGE_BYTES)
    at = data.rindex(place)
    path.write_bytes(data[:at] + struct.pack("<Q", 1 << 40) + data[at + 8 :])
    found = recording.open(path)
    assert read_back(found)[0].startswith(pages(0, [1000, 2000, 3000]).data)
    [early] = [notice for notice in found.health().notices if "early" in notice]
    assert re.search(r"the data of CPU 0 is incomplete: at byte \d+: it ends here, \d+ bytes early: cut short\?", early)


def test_a_file_cut_short_while_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, range(1000, 300_000, 1000)), pages(1, [2000])])
    found = recording.open(path)
    rounds = found.rounds()
    next(rounds)
    os.truncate(path, 64 << 10)
    assert sum(len(part.data) for round_ in rounds for part in round_.pages if part.cpu == 0) == 256 << 10  # held already
    told = [notice for notice in found.health().notices if "has become shorter" in notice]
    assert [re.sub(r"\d+", "N", notice) for notice in told] == [
        "the data of CPU N is incomplete: at byte N: the file has become shorter: N bytes of the data of CPU N are gone"
    ]


@pytest.mark.usefixtures("bounded")
def test_a_hole_of_a_terabyte_is_gone_over(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [1000, 2000])])
    found = recording.open(path)
    data, (place,) = path.read_bytes(), found.buffer.cpus
    entry = struct.pack("<IQQ", 0, place.offset, place.size)
    at = data.rindex(entry)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack("<IQQ", 0, place.offset + (1 << 40), 1 << 40))
        file.seek(place.offset + (1 << 40) + (1 << 39))
        file.write(pages(0, [1000, 2000]).data)
        file.truncate(place.offset + (2 << 40))
    again = recording.open(path)
    assert read_back(again)[0].replace(bytes(PAGE_BYTES), b"") == pages(0, [1000, 2000]).data
    assert again.health().notices == []


def test_a_bad_chunk_ends_its_cpu_with_a_notice(tmp_path: Path) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [1000]), pages(1, [2000])], compression="zstd")
    data = bytearray(path.read_bytes())
    frame = data.rindex(b"\x28\xb5\x2f\xfd", 0, data.rindex(b"\x28\xb5\x2f\xfd"))  # the last frame is STRINGS, before it CPU 1
    data[frame] ^= 1
    path.write_bytes(data)
    found = recording.open(path)
    assert read_back(found) == {0: pages(0, [1000]).data, 1: b""}
    assert "the data of CPU 1 is incomplete" in found.health().notices[0]


def test_a_bad_format_costs_that_event_alone(tmp_path: Path) -> None:
    odd = texts()
    odd.formats["sample"].insert(0, format_text("odd", 302).replace(b"name:", b"nome:"))
    with Writer(tmp_path / "x.dat", odd, [0]):
        pass
    found = recording.open(tmp_path / "x.dat")
    assert {one.name for one in found.schema.formats.values()} == {"print", "first", "second"}
    assert found.health().notices == ["an event of sample cannot be read: an event format of system 'sample' has no name or ID"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"PERFILE2" + bytes(100), "at byte 0: this is not a trace.dat file"),
        (b"\x17\x08\x44tracing8\0" + bytes(100), "at byte 10: this is version '8'"),
        (b"\x17\x08\x44tracing7\0\0\x08\0\x10\0\0lzo\0\0" + bytes(100), "only none, zlib and zstd are known"),
        (b"\x17\x08\x44tracing7\0\0\x08\0\x10\0\0none\0\0" + bytes(100), "its recording did not end well"),
        (b"\x17\x08\x44tracing7\0\0\x08\1\0\0\0none\0\0" + bytes(100), "1 bytes cannot be the size of a page"),
    ],
)
def test_what_is_not_a_recording_is_refused_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "x.dat").write_bytes(content)
    with pytest.raises(RecordingFault, match="cannot read the recording") as fault:
        recording.open(tmp_path / "x.dat")
    assert why in fault.value.why


@pytest.mark.parametrize(
    ("name", "why"), [("missing.dat", "No such file"), (".", "directory"), ("/dev/null", "not a regular file")]
)
def test_what_cannot_be_opened(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(RecordingFault) as fault:
        recording.open(tmp_path / name)
    assert why in fault.value.why


def test_a_missing_codec_is_one_plain_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.dat", [pages(0, [1000])], compression="zstd")

    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("ftracepy.recording.codecs.importlib.import_module", refuse)
    with pytest.raises(RecordingFault) as fault:
        recording.open(path)
    assert fault.value.lines() == [
        f"cannot read the recording '{path}': cannot use the compression 'zstd'",
        "  because this Python has no zstd",
        "  try     pip install backports.zstd",
    ]


def test_an_instance_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FtracepyError, match="no instance 'foo'"):
        recording.open(write(tmp_path / "x.dat", [pages(0, [1000])]), instance="foo")
