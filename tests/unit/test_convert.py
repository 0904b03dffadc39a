"""convert: any form into any other, cut, split and merged; what comes out is what went in, and trace-cmd reads it."""

from __future__ import annotations

import io
import os
import random
import shutil
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from recording_samples import format_text, page, pages, read_back, texts, write

from ftracepy import recording
from ftracepy.errors import ExitCode, FtracepyError, UsageFault
from ftracepy.pipeline.check import check
from ftracepy.pipeline.convert import ConvertRequest, convert
from ftracepy.pipeline.report import report
from ftracepy.pipeline.requests import ReportRequest, Stop
from ftracepy.recording import Recording, Writer
from ftracepy.recording.encode import PageEncoder
from ftracepy.recording.options import OptionId
from ftracepy.schema import PageLayout, TimeScale
from ftracepy.source import CpuStats, Pages
from ftracepy.stream import Stream
from tests.support.decoders import decode, implementations
from tests.support.pages import event_format, schema

Seen = list[tuple[int, int, int, bytes]]


def run(*inputs: Path, output: Path, code: ExitCode = ExitCode.DONE, **more: Any) -> list[str]:
    said: list[str] = []
    assert convert(ConvertRequest(tuple(map(str, inputs)), str(output), **more), said.append, Stop()) == code
    return said


def events(found: Recording) -> Seen:
    return [(one.ts, one.cpu, one.id, one.raw) for batch in Stream(found) for one in batch]


def losses(found: Recording) -> list[tuple[int, int, int]]:
    """(time of the next event, cpu, count)."""
    return [(batch[at].ts, cpu, count) for batch in Stream(found) for at, cpu, count in batch.losses]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    lossy = Pages(1, page(7000, [1, 17], lost=23))
    stats = [CpuStats(0, read=200), CpuStats(1, read=102, overrun=23)]
    return write(tmp_path / "x.dat", [pages(0, [1000, 5000]), pages(1, [3000]), lossy], compression="zlib", stats=stats)


FORMS: list[dict[str, Any]] = [{"version": 6}, {}, {"compression": "zlib"}, {"compression": "zstd"}]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_pages_are_copied_as_they_are(tmp_path: Path, form: dict[str, Any], order: str) -> None:
    stats = [CpuStats(0, 11, 12, 13, 14, 15), CpuStats(3, overrun=7)]
    path = write(tmp_path / "x.dat", [pages(0, [1000, 5000], order), pages(3, [3000], order)], order, stats=stats)
    assert run(path, output=tmp_path / "y.dat", **form) == []
    before, after = recording.open(path), recording.open(tmp_path / "y.dat")
    assert {cpu: data for cpu, data in read_back(after).items() if data} == read_back(before)
    assert (after.version, after.compression) == (form.get("version", 7), form.get("compression", "none"))
    assert after.schema == before.schema
    assert after.texts.formats == before.texts.formats
    assert after.health() == before.health()
    assert sorted(os.listdir(tmp_path)) == ["x.dat", "y.dat"]


def test_every_form_from_every_other(tmp_path: Path, sample: Path) -> None:
    path = sample
    for number, form in enumerate([*FORMS, *reversed(FORMS)]):
        run(path, output=tmp_path / f"{number}.dat", **form)
        path = tmp_path / f"{number}.dat"
    assert read_back(recording.open(path)) == read_back(recording.open(sample))
    assert recording.open(path).health() == recording.open(sample).health()
    assert dict(recording.open(path).options)[11] == dict(recording.open(sample).options)[11], "the trace's own number"


def test_only_some_cpus(tmp_path: Path, sample: Path) -> None:
    run(sample, output=tmp_path / "y.dat", cpus=frozenset({1}))
    found = recording.open(tmp_path / "y.dat")
    assert found.cpus == [1]
    assert read_back(found)[1] == read_back(recording.open(sample))[1]
    assert found.health().stats == [CpuStats(1, read=102, overrun=23)]


@pytest.mark.parametrize("version", [6, 7])
def test_a_span_of_time_is_cut_to_the_event(tmp_path: Path, sample: Path, version: int) -> None:
    run(sample, output=tmp_path / "y.dat", since_s=0.000003050, until_s=0.000007001, version=version)
    found = recording.open(tmp_path / "y.dat")
    assert events(found) == [one for one in events(recording.open(sample)) if 3050 <= one[0] < 7001]
    assert losses(found) == losses(recording.open(sample)) == [(7000, 1, 23)]
    assert [(stats.cpu, stats.read, stats.lost) for stats in found.health().stats] == [(0, 100, 0), (1, 51, 0)]
    assert check(str(tmp_path / "y.dat"), io.BytesIO(), Stop()) == ExitCode.DONE


