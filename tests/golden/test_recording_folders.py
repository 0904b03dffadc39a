"""Folders of raw sub-buffers: the same events as the kernel's own list of them, and a trace.dat made of each reads the same."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.errors import ExitCode, RecordingFault
from ftracepy.pipeline.check import check
from ftracepy.pipeline.convert import ConvertRequest, convert
from ftracepy.pipeline.report import report
from ftracepy.pipeline.requests import ReportRequest, Stop
from ftracepy.stream import Stream
from tests.support.corpus import ROOT

SETS = sorted(ROOT.glob("raw/*/*.tar.xz"))
_LINE = re.compile(r"^(-?\d+) (\d+) (\d+) ", re.MULTILINE)
_LEFT_IN_KERNEL = re.compile("splice|fgraph")  # of splice the tail stays there; the graph tracer ignores the option raw

pytestmark = pytest.mark.skipif(not SETS, reason=f"no raw sets under {ROOT} (FTRACEPY_CORPUS)")


def unpacked(path: Path, tmp_path: Path) -> Path:
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = (one for one in tmp_path.iterdir() if one.is_dir())
    return folder


def shown(path: Path) -> bytes:
    out = io.BytesIO()
    report(ReportRequest(str(path), style="trace-cmd"), out, lambda _: None, Stop())
    return out.getvalue()


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_every_event(path: Path, tmp_path: Path) -> None:
    folder = unpacked(path, tmp_path)
    with recording.open(folder) as found:
        assert found.schema.page.big_endian == ("s390x" in path.name)
        events = [(one.pid, one.cpu, one.ts) for batch in Stream(found) for one in batch]
        assert found.health().notices == []
        assert [one.cpu for one in found.health().stats] == list(found.cpus)
    assert [ts for *_, ts in events] == sorted(ts for *_, ts in events)
    text = (folder / "trace.raw.txt").read_text(errors="replace")
    kernels = Counter((int(pid), int(cpu), int(ts)) for pid, cpu, ts in _LINE.findall(text))
    whole = not _LEFT_IN_KERNEL.search(path.name) and not list(folder.glob("*.first.raw"))
    assert not whole or Counter(events) == kernels
    assert not kernels or whole or not kernels - Counter(events) or not Counter(events) - kernels


@pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed")
@pytest.mark.parametrize("path", SETS[::4], ids=lambda path: path.name)
def test_made_into_a_file(path: Path, tmp_path: Path) -> None:
    folder, file = unpacked(path, tmp_path), tmp_path / "x.dat"
    assert convert(ConvertRequest((str(folder),), str(file), compression="zstd"), print, Stop()) == ExitCode.DONE
    assert shown(file) == shown(folder)
    done = subprocess.run(["trace-cmd", "report", "-N", "-i", file], capture_output=True, check=True)
    assert done.stderr == b""
    assert len(done.stdout.splitlines()) == len(shown(file).splitlines())


def test_check_reads_a_folder(tmp_path: Path) -> None:
    folder = unpacked(next(path for path in SETS if path.name.startswith("drop_over_mid-k6.12")), tmp_path)
    out = io.BytesIO()
    check(str(folder), out, Stop())
    assert out.getvalue().startswith(f"{folder}: a folder of sub-buffers, Linux".encode())
    assert b"cannot be read" not in out.getvalue()


@pytest.mark.parametrize(("gone", "why"), [("header_page*", "header_page"), ("cpu*.raw", "without sub-buffers")])
def test_what_is_missing_is_told(tmp_path: Path, gone: str, why: str) -> None:
    folder = unpacked(next(path for path in SETS if path.name.startswith("subbuf_8-")), tmp_path)
    for file in folder.glob(gone):
        file.unlink()
    with pytest.raises(RecordingFault) as fault:
        recording.open(folder)
    assert why in fault.value.why


@pytest.mark.parametrize("path", [path for path in SETS if path.name.startswith("fgraph")], ids=lambda path: path.name)
def test_a_listing_of_calls_has_the_columns_that_were_chosen(path: Path, tmp_path: Path) -> None:
    folder = unpacked(path, tmp_path)
    kernels = (folder / "trace.txt").read_text(errors="replace").splitlines()
    (folder / "current_tracer").write_text("function_graph\n")
    out = io.BytesIO()
    report(ReportRequest(str(folder)), out, lambda _: None, Stop())
    legend = [line for line in kernels if line.startswith("#")]
    assert out.getvalue().decode(errors="replace").splitlines()[: len(legend)] == legend


_LAYOUTS = {
    "tracefs": ("per_cpu/cpu{}/trace_pipe_raw", "events/{}/format", "events/header_page"),
    "cpus": ("cpu{}/trace_pipe_raw", "events/{}/format", "events/header_page"),
    "flat": ("trace_pipe_raw.cpu{}", "formats/{}", "header_page"),
    "spools": ("x.dat.cpu{}", "formats/{}/format", "header_page"),
    "numbers": ("trace_pipe_raw_{}.bin", "events/{}", "events/header_page"),
}


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_folders_laid_out_otherwise(layout: str, tmp_path: Path) -> None:
    folder = unpacked(next(path for path in SETS if path.name.startswith("subbuf_8-")), tmp_path)
    pages, formats, header = (tmp_path / "other" / one for one in _LAYOUTS[layout])
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if match := re.fullmatch(r"cpu(\d+)\.raw", name):
            target = Path(str(pages).format(match[1]))
        elif match := re.fullmatch(r"formats/(.*)/format", name):
            target = Path(str(formats).format(match[1]))
        elif name.startswith("header_page"):
            target = header
        elif name in ("saved_cmdlines", "printk_formats", "buffer_subbuf_size_kb", "trace_clock", "uname", "kallsyms.excerpt"):
            target = tmp_path / "other" / name
        else:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    assert shown(tmp_path / "other") == shown(folder)
