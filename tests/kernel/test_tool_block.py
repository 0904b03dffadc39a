"""iosnoop, iolatency and bitesize on a disk that nobody else uses, held to the kernel's own counts of it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from ftracepy.live.owner import PREFIX
from ftracepy.tracefs import Tracefs
from tests.kernel.test_commands import FTRACEPY, python, rows_of, running, watch
from tests.support import disks

_OPEN = "import mmap, os, threading\nfd = os.open('/dev/{disk}', os.O_RDWR | os.O_DIRECT)\npage = mmap.mmap(-1, 65536)\n"
_READS = _OPEN + "for at in range({count}): os.preadv(fd, [memoryview(page)[:{size}]], at * 65536 % (8 << 20))\n"
_WRITES = _OPEN + "for at in range({count}): os.pwritev(fd, [memoryview(page)[:{size}]], at * 65536 % (8 << 20))\n"
_AT_ONCE = (
    _OPEN
    + """
def read(thread):
    own = mmap.mmap(-1, 4096)
    for at in range({each}): os.preadv(fd, [own], (thread * {each} + at) * 65536)
threads = [threading.Thread(target=read, args=(one,)) for one in range({threads})]
for one in threads: one.start()
for one in threads: one.join()
"""
)
_BUFFERED = """import os
fd = os.open('/dev/{disk}', os.O_RDWR)
os.pwrite(fd, b'x' * {size}, 0)
os.fsync(fd)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    with disks.own(tmp_path) as name:
        if name is None:
            pytest.skip("this kernel has no disk to try this on")
        yield name


