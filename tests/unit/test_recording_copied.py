"""--follow beside a program that copies a recording here: waited for while it grows or is written, then read as it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from recording_samples import pages, read_back, texts, write

from ftracepy import recording
from ftracepy.errors import RecordingFault
from ftracepy.recording import Recording, Writer
from ftracepy.recording.writer6 import Writer6

FIRST, SECOND = pages(0, [1000, 5000]), pages(1, [2000])
LONG_AGO_S = 1_000_000_000


def sound(folder: Path, writer: type[Writer], compression: str) -> bytes:
    if writer is Writer:
        return write(folder / "sound.dat", [FIRST, SECOND], compression=compression).read_bytes()
    with writer(folder / "sound.dat", texts(), [0, 1]) as one:
        one.write(FIRST)
        one.write(SECOND)
    return (folder / "sound.dat").read_bytes()


@pytest.mark.parametrize(("writer", "compression"), [(Writer6, "none"), (Writer, "none"), (Writer, "zstd")])
@pytest.mark.parametrize("part", [0, 5, 40, 70, 95, 99])
def test_what_is_still_being_copied(tmp_path: Path, writer: type[Writer], compression: str, part: int) -> None:
    data, path, said = sound(tmp_path, writer, compression), tmp_path / "x.dat", list[str]()
    path.write_bytes(data[: len(data) * part // 100])

    def waiting(text: str) -> None:
        said.append(text)
        path.write_bytes(data)

    found = recording.follow(path, say=waiting)
    assert isinstance(found, Recording)
    assert read_back(found) == {0: FIRST.data, 1: SECOND.data}
    assert found.health().notices == []
    assert part > 90 or len(said) == 1
    assert all("has no end yet" in text for text in said)


def test_a_copy_that_broke_off_long_ago(tmp_path: Path) -> None:
    data, path = sound(tmp_path, Writer6, "none"), tmp_path / "x.dat"
    path.write_bytes(data[:-5000])
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    found = recording.follow(path, say=pytest.fail)
    assert isinstance(found, Recording)
    assert "cut short?" in "".join([*map(str, read_back(found)), *found.health().notices])
    path.write_bytes(data[:100])
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    with pytest.raises(RecordingFault, match="cannot read the recording"):
        recording.follow(path, say=pytest.fail)


def test_a_copy_whose_program_ends(tmp_path: Path) -> None:
    """It does not grow, but a program could still write it; when that has ended, what is there is all."""
    data, path = sound(tmp_path, Writer6, "none"), tmp_path / "x.dat"
    path.write_bytes(data[:-2000])
    with path.open("ab") as out:
        copier = subprocess.Popen(["sleep", "1000"], stdout=out)
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    said = list[str]()

    def waiting(text: str) -> None:
        said.append(text)
        copier.kill()
        copier.wait()

    found = recording.follow(path, say=waiting)
    assert isinstance(found, Recording)
    assert len(said) == 1
    assert read_back(found)[0] == FIRST.data


def test_a_reader_is_no_copier(tmp_path: Path) -> None:
    data, path = sound(tmp_path, Writer6, "none"), tmp_path / "x.dat"
    path.write_bytes(data[:-5000])
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    with path.open("rb") as file, subprocess.Popen(["sleep", "1000"], stdin=file) as reader:
        recording.follow(path, say=pytest.fail)
        reader.kill()


def test_the_wait_ends_when_asked(tmp_path: Path) -> None:
    data, path, asked = sound(tmp_path, Writer6, "none"), tmp_path / "x.dat", list[str]()
    path.write_bytes(data[:-5000])
    found = recording.follow(path, stopped=lambda: bool(asked), say=asked.append)
    assert (isinstance(found, Recording), len(asked)) == (True, 1)
