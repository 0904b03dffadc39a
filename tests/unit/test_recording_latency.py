"""Recordings of a latency tracer's text: shown as they are, as trace-cmd shows them."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Literal

import pytest
from recording_samples import texts

from ftracepy import recording
from ftracepy.errors import ExitCode, UsageFault
from ftracepy.pipeline.convert import ConvertRequest, convert
from ftracepy.pipeline.report import report
from ftracepy.pipeline.requests import ReportRequest, Stop
from ftracepy.recording.codecs import codec
from ftracepy.recording.head import MAGIC
from ftracepy.recording.sections import Encoder

TEXT = (
    b"# tracer: wakeup\n#\n# latency: 120 us\n"
    + b"  <idle>-0   1dNh2.    0us :      0:120:R   + [001]   17:  0:R migration/1\n" * 3
)
FORMS = ["6", "7", "7 zstd"]


def latency(path: Path, form: str, text: bytes = TEXT) -> Path:
    version, _, compression = form.partition(" ")
    encoder = Encoder("<", codec(compression or "none"))
    if version == "6":
        parts = [MAGIC + b"6\0\0\x08" + encoder.pack("I", 4096), *(body for _, body in encoder.texts(texts()))]
        path.write_bytes(b"".join(parts) + encoder.pack("I", 1) + b"options  \0\0\0" + b"latency  \0" + text)
        return path
    head, at = encoder.head(8, 4096)
    out, options = bytearray(head), b""
    for number, body in encoder.texts(texts()):
        options += encoder.option(number, encoder.pack("Q", len(out)))
        out += encoder.section(number, body)
    place = encoder.pack("Q", len(out)) + b"\0mono\0"
    body = encoder.pack("I", 2) + encoder.chunk(text[:40]) + encoder.chunk(text[40:]) if compression else text
    out += encoder.pack("HHIQ", 22, bool(compression), 0, len(body)) + body
    options += encoder.option(8, encoder.pack("I", 1)) + encoder.option(22, place) + encoder.option(0, encoder.pack("Q", 0))
    struct.pack_into("<Q", out, at, len(out))
    path.write_bytes(bytes(out) + encoder.section(0, options))
    return path


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def shown(path: Path, style: Literal["kernel", "trace-cmd"] = "kernel") -> tuple[bytes, list[str]]:
    out, said = io.BytesIO(), list[str]()
    assert report(ReportRequest(str(path), style=style), out, said.append, Stop()) == ExitCode.DONE
    return out.getvalue(), said


@pytest.mark.parametrize("form", FORMS)
def test_the_text_as_it_is(tmp_path: Path, form: str) -> None:
    assert shown(latency(tmp_path / "x.dat", form)) == (TEXT, [])


@pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed")
@pytest.mark.parametrize("form", FORMS)
def test_as_trace_cmd_shows_it(tmp_path: Path, form: str) -> None:
    path = latency(tmp_path / "x.dat", form)
    theirs = subprocess.run(["trace-cmd", "report", "-N", "-i", path], capture_output=True, check=True)
    assert shown(path, "trace-cmd") == (theirs.stdout, [])


def test_what_a_terminal_would_obey_is_escaped_there_and_nowhere_else(tmp_path: Path) -> None:
    path = latency(tmp_path / "x.dat", "6", b"a \x1b[31m\tb\nc")
    assert shown(path)[0] == b"a \x1b[31m\tb\nc\n"
    screen = Terminal()
    assert report(ReportRequest(str(path)), screen, list[str]().append, Stop()) == ExitCode.DONE
    assert screen.getvalue() == b"a \\x1b[31m\tb\nc\n"


@pytest.mark.parametrize("form", FORMS)
def test_there_are_no_events(tmp_path: Path, form: str) -> None:
    path = latency(tmp_path / "x.dat", form)
    found = recording.open(path)
    assert [round_.pages for round_ in found.rounds()] == [()]
    assert found.health().notices == ["this recording holds a latency tracer's text, not events"]
    with pytest.raises(UsageFault, match="text, not events"):
        report(ReportRequest(str(path), format="json"), io.BytesIO(), print, Stop())
    with pytest.raises(UsageFault, match="nothing to convert"):
        convert(ConvertRequest((str(path),), str(tmp_path / "y.dat")), print, Stop())


def test_a_damaged_text_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    path = latency(tmp_path / "x.dat", "7 zstd")
    data = bytearray(path.read_bytes())
    second = data.rindex(b"\x28\xb5\x2f\xfd")
    data[second : second + 4] = b"nope"
    path.write_bytes(data)
    text, said = shown(path)
    assert text == TEXT[:40] + b"\n"
    assert "the text is incomplete: at byte" in said[0]
