"""Guests' recordings, made of others by adding what a guest's recorder measured: times as `trace-cmd report` corrects them."""

from __future__ import annotations

import io
import lzma
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from ftracepy.pipeline.convert import ConvertRequest, convert
from ftracepy.pipeline.report import report
from ftracepy.pipeline.requests import ReportRequest, Stop
from ftracepy.recording.options import OptionId
from tests.support.corpus import ROOT
from tests.support.tracecmd import trace_cmd

_FILES = sorted(
    path
    for pattern in (
        "k6.1/sched-*",
        "k6.12/smp4*",
        "k7.2/clock_x86*",
        "k6.1/drop_mix*",
        "k6.12/inst3*",
        "k6.12-arm64*/fmt_v7_big*",
    )
    for path in ROOT.glob(f"dat/{pattern}.dat*")
    if "_v6" not in path.name
)
_INTERPOLATE = 1

pytestmark = [
    pytest.mark.skipif(not _FILES, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)"),
    pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed"),
]


def with_options(data: bytes, options: Sequence[tuple[int, bytes]]) -> bytes:
    """A recording of version 7 with one more section of options at its end."""
    at = data.index(b"\0", data.index(b"\0", 18) + 1) + 1
    while True:
        (place,) = struct.unpack_from("<Q", data, at)
        if not place:
            break
        place += 16
        while (head := struct.unpack_from("<HI", data, place))[0] != OptionId.DONE:
            place += 6 + head[1]
        at = place + 6
    body = b"".join(struct.pack("<HI", number, len(one)) + one for number, one in [*options, (0, bytes(8))])
    section = struct.pack("<HHIQ", 0, 0, 0, len(body)) + body
    return data[:at] + struct.pack("<Q", len(data)) + data[at + 8 :] + section


Samples = Sequence[tuple[int, int, int, int]]  # time, offset, ratio, fraction bits


def time_shift(cpus: Sequence[Samples], flags: int = 0, *, fractions: bool = True) -> tuple[int, bytes]:
    data = struct.pack("<QII", 0x1234, flags, len(cpus))
    for samples in cpus:
        data += struct.pack("<I", len(samples))
        data += b"".join(struct.pack("<q", sample[column]) for column in range(3) for sample in samples)
    if fractions:
        data += b"".join(struct.pack("<q", sample[3]) for samples in cpus for sample in samples)
    return OptionId.TIME_SHIFT, data


def shown(path: Path) -> list[str]:
    out, said = io.BytesIO(), list[str]()
    report(ReportRequest(str(path), style="trace-cmd", ns=True), out, said.append, Stop())
    assert said == []
    return out.getvalue().decode(errors="replace").splitlines()


def theirs(path: Path) -> list[str]:
    return trace_cmd("report", "-N", "-t", "-i", path).decode(errors="replace").splitlines()


def first_difference(mine: list[str], want: list[str]) -> object:
    return next(
        ((at, *both) for at, both in enumerate(zip(mine, want, strict=False)) if both[0] != both[1]), len(mine) - len(want)
    )


def shifts(first: int, last: int) -> dict[str, tuple[int, bytes]]:
    """`first`, `last`: of the recording's stamps."""
    step = (last - first) // 5 or 1
    times = [first + step * part for part in (4, 2, 3, 1, 2)]
    wavy = [(time, at * 1000 * (-1) ** at - first // 2, 1, 0) for at, time in enumerate(times)]
    scaled = [(time, at * 100, 3 + at, 1) for at, time in enumerate(times)]
    return {
        "one": time_shift([[(first, 12345, 1, 0)]] * 4),
        "one_old": time_shift([[(first, -1000, 1, 0)]] * 2, fractions=False),
        "two": time_shift([[(first, 500, 1, 0), (last, 900_000, 1, 0)]] * 4, _INTERPOLATE),
        "wavy": time_shift([wavy, wavy[:3], wavy[1:], wavy], _INTERPOLATE),
        "steps": time_shift([wavy, wavy[:3], wavy[1:]]),
        "scaled": time_shift([scaled] * 4, _INTERPOLATE),
        "not_all_cpus": time_shift([[(first, -700, 1, 0), (last, 700, 1, 0)]], _INTERPOLATE),
    }


@pytest.mark.parametrize("kind", ["one", "one_old", "two", "wavy", "steps", "scaled", "not_all_cpus"])
@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_times_are_the_hosts(path: Path, kind: str, tmp_path: Path) -> None:
    data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    file = tmp_path / "guest.dat"
    file.write_bytes(data)
    stamps = _stamps(file)
    file.write_bytes(with_options(data, [shifts(stamps[0], stamps[-1])[kind]]))
    mine, want = shown(file), theirs(file)
    if "inst" in path.name:  # its instances are shifted by nobody there
        mine, want = ([line for line in lines if line.startswith("    ")] for lines in (mine, want))
    assert mine == want, first_difference(mine, want)
    convert(ConvertRequest((str(file),), str(tmp_path / "y.dat"), since_s=0.0), print, Stop())
    assert shown(tmp_path / "y.dat") == shown(file)


def _stamps(path: Path) -> list[int]:
    from ftracepy import recording
    from ftracepy.stream import Stream

    return sorted(ts for batch in Stream(recording.open(path)) for ts in batch.ts)