def test_only_some_events(tmp_path: Path) -> None:
    second = bytearray(page(1000, range(3)))
    struct.pack_into("<H", second, 16 + 4 + 16, 301)
    path = write(tmp_path / "x.dat", [Pages(0, bytes(second))])
    run(path, output=tmp_path / "y.dat", events=("sample:second",))
    assert [(ts, kind) for ts, _, kind, _ in events(recording.open(tmp_path / "y.dat"))] == [(1001, 301)]
    with pytest.raises(UsageFault, match="nothing"):
        run(path, output=tmp_path / "z.dat", events=("nothing",))
    assert not (tmp_path / "z.dat").exists()


def test_an_event_that_only_one_of_several_knows(tmp_path: Path, sample: Path) -> None:
    other = texts()
    other.formats["sample"] = [format_text("stranger", 302)]
    with Writer(tmp_path / "other.dat", other, [0]) as writer:
        writer.write(pages(0, [5]))
    run(sample, tmp_path / "other.dat", output=tmp_path / "y.dat", events=("first",))
    found = recording.open(tmp_path / "y.dat")
    assert events(found.of_instance("x")) == events(recording.open(sample))
    assert events(found.of_instance("other")) == []
    assert {one.name for one in found.schema.formats.values()} == {"print", "first", "second", "stranger"}


@pytest.mark.parametrize("parts", [2, 3, 11])
def test_a_split_loses_and_repeats_nothing(tmp_path: Path, sample: Path, parts: int) -> None:
    run(sample, output=tmp_path / "y.dat", split=parts)
    files = sorted(tmp_path.glob("y.*.dat"))
    assert len(files) == parts
    together = [one for path in files for one in events(recording.open(path))]
    assert together == events(recording.open(sample))
    spans = [(seen[0][0], seen[-1][0]) for path in files if (seen := events(recording.open(path)))]
    assert all(before[1] < after[0] for before, after in pairwise(spans))


def test_several_become_instances_of_one(tmp_path: Path, sample: Path) -> None:
    other = write(tmp_path / "other.dat", [pages(5, [2000])], compression="zstd", stats=[CpuStats(5, read=100)])
    (tmp_path / "sub").mkdir()
    twin = write(tmp_path / "sub/x.dat", [pages(2, [4000])])
    for version in (6, 7):
        output = tmp_path / f"y{version}.dat"
        assert run(sample, other, twin, output=output, version=version) == []
        found = recording.open(output)
        assert [one.name for one in found.buffers] == ["", "x", "other", "x-2"]
        for name, path in (("x", sample), ("other", other), ("x-2", twin)):
            assert events(found.of_instance(name)) == events(recording.open(path))
            assert found.of_instance(name).health().stats == recording.open(path).health().stats
        out = io.BytesIO()
        report(ReportRequest(str(output)), out, lambda _: None, Stop())
        times = [line.split()[-3] for line in out.getvalue().decode().splitlines() if "first:" in line]
        assert times == sorted(times)
        assert len(times) == 502
    assert run(tmp_path / "y6.dat", output=tmp_path / "again.dat") == []
    assert [one.name for one in recording.open(tmp_path / "again.dat").buffers] == ["", "x", "other", "x-2"]


def test_what_cannot_become_one(tmp_path: Path, sample: Path) -> None:
    with pytest.raises(UsageFault) as fault:
        run(sample, write(tmp_path / "big.dat", [pages(0, [1], ">")], ">"), output=tmp_path / "y.dat")
    assert "byte orders" in fault.value.why
    assert not (tmp_path / "y.dat").exists()


@pytest.mark.parametrize("version", [6, 7])
def test_types_of_one_number_get_another(tmp_path: Path, sample: Path, version: int) -> None:
    other = texts()
    other.formats["sample"] = [format_text("stranger", 300), format_text("second", 304)]
    with Writer(tmp_path / "other.dat", other, [0]) as writer:
        writer.write(pages(0, [5]))
    assert run(sample, tmp_path / "other.dat", output=tmp_path / "y.dat", version=version) == []
    found = recording.open(tmp_path / "y.dat")
    schema = found.schema
    assert {(one.id, one.name) for one in schema.formats.values()} == {
        (5, "print"),
        (300, "first"),
        (301, "second"),
        (302, "stranger"),
    }
    assert events(found.of_instance("x")) == events(recording.open(sample))
    before, after = events(recording.open(tmp_path / "other.dat")), events(found.of_instance("other"))
    assert [(ts, cpu, 302, struct.pack("<H", 302) + raw[2:]) for ts, cpu, _, raw in before] == after


