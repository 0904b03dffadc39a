"""Damaged sub-buffers: both decoders say the same of them, and the C core keeps within its memory (ASan, UBSan)."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from ftracepy.columns import is_number
from ftracepy.schema import Schema
from tests.support.corpus import raw_names, raw_set
from tests.support.decoders import columns_picture, decode, decoder, implementations, picture
from tests.support.mutate import mutated
from tests.support.pages import PageWriter, event_format, layout, schema

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "ftracepy/_fastparse/core"
DECODER_SOURCES = ["page.c", "stream.c", "merge.c", "output.c", "field.c", "columns.c"]
ROUNDS = int(os.environ.get("FTRACEPY_FUZZ_ROUNDS", "40"))

Sample = tuple[Schema, dict[int, bytes]]


def written(big_endian: bool, long_bytes: int) -> Sample:
    """A page with one of everything, for each CPU."""
    tick = event_format("tick", 77, "int number; 8; 4; 1", "__data_loc char[] text; 12; 4; 0", "__rel_loc u32[] words; 16; 4; 0")
    given = schema(tick, page=layout(big_endian=big_endian, long_bytes=long_bytes))
    write = PageWriter(given)
    items = [
        write.event("tick", number=1, text="hello"),
        write.discarded(20),
        write.extend(1 << 30),
        write.event("tick", 5, words=(1, 2)),
        write.stamp(1 << 40),
        write.data(write.record("tick"), long=True),
        write.event("tick", 3, text=b"\xff" * 300),
        write.discarded(8),
    ]
    pages = write.page(1000, *items) + write.page(2 << 40, *items, lost=7)
    return given, {0: pages, 1: pages}


def samples() -> dict[str, Sample]:
    made = {f"written-{'big' if big else 'little'}-{long}": written(big, long) for big in (False, True) for long in (4, 8)}
    return made | {name: (raw_set(name).schema, raw_set(name).data) for name in raw_names() if any(raw_set(name).data.values())}


@pytest.mark.skipif(len(implementations()) < 2, reason="the C decoder was not built")
def test_both_decoders_agree_on_damage() -> None:
    faults = losses = 0
    for sample, (given, data) in samples().items():
        for seed in range(ROUNDS if sample.startswith("written") else max(ROUNDS // 20, 1)):
            size = given.page.size_bytes
            damaged = {cpu: mutated(pages[: 3 * size], seed * 64 + cpu, size) for cpu, pages in data.items() if pages}
            pictures = [picture(decode(name, given, damaged)) for name in implementations()]
            assert all(left == right for left, right in pairwise(pictures)), (sample, seed)
            faults += len(pictures[0]["faults"])
            losses += len(pictures[0]["losses"])
    assert faults > ROUNDS  # the damage did reach the decoders
    assert losses > ROUNDS


@pytest.mark.skipif(len(implementations()) < 2, reason="the C decoder was not built")
def test_columns_written_while_walking_agree_on_damage() -> None:
    for sample, (given, data) in samples().items():
        size = given.page.size_bytes
        wanted = {one.id: [field.name for field in one.fields if is_number(field)] for one in given.formats.values()}
        for seed in range(ROUNDS if sample.startswith("written") else max(ROUNDS // 20, 1)):
            damaged = {cpu: mutated(pages[: 3 * size], seed * 64 + cpu, size) for cpu, pages in data.items() if pages}
            whole = columns_picture(decode("_core", given, damaged), wanted)
            for name in implementations():
                made = decoder(name, given, sorted(damaged))
                made.want(wanted)
                for cpu, pages in damaged.items():
                    made.feed(cpu, pages)
                assert columns_picture(made.columns(max_events=1 << 20), wanted) == whole, (sample, seed, name)


@pytest.fixture(scope="module")
def fuzz_core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("fuzz") / "fuzz_core"
    strict = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror"]
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = [HERE / "fuzz_core.c", *(CORE / name for name in DECODER_SOURCES)]
    subprocess.run([compiler, *strict, *sanitize, f"-I{CORE}", *map(str, sources), "-o", str(program)], check=True)
    return program


def test_the_core_stays_within_its_memory(fuzz_core: Path, tmp_path: Path) -> None:
    files = []
    for number, (given, data) in enumerate(samples().values()):
        page = given.page
        order = (page.size_bytes // 4096).bit_length() - 1
        choices = bytes([page.big_endian | (page.long_bytes == 4) << 1, order, 1, number % 40])
        seed = tmp_path / f"seed{number}"
        seed.write_bytes(choices + b"".join(pages[: 4 * page.size_bytes] for pages in data.values()))
        files.append(str(seed))
    run = subprocess.run([fuzz_core, str(ROUNDS), *files], capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
