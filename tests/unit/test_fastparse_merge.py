"""Several CPUs: one time order, promises kept, losses in place, live feeding, in both decoders."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from ftracepy.errors import FtracepyError
from ftracepy.schema import PageLayout, Schema
from tests.support.decoders import ALL_NS, decode, decoder, implementations, picture
from tests.support.pages import PageWriter, event_format, schema

TICK = event_format("tick", 77, "int number; 8; 4; 1")


@pytest.fixture(params=implementations())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def write() -> PageWriter:
    return PageWriter(schema(TICK))


def test_equal_stamps_come_in_cpu_order(name: str, write: PageWriter) -> None:
    data = {cpu: write.page(10, write.event("tick", number=1), write.event("tick", number=2)) for cpu in (7, 3, 5)}
    batch = decode(name, write.schema, data)
    assert [(event.cpu, event["number"]) for event in batch] == [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (7, 2)]


def random_cpus(write: PageWriter, random: Random, cpus: int) -> tuple[dict[int, bytes], list[tuple[int, int, int]]]:
    """Pages of random events, and the order they must come in: by (stamp, CPU), a CPU's own order kept."""
    data: dict[int, bytes] = {}
    all_: list[tuple[int, int, int]] = []
    for cpu in range(cpus):
        ts, number, pages = random.randrange(50), 0, b""
        for _ in range(random.randrange(4)):
            start = ts
            items: list[bytes] = []
            for _ in range(random.randrange(1, 60)):
                delta = random.choice((0, 0, 1, 3, 40)) if items else 0
                ts += delta
                number += 1
                items.append(write.event("tick", delta=delta, number=number))
                all_.append((ts, cpu, number))
            pages += write.page(start, *items)
        data[cpu] = pages
    return data, sorted(all_)


@pytest.mark.parametrize("cpus", [1, 2, 3, 8, 64])
def test_the_order_is_that_of_sorting(name: str, write: PageWriter, cpus: int) -> None:
    random = Random(cpus)
    for _ in range(10):
        data, wanted = random_cpus(write, random, cpus)
        batch = decode(name, write.schema, data)
        assert [(event.ts, event.cpu, event["number"]) for event in batch] == wanted


@pytest.mark.parametrize("most", [1, 2, 7, 100])
def test_small_batches_and_late_promises_give_the_same_events(name: str, write: PageWriter, most: int) -> None:
    data, wanted = random_cpus(write, Random(5), 4)
    fed = decoder(name, write.schema, range(4))
    for cpu, pages in data.items():
        fed.feed(cpu, pages)
    found: list[tuple[int, int, int]] = []
    for until_ns in [*range(0, 400, 30), ALL_NS]:
        while len(batch := fed.batch(until_ns, most)):
            assert len(batch) <= most
            assert until_ns == ALL_NS or max(batch.ts) < until_ns
            found += [(event.ts, event.cpu, event["number"]) for event in batch]
            assert batch.until_ns == until_ns or batch.until_ns == batch[len(batch) - 1].ts
        assert batch.until_ns == until_ns
    assert found == wanted


def test_a_promise_excludes_its_own_moment(name: str, write: PageWriter) -> None:
    fed = decoder(name, write.schema)
    fed.feed(0, write.page(ALL_NS - 1, write.event("tick"), write.event("tick", delta=1)))
    assert len(fed.batch(0)) == 0
    assert len(fed.batch(ALL_NS - 1)) == 0
    assert [event.ts for event in fed.batch()] == [ALL_NS - 1, ALL_NS]


def test_an_idle_cpu_holds_nothing_back(name: str, write: PageWriter) -> None:
    fed = decoder(name, write.schema, (0, 1))
    fed.feed(0, write.page(10, write.event("tick")))
    assert [event.ts for event in fed.batch(20)] == [10]
    fed.feed(1, write.page(5, write.event("tick")))
    assert [event.ts for event in fed.batch(20)] == [5]


def test_a_clock_that_jumps_back_keeps_the_cpus_order(name: str, write: PageWriter) -> None:
    back = write.page(100, write.event("tick", number=1)) + write.page(20, write.event("tick", number=2))
    data = {0: back, 1: write.page(50, write.event("tick", number=3)) + write.page(150, write.event("tick", number=4))}
    assert [event["number"] for event in decode(name, write.schema, data)] == [3, 1, 2, 4]