@pytest.mark.parametrize("version", [6, 7])
def test_clocks_of_different_scales_become_the_times_shown(tmp_path: Path, sample: Path, version: int) -> None:
    ticks = texts()
    ticks.clock, ticks.time = "x86-tsc", TimeScale(3, 1, 40, is_ns=True)
    with Writer(tmp_path / "ticks.dat", ticks, [0]) as writer:
        writer.write(pages(0, [2000]))
    run(sample, tmp_path / "ticks.dat", output=tmp_path / "y.dat", version=version)
    found = recording.open(tmp_path / "y.dat")
    assert [ts for ts, *_ in events(found.of_instance("ticks"))] == [(ts * 3 >> 1) + 40 for ts in range(2000, 2100)]
    assert [ts for ts, *_ in events(found.of_instance("x"))] == [ts for ts, *_ in events(recording.open(sample))]
    assert {found.of_instance(name).schema.time for name in ("x", "ticks")} == {TimeScale()}


def test_sections_and_options_that_no_event_is_read_with(tmp_path: Path, sample: Path) -> None:
    given = [(OptionId.LAST_BOOT_INFO, b"boot\0"), (OptionId.HOOK, b"a\0"), (OptionId.PROCMAPS, b"1 0 x\n\0")]
    extra = {int(OptionId.BTF_FILE): b"\x9f\xeb" * 3000, int(OptionId.MODULES_FILE): b"ext4 1 0\n"}
    for compression in ("none", "zstd"):
        path = tmp_path / "rich.dat"
        with Writer(path, texts(), [0], compression=compression, options=given, sections=extra) as writer:
            writer.write(pages(0, [1000]))
        with path.open("r+b") as file:
            file.write(path.read_bytes().replace(struct.pack("<HI", OptionId.HOOK, 2), struct.pack("<HI", 77, 2)))
        said = run(path, output=tmp_path / "y.dat", compression="zlib")
        assert said == [f"'{path}': option 77 is not known and not kept"]
        found = recording.open(tmp_path / "y.dat")
        assert found.extra_sections() == extra
        kept = dict(found.options)
        assert (kept[OptionId.LAST_BOOT_INFO], kept[OptionId.PROCMAPS]) == (b"boot\0", b"1 0 x\n\0")
        said = run(path, output=tmp_path / "y6.dat", version=6)
        assert said[1:] == [f"'{path}': version 6 has no room for its BTF_FILE and MODULES_FILE"]


def test_a_compressed_version_6(tmp_path: Path, sample: Path) -> None:
    with pytest.raises(UsageFault, match="version 6 cannot be compressed"):
        run(sample, output=tmp_path / "y.dat", version=6, compression="zstd")


