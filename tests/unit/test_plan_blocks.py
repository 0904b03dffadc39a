"""Plans for block I/O: which events, in which order, of which device, and that no thread hides an end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftracepy.errors import KernelCannot, UsageFault
from ftracepy.live.plan import Scope, plan
from ftracepy.probes import Blocks, PageCache, Tracepoint
from ftracepy.sidefacts import Kind
from ftracepy.system import devices
from ftracepy.system.devices import Device
from ftracepy.tracefs import Tracefs

_BLOCK = (
    "getrq",
    "bio_backmerge",
    "bio_frontmerge",
    "rq_issue",
    "rq_requeue",
    "rq_complete",
    "bio_queue",
    "bio_complete",
    "split",
)
KNOWN = [Device(8 << 20, "sda", 8 << 20), Device(8 << 20 | 1, "sda1", 8 << 20, 64, 128), Device(9 << 20, "sdb", 9 << 20)]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracefs:
    names = [f"block/block_{name}" for name in _BLOCK] + [f"filemap/mm_filemap_{name}" for name in ("add_to_page_cache",
             "delete_from_page_cache")] + ["writeback/writeback_dirty_page"]  # fmt: skip
    for name in names:
        (tmp_path / "events" / name).mkdir(parents=True)
        (tmp_path / "events" / name / "format").write_text("name: x\nID: 6\n")
    monkeypatch.setattr(devices, "read", lambda: KNOWN)
    return Tracefs(tmp_path)


def test_ends_come_before_beginnings(kernel: Tracefs) -> None:
    made = plan([Blocks()], kernel)
    names = [event.name for event in made.events]
    assert names.index("block_rq_complete") < names.index("block_rq_issue") < names.index("block_getrq")
    names = [event.name for event in plan([Blocks(bios=True)], kernel).events]
    assert names.index("block_bio_complete") < names.index("block_bio_queue")


def test_bios_that_make_a_request_longer_are_told_only_where_they_must(kernel: Tracefs) -> None:
    names = {event.name for event in plan([Blocks()], kernel).events}
    assert ("block_rq_merge" in names, "block_bio_backmerge" in names) == (False, True)
    (kernel.root / "events/block/block_rq_merge/format").mkdir(parents=True)
    names = {event.name for event in plan([Blocks()], kernel).events}
    assert ("block_rq_merge" in names, "block_bio_backmerge" in names) == (True, False)


def test_names_come_as_a_fact(kernel: Tracefs) -> None:
    (fact,) = plan([Blocks()], kernel).facts
    assert (fact.kind, devices.unpack(fact.body)) == (Kind.DEVICES, KNOWN)


@pytest.mark.parametrize("asked", ["sda", "/dev/sda", "8,0", "sda1", "8:1"])
def test_a_disk_is_asked_for_with_its_partitions(kernel: Tracefs, asked: str) -> None:
    filters = {event.filter for event in plan([Blocks(device=asked)], kernel).events}
    assert filters == {f"dev == {8 << 20} || dev == {8 << 20 | 1}"}


def test_no_such_device(kernel: Tracefs) -> None:
    with pytest.raises(UsageFault) as caught:
        plan([Blocks(device="sdc")], kernel)
    assert "sda, sda1, sdb" in (caught.value.hint or "")


def test_completions_are_everybodys_whatever_the_scope(kernel: Tracefs) -> None:
    made = plan([Blocks()], kernel, scope=Scope(pid=os.getpid()))
    assert made.everywhere
    assert made.only(1).everywhere
    assert not plan([Tracepoint("block", "block_getrq")], kernel, scope=Scope(pid=os.getpid())).everywhere


def test_a_kernel_without_block_events(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    with pytest.raises(KernelCannot):
        plan([Blocks()], Tracefs(tmp_path))


def test_what_cannot_be_told_of_the_page_cache_is_said(kernel: Tracefs) -> None:
    made = plan([PageCache(1.0)], kernel)
    (way,) = made.ways
    assert (way.provenance, way.misses) == ("none", "HITS and RATIO")
    assert [aide.name for aide in made.aides] == ["memory"]
