"""Texts that changed while a recorder copied them: longer or shorter than it had said, formats counted that were gone.

trace-cmd 3.1 to 3.4 write such files beside busy threads and other people's probes, and cannot read them again.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from recording_samples import format_text, pages, read_back, texts

from ftracepy import recording
from ftracepy.recording import Writer
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.options import OptionId
from ftracepy.recording.texts import TEXTS, Place
from ftracepy.recording.writer6 import Writer6

WRITERS = (Writer6, Writer)
FORMAT = format_text("first", 300)
COMMS = b"7 a name with spaces\n9 cat\n"


def made(folder: Path, writer: type[Writer], order: str = "<") -> bytes:
    """A sound file with a system `gone` that has no formats, in front of the others and behind them."""
    given = texts(order)
    given.formats = {"gone": [], **given.formats, "gone_too": []}
    with writer(folder / "sound.dat", given, [0, 1]) as one:
        one.write(pages(0, [1000], order))
        one.write(pages(1, [2000], order))
    return (folder / "sound.dat").read_bytes()


def opened(folder: Path, data: bytes) -> recording.Recording:
    (folder / "x.dat").write_bytes(data)
    found = recording.open(folder / "x.dat")
    assert read_back(found) == {0: pages(0, [1000]).data, 1: pages(1, [2000]).data}
    return found


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("off", [-9, 7, 300])
def test_names_of_threads(tmp_path: Path, writer: type[Writer], off: int) -> None:
    data = made(tmp_path, writer)
    at = data.index(COMMS)
    found = opened(tmp_path, data[: at - 8] + struct.pack("<Q", len(COMMS) + off) + data[at:])
    assert found.schema.cmdlines == {7: "a name with spaces", 9: "cat"}
    (notice,) = found.health().notices
    said = f"saved_cmdlines should have {len(COMMS) + off} bytes, and has {len(COMMS)}: it changed while copied"
    assert notice == f"at byte {at}: {said}"


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(("system", "count"), [("gone", 1), ("gone", 9), ("gone_too", 2)])
def test_formats_that_were_gone(tmp_path: Path, writer: type[Writer], system: str, count: int) -> None:
    data = made(tmp_path, writer)
    name = system.encode() + b"\0"
    at = data.index(name) + len(name)
    assert data[at : at + 4] == bytes(4)
    found = opened(tmp_path, data[:at] + struct.pack("<I", count) + data[at + 4 :])
    assert {one.name for one in found.schema.formats.values()} == {"print", "first", "second"}
    (notice,) = found.health().notices
    assert f"at byte {at + 4}: of the {count} formats that '{system}' should have, 0 are here" in notice


def test_a_length_without_its_format(tmp_path: Path) -> None:
    """The first that was gone had been asked for its length."""
    body = b"gone\0" + struct.pack("<IQ", 2, 1220) + b"sample\0" + struct.pack("<IQ", 1, len(FORMAT)) + FORMAT
    held, notices = texts(), list[str]()
    held.formats.clear()
    place = Cursor(memoryview(struct.pack("<I", 2) + body), "x.dat")
    TEXTS[OptionId.EVENT_FORMATS](Place(place, held, notices, alone=True))
    assert (held.formats, place.left, len(notices)) == ({"sample": [FORMAT]}, 0, 1)