@pytest.mark.parametrize("options", [[], ["--version", "6"], ["--compression", "zlib"], ["--since", "0"]])
def test_a_pipe_gets_what_a_file_would(tmp_path: Path, sample: Path, options: list[str]) -> None:
    command = [sys.executable, "-P", "-m", "ftracepy.cli", "convert", str(sample), *options, "-o"]
    subprocess.run([*command, str(tmp_path / "y.dat")], check=True)
    done = subprocess.run([*command, "-"], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == ((tmp_path / "y.dat").read_bytes(), b"")
    checked = subprocess.run([*command[:4], "report", "--check", "-"], input=done.stdout, capture_output=True)
    assert (checked.stdout.splitlines()[-1], checked.returncode) == (b"0 faults", 0)


def test_a_pipe_whose_reader_has_gone(sample: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-P", "-m", "ftracepy.cli", "convert", str(sample), "-o", "-"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_several_files_and_one_pipe(sample: Path) -> None:
    with pytest.raises(UsageFault, match="cannot go into one pipe"):
        run(sample, output=Path("-"), split=2)


def test_onto_itself(tmp_path: Path, sample: Path) -> None:
    (tmp_path / "link.dat").symlink_to(sample)
    before = sample.read_bytes()
    with pytest.raises(UsageFault, match="is the recording that is to be read"):
        run(sample, output=tmp_path / "link.dat")
    assert sample.read_bytes() == before


def test_what_a_killed_recorder_left(tmp_path: Path) -> None:
    code = (
        f"import os, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from recording_samples import pages, texts\nfrom ftracepy.recording import Writer\n"
        f"writer = Writer({str(tmp_path / 'x.dat')!r}, texts(), [0, 1])\n"
        "writer.write(pages(0, [1000])); writer.write(pages(1, [2000])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    (notice,) = run(tmp_path / "x.dat", output=tmp_path / "y.dat")
    assert "the recorder was killed" in notice
    assert read_back(recording.open(tmp_path / "y.dat")) == {0: pages(0, [1000]).data, 1: pages(1, [2000]).data}
    assert check(str(tmp_path / "y.dat"), io.BytesIO(), Stop()) == ExitCode.DONE


def test_sub_buffers_that_cannot_be_read_are_told_of(tmp_path: Path) -> None:
    bad = bytearray(page(1000, [1]))
    struct.pack_into("<Q", bad, 8, 5000)
    path = write(tmp_path / "x.dat", [Pages(0, bytes(bad)), pages(0, [2000])])
    assert run(path, output=tmp_path / "y.dat") == []
    said = run(path, output=tmp_path / "z.dat", since_s=0.0, code=ExitCode.FAILED)
    assert said == ["1 sub-buffers could not be read: what they held is not in the new recording"]
    assert len(events(recording.open(tmp_path / "z.dat"))) == 100


@pytest.mark.parametrize("name", implementations())
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("long_bytes", [4, 8])
def test_records_of_any_size_and_distance_come_back(name: str, big: bool, long_bytes: int) -> None:
    dice = random.Random(7)
    layout = PageLayout(4096, 8, long_bytes, 8 + long_bytes, big)
    made = schema(event_format("one", 7), page=layout)
    out: list[bytes] = []
    encoder = PageEncoder(layout, out.append)
    want: list[tuple[int, bytes]] = []
    lost: list[tuple[int, int, int]] = []
    at = 10**15
    for _ in range(3000):
        at += dice.choice(
            [0, 1, dice.randrange(1 << 27), dice.randrange(1 << 40), dice.randrange(1 << 50), -dice.randrange(1 << 27)]
        )
        size = dice.choice([8, 12, 112, 116, dice.randrange(8, 200), dice.randrange(8, 4068)])
        record = struct.pack(">H" if big else "<H", 7) + dice.randbytes(size - 2)
        if dice.random() < 0.02:
            encoder.lose(count := dice.choice([-1, 1, 77]))
            lost.append((len(want), 0, count))
        encoder.add(at, record)
        want.append((at, record + bytes(-size % 4)))
    encoder.flush()
    assert {len(one) for one in out} == {4096}
    batch = decode(name, made, {0: b"".join(out)})
    assert batch.faults == []
    assert [(one.ts, one.raw) for one in batch] == want
    assert [(at, cpu) for at, cpu, _ in batch.losses] == [(at, cpu) for at, cpu, _ in lost]
    assert sum(ours != theirs for (*_, ours), (*_, theirs) in zip(batch.losses, lost, strict=True)) <= 2


def test_a_record_larger_than_a_page() -> None:
    encoder = PageEncoder(PageLayout(), lambda _: None)
    encoder.add(1, bytes(4072))
    with pytest.raises(ValueError, match="4076 bytes does not fit"):
        encoder.add(2, bytes(4076))


@pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed")
@pytest.mark.parametrize("form", [FORMS[0], FORMS[1], FORMS[3], {"since_s": 0.0}, {"since_s": 0.0, "version": 6}], ids=str)
def test_trace_cmd_reads_it_without_a_word(tmp_path: Path, sample: Path, form: dict[str, Any]) -> None:
    other = write(tmp_path / "other.dat", [pages(1, [2000])])
    plain = tmp_path / "plain.dat"
    run(sample, output=plain)
    run(sample, output=tmp_path / "y.dat", **form)
    run(sample, other, output=tmp_path / "z.dat", **form)
    assert _trace_cmd("report", "-N", "-t", "-i", tmp_path / "y.dat") == _trace_cmd("report", "-N", "-t", "-i", plain)
    for path in (tmp_path / "y.dat", tmp_path / "z.dat"):
        assert "Linux box 6.18.0" in _trace_cmd("dump", "--summary", "--options", "--events", "-i", path)
    merged = _trace_cmd("report", "-N", "-t", "-i", tmp_path / "z.dat")
    assert sum(line.startswith("other: ") for line in merged.splitlines()) == 100
    assert sum("first:" in line for line in merged.splitlines()) == 402


def _trace_cmd(*words: str | Path) -> str:
    done = subprocess.run(["trace-cmd", *words], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_the_whole_command(tmp_path: Path, sample: Path) -> None:
    command = [sys.executable, "-m", "ftracepy", "convert", str(sample), "-o", str(tmp_path / "y.dat")]
    done = subprocess.run([*command, "--version", "6", "--cpu", "1", "--until", "0.000007"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {cpu for _, cpu, _, _ in events(recording.open(tmp_path / "y.dat"))} == {1}
    done = subprocess.run([*command, "--compression", "lzo"], capture_output=True, text=True)
    assert done.returncode == 2
    with pytest.raises(FtracepyError):
        run(tmp_path / "missing.dat", output=tmp_path / "z.dat")