def wait_for_event(tracefs: Tracefs, pid: int, event: str) -> None:
    """Until that run has switched the event on."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for one in tracefs.root.glob(f"instances/{PREFIX}{pid}_*/events/{event}/enable"):
            with contextlib.suppress(OSError):
                if one.read_text().startswith("1"):
                    return
        time.sleep(0.02)
    pytest.fail(f"{event} was not switched on")


def io(tool: str, disk: str, code: str, *options: str, **values: int) -> list[dict[str, Any]]:
    letter = "--device" if tool == "bitesize" else "-d"
    return watch(tool, python(code.format(disk=disk, **values)), letter, disk, *options)


def _flushes(rows: list[dict[str, Any]]) -> int:
    """The kernel counts what asks for a flush among the writes; here it shows as the flush."""
    return sum(row["type"] == "FF" for row in rows)


@pytest.mark.counted("iosnoop", "101 reads, 53 writes")
def test_each_request_is_one_row_with_its_size_and_process(clean_kernel: Tracefs, disk: str) -> None:
    before = disks.stat(disk)
    rows = io("iosnoop", disk, _READS, count=101, size=4096) + io("iosnoop", disk, _WRITES, count=53, size=8192)
    done = disks.done(disk, before)
    reads, writes = ([row for row in rows if row["meaning"][0] == what] for what in ("read", "write"))
    assert (len(reads), len(writes)) == (101, 53) == (done.reads, done.writes - _flushes(rows))
    assert {row["size_bytes"] for row in reads} == {4096}
    assert sum(row["size_bytes"] for row in writes) == 53 * 8192 == done.sectors_written * 512
    assert {row["dev"] for row in rows} == {disk}
    assert [row["sector"] for row in reads] == [at * 128 % 16384 for at in range(101)]
    assert all(row["comm"].startswith("python") and row["err"] is None for row in reads + writes)
    assert len({row["pid"] for row in reads}) == 1
    assert all(row["queue_ns"] is not None and row["queue_ns"] >= 0 and row["lat_ns"] > 0 for row in rows)


def test_times_are_those_that_the_kernel_counts(clean_kernel: Tracefs, disk: str) -> None:
    """Its clock is read at other moments than requests are told of, a moment before or after; both hold queue and device."""
    before = disks.stat(disk)
    rows = io("iosnoop", disk, _READS, "-Q", count=307, size=16384)
    done = disks.done(disk, before)
    assert len(rows) == done.reads == 307
    ours_ms = sum(row["lat_ns"] for row in rows) / 1e6
    assert abs(done.read_ms - ours_ms) <= 0.3 * done.read_ms + 307 * 0.1


def test_what_is_merged_is_one_request(clean_kernel: Tracefs, disk: str) -> None:
    before = disks.stat(disk)
    rows = io("iosnoop", disk, _BUFFERED, size=53 * 65536)
    done = disks.done(disk, before)
    writes = [row for row in rows if row["meaning"][0] == "write"]
    assert len(writes) == done.writes - _flushes(rows)
    assert sum(row["size_bytes"] for row in writes) == 53 * 65536 == done.sectors_written * 512
    assert done.writes_merged > len(writes)


def test_many_under_way_at_once_keep_their_own_times(clean_kernel: Tracefs) -> None:
    """Each takes this disk 3 ms, and eight are under way together: paired wrongly, some would be shorter or much longer."""
    slow = disks.nvme("slow")
    if slow is None:
        pytest.skip("this kernel has no disk of a known speed")
    before = disks.stat(slow)
    rows = io("iosnoop", slow, _AT_ONCE, threads=8, each=13)
    assert len(rows) == disks.done(slow, before).reads == 104
    assert min(row["lat_ns"] for row in rows) >= 2_500_000
    assert len({row["sector"] for row in rows}) == 104
    times = io("iosnoop", slow, _AT_ONCE, "-s", "-t", threads=8, each=13)
    together = sum(one["start_ns"] < other["ts_ns"] and other["start_ns"] < one["ts_ns"] for one, other in combinations(times, 2))
    assert together > 104


@pytest.mark.counted("iolatency", "307 reads")
def test_latencies_are_counted_once(clean_kernel: Tracefs, disk: str) -> None:
    before = disks.stat(disk)
    rows = io("iolatency", disk, _READS, "-D", "-F", "0.05", count=307, size=4096)
    assert sum(row["count"] for row in rows) == disks.done(disk, before).reads == 307
    assert {(row["dev"], row["type"][0]) for row in rows} == {(disk, "R")}
    assert all(row["high"] > row["low"] for row in rows)


def test_a_slow_disk_shows_in_the_classes(clean_kernel: Tracefs) -> None:
    slow = disks.nvme("slow")
    if slow is None:
        pytest.skip("this kernel has no disk of a known speed")
    rows = io("iolatency", slow, _READS, "10", count=101, size=4096)
    assert sum(row["count"] for row in rows if row["high"] > 2_500_000) == 101
    lines = io("iolatency", slow, _READS, "--heatmap", "0.1", count=101, size=4096)
    assert sum(row["count"] for row in lines) == 101
    assert all(sum(row["counts"]) == row["count"] and len(row["counts"]) == 24 for row in lines)
    assert sum(sum(row["counts"][12:]) for row in lines) == 101


@pytest.mark.counted("bitesize", "101 reads of 4 KB, 53 of 64 KB")
def test_sizes_are_counted_once(clean_kernel: Tracefs, disk: str) -> None:
    before = disks.stat(disk)
    code = _READS + "for at in range(53): os.preadv(fd, [page], at * 65536)\n"
    rows = io("bitesize", disk, code, "-F", count=101, size=4096)
    found = {(row["low"], row["high"]): row["count"] for row in rows if row["type"].startswith("R")}
    assert found == {(0, 1024): 0, (1024, 8192): 101, (8192, 65536): 0, (65536, 131072): 53, (131072, None): 0}
    assert sum(found.values()) == disks.done(disk, before).reads


def test_all_three_agree_on_one_recording(clean_kernel: Tracefs, disk: str, tmp_path: Path) -> None:
    path = tmp_path / "x.dat"
    work = python(_READS.format(disk=disk, count=211, size=4096) + _BUFFERED.format(disk=disk, size=1 << 20))
    record = [*FTRACEPY, "record", "--tool", f"iosnoop -d {disk}", "-o", str(path), "--", "sh", "-c", work]
    subprocess.run(record, check=True, capture_output=True)

    def replay(*command: str) -> list[dict[str, Any]]:
        done = subprocess.run([*FTRACEPY, *command, "--replay", str(path), "--format", "json"], check=True, capture_output=True)
        return rows_of(done.stdout)

    rows = replay("iosnoop", "-Q")
    assert len([row for row in rows if row["type"].startswith("R")]) == 211
    for size in (False, True):
        tool, key = ("bitesize", "size_bytes") if size else ("iolatency", "lat_ns")
        buckets = replay(tool, *(["--interval", "0.01"] if size else ["-Q", "0.01"]))
        counted: dict[tuple[int, float], int] = {}
        for one in buckets:
            span = (one["low"], one["high"] or float("inf"))
            counted[span] = counted.get(span, 0) + one["count"]
        assert counted == {span: sum(span[0] <= row[key] < span[1] for row in rows) for span in counted}
        assert sum(counted.values()) == len(rows)


def test_ends_that_interrupt_others_are_in_the_scope_of_who_began(clean_kernel: Tracefs, disk: str) -> None:
    code = "import sys\nsys.stdin.readline()\n" + _READS.format(disk=disk, count=103, size=4096)
    program = [sys.executable, "-S", "-c", code]
    with (
        subprocess.Popen(program, stdin=subprocess.PIPE) as target,
        running("iosnoop", "--pid", str(target.pid), "--format", "json", "--duration", "6") as process,
    ):
        assert target.stdin
        wait_for_event(clean_kernel, process.pid, "block/block_getrq")
        target.stdin.write(b"go\n")
        target.stdin.close()
        target.wait(60)
        subprocess.run(["sh", "-c", python(_READS.format(disk=disk, count=11, size=4096))], check=True)
        output, _ = process.communicate(timeout=60)
    rows = rows_of(output)
    assert [row["size_bytes"] for row in rows if row["dev"] == disk] == [4096] * 103
    assert {row["pid"] for row in rows} == {target.pid}


def test_a_partition_is_told_by_its_place_and_its_requests_by_who_made_them(clean_kernel: Tracefs, disk: str) -> None:
    if not disk.startswith("nvme"):
        pytest.skip("this kernel's loop devices have no partitions")
    with disks.partition(disk, 1, 1 << 20, 4 << 20) as part:
        code = _READS.format(disk=part, count=53, size=4096) + _READS.format(disk=disk, count=7, size=4096)
        rows = watch("iosnoop", python(code), "-d", part)
        all_ = watch("iosnoop", python(code), "-d", disk)
    assert len(rows) == 53
    assert len(all_) == 60
    assert all(row["queue_ns"] is not None and row["sector"] >= 2048 and row["dev"] == disk for row in rows)


def test_bios_of_a_device_without_requests(clean_kernel: Tracefs) -> None:
    add = Path("/sys/class/zram-control/hot_add")
    if not add.exists():
        pytest.skip("this kernel has no zram")
    name = f"zram{add.read_text().strip()}"
    try:
        Path(f"/sys/block/{name}/disksize").write_text("16M")
        rows = io("iosnoop", name, _WRITES, "-B", count=53, size=8192)
        assert io("iosnoop", name, _WRITES, count=53, size=8192) == []
    finally:
        Path(f"/sys/block/{name}/reset").write_text("1")
        Path("/sys/class/zram-control/hot_remove").write_text(name.removeprefix("zram"))
    writes = [row for row in rows if row["meaning"][0] == "write"]
    assert [(row["size_bytes"], row["dev"], row["queue_ns"]) for row in writes] == [(8192, name, None)] * 53


def test_an_unknown_device_is_one_message(clean_kernel: Tracefs) -> None:
    done = subprocess.run([*FTRACEPY, "iosnoop", "-d", "nosuchdisk", "--duration", "1"], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"there is no block device 'nosuchdisk'" in done.stderr
    assert b"Traceback" not in done.stderr
