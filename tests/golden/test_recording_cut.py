"""Recordings of trace-cmd without their end: every whole page that is still there, and each with its own CPU."""

from __future__ import annotations

import lzma
from pathlib import Path
from random import Random

import pytest

from ftracepy import recording
from ftracepy.errors import RecordingFault
from ftracepy.recording import Recording
from ftracepy.stream import Stream
from tests.support.corpus import ROOT

_KINDS = (
    "fmt_v7_none",
    "fmt_v7_big",
    "drop_mix-k6.1-",
    "sched-",
    "conv_v7none",
    "smp4_mask",
    "inst_func-k7",
    "fmt_extract-k6.1-i386",
)
FILES = [path for path in sorted(ROOT.glob("dat/*/*.dat*")) if path.suffix in (".dat", ".xz") and path.name.startswith(_KINDS)]

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)")

_COUNT_BYTES = 4  # of the number of chunks, which trace-cmd 3.1 leaves out of the size it writes

Seen = dict[int, list[tuple[int, int, bytes]]]


def events(found: Recording) -> Seen:
    seen: Seen = {}
    for batch in Stream(found):
        for event in batch:
            seen.setdefault(event.cpu, []).append((event.ts, event.id, event.raw))
    return seen


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_there_is_read(path: Path, tmp_path: Path) -> None:
    sound = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    file = tmp_path / "x.dat"
    file.write_bytes(sound)
    found = recording.open(file, instance="")
    if found.version != 7 or not any(data.size for data in found.buffer.cpus):
        pytest.skip("no pages in the top-level buffer of a file of version 7")
    whole, data = events(found), [data for data in found.buffer.cpus if data.size]
    first, last = min(one.offset for one in data), max(one.offset + one.size for one in data) + _COUNT_BYTES
    dice = Random(path.name)
    for cut in [last, last + 40, *(dice.randrange(first, last) for _ in range(6))]:
        file.write_bytes(sound[:cut])
        try:
            again = recording.open(file, instance="")
        except RecordingFault:
            assert cut < last  # perhaps no page is whole
            continue
        seen = events(again)
        assert all(whole[cpu][: len(some)] == some for cpu, some in seen.items()), again.health().notices
        assert cut < last or seen == whole
        assert any("cut short" in notice for notice in again.health().notices)
