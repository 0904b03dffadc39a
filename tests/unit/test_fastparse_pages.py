"""One CPU's sub-buffers: what each kind of event header and page header means, in both decoders."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from ftracepy.batch import Batch
from ftracepy.schema import Schema
from tests.support.decoders import decode, decoder, implementations
from tests.support.pages import UNKNOWN, PageWriter, event_format, layout, schema

TICK = event_format("tick", 77, "int number; 8; 4; 1")
KERNELS = [
    pytest.param(big, long_bytes, size, id=f"{'big' if big else 'little'}-long{long_bytes}-{size}")
    for big, long_bytes, size in product((False, True), (4, 8), (4096, 16384))
]


@pytest.fixture(params=implementations())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ticks() -> Schema:
    return schema(TICK)


def read(name: str, given: Schema, *pages: bytes) -> Batch:
    return decode(name, given, {0: b"".join(pages)})


def seen(batch: Batch) -> list[tuple[int, object]]:
    return [(event.ts, event["number"]) for event in batch]


@pytest.mark.parametrize(("big", "long_bytes", "size"), KERNELS)
def test_each_kernels_page(name: str, big: bool, long_bytes: int, size: int) -> None:
    given = schema(TICK, page=layout(big_endian=big, long_bytes=long_bytes, size_bytes=size))
    write = PageWriter(given)
    one = write.event("tick", number=-1, pid=9, flags=3, preempt_count=0x21)
    first = write.page(1000, one, write.event("tick", delta=5, number=2))
    second = write.page(5 << 32, write.event("tick", number=3), lost=12)
    batch = read(name, given, first, second)
    assert seen(batch) == [(1000, -1), (1005, 2), (5 << 32, 3)]
    assert batch.losses == [(2, 0, 12)]
    assert batch.faults == []
    assert (batch[0].pid, batch[0].flags, batch[0].preempt_count, batch[0].id, batch[0].name) == (9, 3, 0x21, 77, "tick")


@pytest.mark.parametrize("big", [False, True])
def test_time_extend_and_absolute_stamp(name: str, big: bool) -> None:
    given = schema(TICK, page=layout(big_endian=big))
    write = PageWriter(given)
    far = (1 << 40) + 3
    page = write.page(
        10,
        write.event("tick"),
        write.extend(far),
        write.event("tick", delta=1),
        write.stamp(1 << 50),
        write.event("tick", delta=2),
    )
    assert [ts for ts, _ in seen(read(name, given, page))] == [10, 10 + far + 1, (1 << 50) + 2]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((3 << 59) + 100, (3 << 59) + 200, id="the top five bits stay"),
        pytest.param((3 << 59) + (1 << 59) - 1, (4 << 59) + 7, id="the top five bits carry"),
        pytest.param(500, 400, id="a clock below 2^59 may jump back"),
    ],
)
def test_an_absolute_stamp_has_59_bits(name: str, ticks: Schema, before: int, after: int) -> None:
    write = PageWriter(ticks)
    page = write.page(before, write.event("tick"), write.stamp(after), write.event("tick"))
    assert [ts for ts, _ in seen(read(name, ticks, page))] == [before, after]


def test_padding_is_a_filler_or_the_end(name: str, ticks: Schema) -> None:
    write = PageWriter(ticks)
    page = write.page(
        100, write.event("tick", number=1), write.discarded(20, delta=9), write.event("tick", delta=1, number=2), write.stop(),
        write.event("tick", number=3),
    )  # fmt: skip
    assert seen(read(name, ticks, page)) == [(100, 1), (101, 2)]


def test_a_length_word_counts_itself(name: str, ticks: Schema) -> None:
    write = PageWriter(ticks)
    payload = write.record("tick", number=8)
    page = write.page(1, write.data(payload, long=True), write.data(payload + bytes(396)), write.event("tick", number=9))
    batch = read(name, ticks, page)
    assert [len(event.raw) for event in batch] == [12, 408, 12]
    assert [event["number"] for event in batch] == [8, 8, 9]


@pytest.mark.parametrize("lost", [1, 46441, UNKNOWN])
@pytest.mark.parametrize("long_bytes", [4, 8])
def test_losses_stand_before_the_pages_first_event(name: str, lost: int, long_bytes: int) -> None:
    given = schema(TICK, page=layout(long_bytes=long_bytes))
    write = PageWriter(given)
    batch = read(name, given, write.page(1, write.event("tick")), write.page(2, write.event("tick"), lost=lost))
    assert batch.losses == [(1, 0, lost)]


def test_a_full_page_has_no_room_for_its_count(name: str) -> None:
    given = schema(TICK, page=layout(size_bytes=16 + 16))
    write = PageWriter(given)
    page = write.page(1, write.event("tick"), lost=UNKNOWN)
    page = page[:12] + b"\xff\xff\xff\xff" + page[16:]
    stored_without_room = (int.from_bytes(page[8:12], "little") | 1 << 30).to_bytes(4, "little")
    assert read(name, given, page[:8] + stored_without_room + page[12:]).losses == [(0, 0, UNKNOWN)]


def test_losses_of_empty_pages_add_up(name: str, ticks: Schema) -> None:
    write = PageWriter(ticks)
    pages = [write.page(1, lost=3), write.page(2, write.stop(), lost=4), write.page(3, write.event("tick"))]
    assert read(name, ticks, *pages).losses == [(0, 0, 7)]


def test_a_loss_with_nothing_after_it_is_told_at_once(name: str, ticks: Schema) -> None:
    write = PageWriter(ticks)
    fed = decoder(name, ticks)
    fed.feed(0, write.page(1, lost=3))
    batch = fed.batch()
    assert (len(batch), batch.losses) == (0, [(0, 0, 3)])
    fed.feed(0, write.page(2, write.event("tick")))
    assert fed.batch().losses == []


def test_empty_and_zeroed_pages(name: str, ticks: Schema) -> None:
    batch = read(name, ticks, PageWriter(ticks).page(5), bytes(4096), b"")
    assert (len(batch), batch.losses, batch.faults) == (0, [], [])


def faulty_pages(write: PageWriter) -> dict[str, tuple[bytes, int]]:
    """Reason → a page with a good event and then something wrong, and where the wrong thing lies."""
    good, at = write.event("tick"), 16 + 16
    return {
        "event header cut short": (write.page(1, good, b"\1\2"), at),
        "event length below 4": (write.page(1, good, write.word(0, 1) + bytes(4)), at),
        "event overruns the commit": (write.page(1, good, write.word(28, 0)), at),
        "event shorter than its common fields": (write.page(1, good, write.data(b"\1\2\3\4")), at),
    }


@pytest.mark.parametrize("reason", list(faulty_pages(PageWriter(schema(TICK)))))
def test_a_fault_skips_the_rest_of_its_page_only(name: str, ticks: Schema, reason: str) -> None:
    write = PageWriter(ticks)
    page, at = faulty_pages(write)[reason]
    fed = decoder(name, ticks)
    fed.feed(0, page + write.page(2, write.event("tick")), 1 << 33)
    batch = fed.batch()
    assert [event.ts for event in batch] == [1, 2]
    assert batch.faults == [(0, (1 << 33) + at, reason)]
    assert batch.losses == [(1, 0, UNKNOWN)]


@pytest.mark.parametrize("kind", [0, 29, 30, 31])
def test_a_header_without_its_second_word(name: str, ticks: Schema, kind: int) -> None:
    write = PageWriter(ticks)
    assert read(name, ticks, write.page(1, write.word(kind, 1))).faults == [(0, 16, "event header cut short")]


def test_a_commit_beyond_the_page(name: str, ticks: Schema) -> None:
    write = PageWriter(ticks)
    page = bytearray(write.page(1, write.event("tick")))
    page[8:12] = (4081).to_bytes(4, "little")
    batch = read(name, ticks, bytes(page), write.page(2, write.event("tick")))
    assert batch.faults == [(0, 0, "commit exceeds the sub-buffer")]
    assert [event.ts for event in batch] == [2]


def test_a_recording_cut_short(name: str, ticks: Schema) -> None:
    write = PageWriter(ticks)
    page = write.page(1, write.event("tick", number=1), write.event("tick", number=2), cut=True)
    assert seen(read(name, ticks, page)) == [(1, 1), (1, 2)]
    assert read(name, ticks, page[:-1]).faults == [(0, 0, "sub-buffer cut short")]
    assert read(name, ticks, page[:15]).faults == [(0, 0, "sub-buffer cut short")]


def test_an_id_without_a_format_is_still_an_event(name: str, ticks: Schema) -> None:
    write = PageWriter(ticks)
    unknown = (999).to_bytes(2, "little") + write.record("tick", pid=5)[2:]
    event = read(name, ticks, write.page(1, write.data(unknown)))[0]
    assert (event.id, event.system, event.name, event.pid, event.keys()) == (999, "", "", 5, ())
    assert event.get("number") is None
    with pytest.raises(KeyError):
        event["number"]


def test_common_fields_lie_where_the_format_says(name: str) -> None:
    at = {"common_type": 2, "common_flags": 0, "common_preempt_count": 1, "common_pid": 4}
    given = schema(replace(TICK, common=tuple(replace(one, offset=at[one.name]) for one in TICK.common)))
    write = PageWriter(given)
    event = read(name, given, write.page(1, write.event("tick", pid=70000, flags=4, preempt_count=2, number=6)))[0]
    assert (event.id, event.pid, event.flags, event.preempt_count, event["number"]) == (77, 70000, 4, 2, 6)
