"""cachestat on a file, or a lab guest's disk, that is dropped from the cache and read again by a task of a name of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftracepy.tracefs import Tracefs
from tests.kernel.test_commands import FTRACEPY, python, rows_of, watch
from tests.support import disks

PAGES = 3203
AHEAD = 512  # what may be read beyond: two windows of readahead, which large folios round up
# Only what happens under the new name is counted: the interpreter's own start is not.
_WORK = """import mmap, os
fd = os.open({path!r}, os.O_RDWR)
os.pwrite(fd, bytes({pages} * 4096), 0)
os.fsync(fd)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
size = {pages} * 4096
buffer = bytearray(64 * 4096)
def read():
    at = 0
    while at < size: at += os.preadv(fd, [memoryview(buffer)[:min(len(buffer), size - at)]], at)
with open('/proc/self/comm', 'w') as comm: comm.write('cachework')
{work}
with open('/proc/self/comm', 'w') as comm: comm.write('done')
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
"""
_OPTIONS = ("-D", "-n", "^cachework$")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Something of PAGES pages that is read through the page cache."""
    if (name := disks.nvme("disk")) is not None:
        yield Path(f"/dev/{name}")
        return
    file = tmp_path / "file"
    file.write_bytes(bytes(PAGES * 4096))
    if subprocess.run(["stat", "-f", "-c", "%T", str(file)], capture_output=True, text=True).stdout.strip() == "tmpfs":
        pytest.skip("this kernel has no file system with a page cache under /tmp")
    yield file


def cached(place: Path, work: str) -> dict[str, Any]:
    """What was counted over all intervals."""
    rows = watch("cachestat", python(_WORK.format(path=str(place), pages=PAGES, work=work)), *_OPTIONS, "0.5")
    assert all(row["buffers_mb"] is not None and row["cache_mb"] > 0 for row in rows[1:-1])
    keys = ("hits", "misses", "dirties", "read", "faults", "added", "written", "removed")
    return {key: None if any(row[key] is None for row in rows) else sum(row[key] for row in rows) for key in keys}


def knows(found: dict[str, Any]) -> bool:
    return found["read"] is not None


@pytest.mark.counted("cachestat", "3203 pages read twice", options={"interval": 1.0})
def test_read_twice_half_of_it_hits(clean_kernel: Tracefs, place: Path) -> None:
    """Reading ahead may go a little beyond; what was read before its pages were asked for counts once, too."""
    found = cached(place, "read(); read()")
    assert PAGES <= found["misses"] <= PAGES + AHEAD
    if not knows(found):
        pytest.skip("this kernel has no way to tell what is read")
    assert found["read"] == 2 * PAGES
    assert 0 <= found["hits"] - (2 * PAGES - found["misses"]) <= found["faults"] + AHEAD


def test_what_is_there_hits_and_what_is_written_is_no_miss(clean_kernel: Tracefs, place: Path) -> None:
    found = cached(place, "os.pwrite(fd, bytes(size), 0); read()")
    assert found["written"] == found["added"]
    assert found["added"] >= PAGES
    assert found["misses"] == 0
    assert found["dirties"] >= PAGES
    if knows(found):
        assert found["hits"] >= PAGES


def test_faults_on_a_mapped_file(clean_kernel: Tracefs, place: Path) -> None:
    """Around a fault the kernel maps what is there already, so there are fewer faults than pages."""
    work = "view = mmap.mmap(fd, size, prot=mmap.PROT_READ)\nsum(view[at] for at in range(0, size, 4096))"
    found = cached(place, work)
    assert PAGES <= found["misses"] <= PAGES + AHEAD
    if knows(found):
        assert PAGES // 64 <= found["faults"] <= 2 * PAGES


def test_an_interval_of_nothing_has_no_ratio(clean_kernel: Tracefs) -> None:
    line = [*FTRACEPY, "cachestat", "0.2", "-n", "^nobody$", "--format", "json", "--duration", "1.1"]
    rows = rows_of(subprocess.run(line, capture_output=True, check=True).stdout)
    assert len(rows) >= 5
    assert {(row["misses"], row["dirties"], row["ratio"]) for row in rows} == {(0, 0, None)}
    cached_kb = next(int(one.split()[1]) for one in Path("/proc/meminfo").read_text().splitlines() if one.startswith("Cached"))
    assert abs(rows[-2]["cache_mb"] - cached_kb / 1024) < max(64, cached_kb / 1024 * 0.5)
