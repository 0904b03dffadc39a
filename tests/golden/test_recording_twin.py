"""Every page of other people's recordings, sound and damaged: the C decoder and its Python twin say the same of it."""

from __future__ import annotations

import lzma
import shutil
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.recording import Recording
from ftracepy.stream import Stream
from tests.support.corpus import ROOT
from tests.support.decoders import decode, implementations, picture
from tests.support.mutate import mutated

FILES = sorted([*ROOT.glob("dat/*/*.dat"), *ROOT.glob("dat/*/*.dat.xz"), *ROOT.glob("public/trace.dat/*.dat.xz")])
PAGES = sorted(ROOT.glob("public/perfetto/pages/*.bin"))
_MOST_PAGES = 6  # of one CPU, from its beginning; the end of a CPU's data is its last page

pytestmark = [
    pytest.mark.skipif(not FILES, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)"),
    pytest.mark.skipif(len(implementations()) < 2, reason="the C decoder was not built"),
]


def agree(found: Recording, data: dict[int, bytes]) -> int:
    """The number of events."""
    pictures = [picture(decode(name, found.schema, data)) for name in implementations()]
    assert all(left == right for left, right in pairwise(pictures))
    return len(pictures[0]["events"])


def pages_of(found: Recording) -> dict[int, bytes]:
    data: dict[int, bytes] = {}
    for round_ in found.rounds():
        for part in round_.pages:
            data[part.cpu] = data.get(part.cpu, b"") + bytes(part.data)
    return data


def chosen(data: dict[int, bytes], size: int) -> dict[int, bytes]:
    return {
        cpu: pages if len(pages) <= _MOST_PAGES * size else pages[: _MOST_PAGES * size] + pages[-size:]
        for cpu, pages in data.items()
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_recordings(path: Path, tmp_path: Path) -> None:
    if path.suffix == ".xz":
        (tmp_path / "x.dat").write_bytes(lzma.decompress(path.read_bytes()))
        path = tmp_path / "x.dat"
    for one in recording.open(path).every_instance():
        size, data = one.schema.page.size_bytes, pages_of(one)
        events = agree(one, chosen(data, size))
        assert events or not any(data.values()) or "empty" in path.name
        for seed in range(3):
            agree(one, {cpu: mutated(pages[: 2 * size], seed * 64 + cpu, size) for cpu, pages in data.items() if pages})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The public pages as folders, each with the formats it was published with."""
    root = tmp_path_factory.mktemp("public")
    for archive in ROOT.glob("public/perfetto/formats/*.tar.xz"):
        with tarfile.open(archive) as packed:
            packed.extractall(root / "formats", filter="data")
    return {path.stem: _folder(path, root) for path in PAGES}


def _folder(page: Path, root: Path) -> Path:
    about = page.with_name(f"{page.stem}.about.txt")
    said = dict(_named(about.read_text())) if about.exists() else {}
    formats = root / "formats" / said.get("format dir", "synthetic")
    folder = root / page.stem
    shutil.copytree(formats if formats.is_dir() else root / "formats/synthetic", folder)
    if not (folder / "events/header_page").exists():
        shutil.copy(page.with_name("synthetic_header_page.txt"), folder / "header_page")
    shutil.copy(page, folder / "cpu0.raw")
    return folder


def _named(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, colon, value = line.partition(": ")
        if colon:
            yield name, value.strip()


# What the comments beside the pages, and the tests they come from, say of them.
_EVENTS = {
    "abs_timestamp": 47, "generic_sched_page": 3, "sched_page": 7, "single_print": 1, "six_sched_switch": 6, "suspend_resume": 13,
    "switch_page": 1, "switch_page_lost_events": 1, "three_prints": 3, "full_page_sched_switch": 59, "invalid_page": 0,
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_public_pages(page: Path, folders: dict[str, Path]) -> None:
    found = recording.open(folders[page.stem])
    stream = Stream(found.again())
    events = sum(len(batch) for batch in stream)
    assert agree(found, {0: page.read_bytes()}) == events == _EVENTS.get(page.stem, events)
    assert bool(stream.faults) == (page.stem in ("invalid_page", "four_byte_commit", "zero_padded"))
    for seed in range(20):
        agree(found, {0: mutated(page.read_bytes(), seed)})
