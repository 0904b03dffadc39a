"""Recordings damaged in each section, in numbers and in cuts: reading, checking and converting end in rows or in a sentence."""

from __future__ import annotations

import io
import lzma
import os
import signal
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from types import FrameType

import pytest

from ftracepy.errors import FtracepyError
from ftracepy.pipeline.check import check
from ftracepy.pipeline.convert import ConvertRequest, convert
from ftracepy.pipeline.report import report
from ftracepy.pipeline.requests import ReportRequest, Stop
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.head import read_head
from ftracepy.recording.recover import walk
from tests.support.corpus import ROOT

ROUNDS = int(os.environ.get("FTRACEPY_FUZZ_ROUNDS", "40")) // 4
SEED = os.environ.get("FTRACEPY_FUZZ_SEED", "")
_KINDS = (
    "fmt_v7_zstd-k6.1-", "fmt_v7_none-k7", "fmt_v7_zlib-k5", "fmt_v6-k6.12-s390x", "inst3-k6.12", "fmt_v6_inst-k6.1-",
    "opt_date-k6.1-", "smp4_mask", "marker-k6.12-arm64", "drop_mix-k6.12-s390x", "fmt_v6-k6.1-i386", "agent_host",
)  # fmt: skip
FILES = [path for path in sorted(ROOT.glob("dat/*/*.dat*")) if path.suffix in (".dat", ".xz") and path.name.startswith(_KINDS)]
_MOST_BYTES = 200 << 20
_MOST_S = 30
_NUMBERS = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x80", b"\1\0\0\0")

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)")


def places(data: bytes) -> list[tuple[int, int]]:
    """Where each part begins, and as far as most of its numbers go."""
    cursor = Cursor(memoryview(data), "x")
    if read_head(cursor).version == 6:
        return [(0, cursor.at + 64), (len(data) // 8, len(data))]
    return [(0, cursor.at), *((one.header, min(one.start + 400, one.end)) for one in walk(cursor))]


def damaged(sound: bytes, seed: str) -> bytes:
    dice, data, parts = Random(seed), bytearray(sound), places(sound)
    for _ in range(dice.choice([1, 1, 2, 5])):
        first, last = dice.choice(parts)
        at = min(dice.randrange(first, max(last, first + 1)) if dice.random() < 0.8 else dice.randrange(len(data)), len(data) - 9)
        match dice.randrange(6):
            case 0:
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                data[at : at + 4] = dice.choice(_NUMBERS)
            case 2:
                number = dice.choice([len(data), len(data) - 1, 1 << 40, 1 << 63, 0, dice.randrange(len(data))])
                data[at : at + 8] = struct.pack("<Q", number)
            case 3:
                del data[at : at + dice.randrange(1, 64)]
            case 4:
                data[at:at] = dice.randbytes(dice.randrange(1, 40))
            case _:
                del data[max(at, 64) :]
    return bytes(data)


@contextmanager
def bounded() -> Iterator[None]:
    """Time and memory."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    tracemalloc.start()
    signal.alarm(_MOST_S)
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < _MOST_BYTES
    finally:
        signal.alarm(0)
        tracemalloc.stop()
        signal.signal(signal.SIGALRM, before)


def _ways(file: Path, folder: Path) -> list[Callable[[], object]]:
    def quiet(_: str) -> None:
        pass

    return [
        lambda: report(ReportRequest(str(file)), io.BytesIO(), quiet, Stop()),
        lambda: report(ReportRequest(str(file), style="trace-cmd", form="latency"), io.BytesIO(), quiet, Stop()),
        lambda: report(ReportRequest(str(file), format="json"), io.BytesIO(), quiet, Stop()),
        lambda: check(str(file), io.BytesIO(), Stop()),
        lambda: convert(ConvertRequest((str(file),), str(folder / "y.dat"), since_s=0.0), quiet, Stop()),
        lambda: convert(ConvertRequest((str(file),), str(folder / "z.dat"), version=6), quiet, Stop()),
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_rows_or_a_sentence(path: Path, tmp_path: Path) -> None:
    sound = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    file = tmp_path / "x.dat"
    for number in range(ROUNDS):
        file.write_bytes(damaged(sound, f"{SEED}{path.name} {number}"))
        way = _ways(file, tmp_path)[number % 6]
        with bounded(), suppress(FtracepyError):
            way()
