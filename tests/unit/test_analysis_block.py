"""Block requests: the times of each are its own, whatever is merged, split, put back or lost."""

from __future__ import annotations

import pytest

from ftracepy.analysis.block import Devices, Request, direction, meaning
from ftracepy.analysis.blockrequests import Requests
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import walk
from ftracepy.system import devices
from ftracepy.system.devices import Device
from tests.support.blocktrace import KNOWN, PART, Disk


def times(found: list[Request]) -> list[tuple[int, int | None, int]]:
    """Sector, microseconds queued and served."""
    return [(one.sector, None if one.queued is None else one.queued // 1000, (one.done - one.begun(from_made=False)) // 1000)
            for one in found]  # fmt: skip


def test_many_under_way_at_once_end_in_any_order() -> None:
    disk = Disk()
    places = list(range(0, 13 * 8, 8))
    for place in places:
        disk.made(place)
    for place in places:
        disk.issued(place)
    for place in reversed(places):
        disk.done(place)
    assert times(disk.requests()) == [(place, 13, 25 - 2 * at) for at, place in reversed(list(enumerate(places)))]


def test_it_belongs_to_who_made_it() -> None:
    disk = Disk()
    disk.made(0, tid=8)
    disk.issued(0, tid=99)
    disk.done(0)
    (one,) = disk.requests()
    assert (one.tid, one.pid, one.comm, one.size_bytes) == (8, 7, "task8", 4096)


def test_not_seen_being_made_it_belongs_to_who_issued_it() -> None:
    disk = Disk()
    disk.issued(64, tid=99)
    disk.done(64)
    (one,) = disk.requests()
    assert (one.comm, one.queued) == ("task99", None)


def test_made_for_a_partition_issued_for_the_disk() -> None:
    disk = Disk()
    disk.made(2000, dev=PART)
    disk.issued(2000)
    disk.done(2000)
    assert times(disk.requests()) == [(2000, 1, 1)]


def test_merges_at_both_ends_and_with_a_neighbour() -> None:
    disk = Disk()
    disk.made(16)
    disk.tell("bio_backmerge", 24, 8, tid=8)
    disk.tell("bio_frontmerge", 8, 8, tid=8)
    disk.made(32, 4, tid=8)
    disk.tell("rq_merge", 32, 4)
    disk.issued(8, 28)
    disk.done(8, 28)
    (one,) = disk.requests()
    assert (one.sector, one.size_bytes, one.comm, one.queued) == (8, 28 * 512, "task7", 5000)


def test_bios_merged_behind_need_not_be_told_where_requests_are() -> None:
    disk = Disk()
    disk.made(0)
    disk.made(24, tid=8)
    disk.tell("rq_merge", 24, 8, tid=8)
    disk.issued(0, 32)
    disk.made(24, tid=8)
    disk.done(0, 32)
    disk.issued(24)
    disk.done(24)
    assert [(one.tid, one.queued) for one in disk.requests()] == [(7, 3000), (8, 2000)]


def test_a_merge_of_requests_that_the_kernel_does_not_tell_leaves_nothing_behind() -> None:
    """Before 5.11: what was merged away must not be taken for a later request at its place."""
    disk = Disk()
    disk.made(0)
    disk.made(8)
    disk.issued(0, 16)
    disk.done(0, 16)
    disk.issued(8)
    disk.done(8)
    assert times(disk.requests()) == [(0, 2, 1), (8, None, 1)]


def test_a_write_does_not_merge_into_a_read() -> None:
    disk = Disk()
    disk.made(0, rwbs="R")
    disk.made(0, rwbs="WS", tid=8)
    disk.tell("bio_backmerge", 8, 8, "WS")
    disk.issued(0, 8, "R")
    disk.issued(0, 16, "WS")
    disk.done(0, 16, "WS")
    disk.done(0, 8, "R")
    assert [(one.rwbs, one.size_bytes, one.tid) for one in disk.requests()] == [("WS", 8192, 8), ("R", 4096, 7)]


def test_done_in_parts_it_is_one() -> None:
    disk = Disk()
    disk.made(100, 24)
    disk.issued(100, 24)
    for sector in (100, 108, 116):
        disk.done(sector)
    (one,) = disk.requests()
    assert (one.sector, one.size_bytes) == (100, 24 * 512)
    assert times([one]) == [(100, 1, 3)]


def test_put_back_its_last_turn_is_the_drivers_time() -> None:
    disk = Disk()
    disk.made(0)
    disk.issued(0)
    disk.back(0)
    disk.issued(0)
    disk.done(0)
    assert times(disk.requests()) == [(0, 3, 1)]


def test_the_rest_put_back_after_a_part_was_done() -> None:
    disk = Disk()
    disk.made(0, 16)
    disk.issued(0, 16)
    disk.done(0, 8)
    disk.back(8, 8)
    disk.issued(8, 8)
    disk.done(8, 8)
    (one,) = disk.requests()
    assert (one.sector, one.size_bytes, one.tid) == (0, 8192, 7)
    assert times([one]) == [(0, 4, 1)]


def test_a_flush_ends_at_place_minus_one_and_belongs_to_the_first_that_asked() -> None:
    """As 5.10, 6.1 and 7.3 tell it: each that asked ends as well, though it was never issued."""
    disk = Disk()
    disk.made(0, 0, "FWS", tid=8)
    disk.made(0, 0, "FWS", tid=7)
    disk.issued(0, 0, "FF")
    disk.done((1 << 64) - 1, 0, "FF")
    disk.done(0, 0, "WS")
    disk.done(0, 0, "WS")
    (one,) = disk.requests()
    assert (one.rwbs, one.sector, one.size_bytes, one.tid) == ("FF", 0, 0, 8)
    assert times([one]) == [(0, 2, 1)]


def test_a_write_that_asks_for_a_flush_is_issued_as_a_plain_one() -> None:
    disk = Disk()
    disk.made(40, 8, "FWFS")
    disk.issued(40, 8, "WS")
    disk.done(40, 8, "WS")
    disk.done(48, 0, "WS")
    assert times(disk.requests()) == [(40, 1, 1)]


def test_requests_without_a_place_are_known_by_their_bytes() -> None:
    """What a program passes through to a drive has no sectors when issued, and its bytes when done."""
    disk = Disk()
    disk.issued(0, 0, "R", bytes=512)
    disk.issued(0, 0, "R", bytes=4096)
    disk.done(0, 8, "R")
    disk.done(0, 1, "R")
    assert [(one.size_bytes, one.done - (one.issued or 0)) for one in disk.requests()] == [(4096, 1000), (512, 3000)]


def test_equal_ones_under_way_end_in_the_order_of_their_issue() -> None:
    disk = Disk()
    for _ in range(3):
        disk.issued(0)
    for _ in range(3):
        disk.done(0)
    assert times(disk.requests()) == [(0, None, 3)] * 3


def test_an_end_without_a_beginning_is_nothing() -> None:
    disk = Disk()
    disk.done(0)
    disk.issued(0)
    disk.done(0, 16)
    disk.done(0, 8, "WS")
    disk.done(0, 0)
    disk.done(0)
    assert times(disk.requests()) == [(0, None, 4)]


def test_after_a_loss_no_old_beginning_gets_a_new_end() -> None:
    """A completion that was lost made perf-tools show 90 seconds."""
    disk = Disk()
    disk.made(0)
    disk.issued(0)
    disk.made(8)
    disk.lose()
    disk.issued(8)
    disk.done(0)
    disk.done(8)
    assert times(disk.requests()) == [(8, None, 2)]


def test_what_other_cpus_tell_during_a_loss_is_not_believed() -> None:
    """CPU 1 lost an end and the next beginning at its place; CPU 0 tells the second end before CPU 1 tells of its loss."""
    disk = Disk()
    disk.issued(8)
    disk.done(8)
    disk.issued(0)
    disk._events[-3].cpu = 1
    disk.done(0)
    disk.issued(64)
    disk._events[-1].cpu = 1
    disk.lose(cpu=1)
    disk._losses[-1] = (len(disk._events) - 1, *disk._losses[-1][1:])
    disk.done(64)
    assert times(disk.requests()) == [(64, None, 1)]


def test_errors_are_kept() -> None:
    disk = Disk()
    disk.issued(0)
    disk.done(0, error=-5)
    assert [one.error for one in disk.requests()] == [-5]


def test_own_requests_are_left_out() -> None:
    disk = Disk()
    disk.header(own=[7])
    disk.made(0, tid=7)
    disk.issued(0, tid=99)
    disk.done(0)
    assert disk.requests() == []


def test_issued_ones_are_told_once_and_at_once() -> None:
    disk = Disk()
    disk.made(0)
    disk.issued(0)
    assert [one.size_bytes for one in disk.requests(issued=True)] == [4096]


def test_bios_of_a_device_without_requests() -> None:
    disk = Disk()
    disk.tell("bio_queue", 0, 8, tid=8)
    disk.tell("bio_queue", 8, 8)
    disk.tell("bio_complete", 8, 8, error=-5)
    disk.tell("bio_complete", 0, 8, error=0)
    found = disk.bios()
    assert [(one.sector, one.tid, one.error) for one in found] == [(8, 7, -5), (0, 8, 0)]
    assert times(found) == [(8, None, 1), (0, None, 3)]


def test_a_bio_that_was_split_ends_with_its_rest() -> None:
    disk = Disk()
    disk.tell("bio_queue", 0, 24)
    disk.tell("split", 0, 0, new_sector=16)
    disk.tell("bio_complete", 0, 16, error=0)
    disk.tell("bio_complete", 16, 8, error=0)
    (one,) = disk.bios()
    assert (one.sector, one.size_bytes, one.done - (one.issued or 0)) == (0, 24 * 512, 3000)


def test_bios_that_became_requests_do_not_end_as_bios() -> None:
    disk = Disk()
    disk.tell("bio_queue", 0, 8)
    disk.made(0)
    disk.tell("bio_queue", 8, 8)
    disk.tell("bio_backmerge", 8, 8)
    disk.tell("bio_complete", 0, 8, error=0)
    disk.tell("bio_complete", 8, 8, error=0)
    assert disk.bios() == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [("sda", [0, 1024, 3072]), ("/dev/sda", [0, 1024, 3072]), ("8,0", [0, 1024, 3072]), ("8:1", [1024]), ("sda1", [1024]),
     ("sdb", []), ("7,0", [])],
)  # fmt: skip
def test_devices_are_chosen_by_name_or_number(asked: str, found: list[int]) -> None:
    disk = Disk()
    for sector in (0, 1024, 3072):
        disk.issued(sector)
        disk.done(sector)
    tasks, known = Tasks(disk.schema), Devices()
    source = Requests(tasks, known)
    chosen = known.chooser(asked)
    assert [one.sector for one in walk(disk.feed(), (known, source, tasks), source.out) if chosen(one)] == found


def test_letters() -> None:
    assert [direction(one) for one in ("R", "WS", "FF", "FWFS", "F", "FWS", "DS", "N", "")] == [
        "R", "W", "F", "W", "F", "W", "D", "N", "",
    ]  # fmt: skip
    assert meaning("FWFSM") == ("flush before", "write", "lasting", "sync", "metadata")
    assert meaning("FF") == ("flush before", "flush")
    assert meaning("RA") == ("read", "read ahead")


def test_device_lines() -> None:
    assert devices.unpack(devices.pack(KNOWN)) == list(KNOWN)
    assert devices.unpack(b"1 a 1 0 8\ncut off") == [Device(1, "a", 1, 0, 8)]
    assert [devices.number(one) for one in ("8,1", "8:1", "sda", "8", ",")] == [PART, PART, None, None, None]
    assert devices.shown(PART) == "8,1"