def test_live_feeding_one_page_at_a_time(name: str, write: PageWriter) -> None:
    data, wanted = random_cpus(write, Random(11), 2)
    fed = decoder(name, write.schema, (0, 1))
    found = []
    pages = [(cpu, data[cpu][at : at + 4096]) for cpu in data for at in range(0, len(data[cpu]), 4096)]
    for cpu, page in sorted(pages, key=lambda one: one[1][:8][::-1]):
        now = int.from_bytes(page[:8], "little")
        found += [(event.ts, event.cpu, event["number"]) for event in fed.batch(now)]
        fed.feed(cpu, bytearray(page))
    found += [(event.ts, event.cpu, event["number"]) for event in fed.batch()]
    assert found == wanted


def test_losses_of_several_cpus_stand_where_they_happened(name: str, write: PageWriter) -> None:
    data = {
        0: write.page(10, write.event("tick")) + write.page(30, write.event("tick"), lost=5),
        1: write.page(20, write.event("tick"), lost=6) + write.page(40, write.event("tick"), lost=7),
    }
    batch = decode(name, write.schema, data)
    assert batch.losses == [(1, 1, 6), (2, 0, 5), (3, 1, 7)]
    fed = decoder(name, write.schema, (0, 1))
    for cpu, pages in data.items():
        fed.feed(cpu, pages)
    losses = [(fed.batch(ALL_NS, 1)).losses for _ in range(5)]
    assert losses == [[], [(0, 1, 6)], [(0, 0, 5)], [(0, 1, 7)], []]


def test_batch_is_a_sequence(name: str, write: PageWriter) -> None:
    batch = decode(name, write.schema, {0: write.page(1, *(write.event("tick", number=n, delta=1) for n in range(5)))})
    assert [event["number"] for event in batch] == [batch[at]["number"] for at in range(5)] == list(range(5))
    assert batch[-1]["number"] == 4
    with pytest.raises(IndexError):
        batch[5]
    with pytest.raises(IndexError):
        batch[-6]
    assert repr(batch[0]) == "<Event test:tick cpu=0 pid=1 ts=2>"


def test_what_cannot_be_fed_or_asked(name: str, write: PageWriter) -> None:
    fed = decoder(name, write.schema, (0, 2))
    with pytest.raises(ValueError, match="CPU 1 is not one of"):
        fed.feed(1, b"")
    with pytest.raises(TypeError):
        fed.feed(0, "text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_events"):
        fed.batch(1, 0)
    for outside in (-1, 2**64):  # neither may pass for "all of time"
        with pytest.raises(OverflowError):
            fed.batch(outside)
        with pytest.raises(OverflowError):
            fed.feed(0, b"", outside)
    with pytest.raises(ValueError, match="a CPU number"):
        decoder(name, write.schema, (-1,))
    with pytest.raises(ValueError, match="a CPU number"):
        decoder(name, write.schema, (65536,))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(PageLayout(commit_bytes=5), id="commit width"),
        pytest.param(PageLayout(size_bytes=16), id="no room for data"),
        pytest.param(PageLayout(commit_offset=12), id="commit in the data"),
        pytest.param(PageLayout(data_offset=4, commit_offset=0, commit_bytes=4), id="no time stamp"),
    ],
)
def test_a_layout_that_contradicts_itself(name: str, page: PageLayout) -> None:
    with pytest.raises(ValueError, match="layout"):
        decoder(name, Schema(page=page))


def test_decoder_for_says_what_is_wrong_with_a_schema() -> None:
    from ftracepy.batch import decoder_for

    with pytest.raises(FtracepyError, match="cannot decode") as raised:
        decoder_for(Schema(page=PageLayout(commit_bytes=3)), (0,))
    assert "commit" in raised.value.why


def test_both_decoders_say_the_same(write: PageWriter) -> None:
    data, _ = random_cpus(write, Random(3), 8)
    pictures = [picture(decode(name, write.schema, data)) for name in implementations()]
    assert all(left == right for left, right in pairwise(pictures))
