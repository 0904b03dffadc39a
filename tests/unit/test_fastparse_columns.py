"""Decoder.columns: what a batch has as columns, without the batch, in both decoders, on good and on damaged sub-buffers."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from ftracepy.batch import Batch, Decoder
from ftracepy.schema import FieldKind, Schema
from tests.support.corpus import raw_names, raw_set
from tests.support.decoders import ALL_NS, columns_picture, decode, decoder, implementations
from tests.support.pages import PageWriter, event_format, layout, schema

NUMBERS = event_format(
    "numbers", 1, "s8 a; 8; 1; 1", "u8 b; 9; 1; 0", "s16 c; 10; 2; 1", "u16 d; 12; 2; 0", "s32 e; 16; 4; 1", "u32 f; 20; 4; 0",
    "s64 g; 24; 8; 1", "u64 h; 32; 8; 0",
)  # fmt: skip
TICK = event_format("tick", 77, "int number; 8; 4; 1")
TEXT = event_format("text", 78, "char text[16]; 8; 16; 0")
FAR = event_format("far", 79, "char text[112]; 8; 112; 0", "u64 last; 120; 8; 0")  # no record of the usual lengths has it
EVERY: dict[int, list[str]] = {1: list("abcdefgh"), 77: ["number", "common_pid"], 78: [], 79: ["last"]}


@pytest.fixture(params=implementations())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fed(name: str, given: Schema, data: dict[int, bytes]) -> Decoder:
    made = decoder(name, given, sorted(data))
    for cpu, pages in data.items():
        made.feed(cpu, pages)
    return made


def narrowed(batch: Batch, wanted: dict[int, list[str]]) -> dict[str, Any]:
    """What columns have to say with `only`, from a batch that has all."""
    kept = [at for at, event in enumerate(batch) if event.id in wanted]
    chosen = columns_picture(batch.select(ids=wanted), wanted)
    losses = [(sum(one < at for one in kept), cpu, count) for at, cpu, count in batch.losses]
    return {**chosen, "rest": (len(kept), losses, batch.faults, batch.until_ns)}


def random_pages(write: PageWriter, random: Random, cpus: int) -> dict[int, bytes]:
    """Records of all lengths, far times, losses, and here and there a byte that was never written so."""
    data = {}
    for cpu in range(cpus):
        pages, ts = b"", random.randrange(50)
        for _ in range(random.randrange(5)):
            items = [random_item(write, random) for _ in range(random.randrange(1, 50))]
            page = bytearray(write.page(ts, *items, lost=random.choice((0, 0, 3))))
            for _ in range(random.choice((0, 0, 1, 5))):
                page[random.randrange(8, len(page) // 4)] = random.randrange(256)
            pages += page
            ts += 500
        data[cpu] = pages
    return data


def random_item(write: PageWriter, random: Random) -> bytes:
    delta = random.choice((0, 1, 3, 40))
    kind = random.randrange(9)
    if kind == 8:
        size = random.choice((128, 128, 124, 120, 116, 112, 8))
        return write.data(write.record("far", text="f" * 9, last=5)[:size], delta=delta)
    if kind == 0:
        return write.data(write.record("numbers", a=1, g=2)[: random.choice((8, 12, 20, 24))])
    if kind == 1:
        return write.event("text", delta=delta, text="t" * 9)
    if kind < 5:
        return write.event("tick", delta=delta, number=random.randrange(-(2**31), 2**31), common_pid=random.randrange(9))
    numbers = (-100, 200, -30_000, 60_000, -2_000_000_000, 4_000_000_000, -(2**62), 2**63 + 1)
    return write.event("numbers", delta=delta, **dict(zip("abcdefgh", numbers, strict=True)))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("cpus", [1, 2, 9])
def test_columns_say_what_batches_say(name: str, cpus: int, big: bool) -> None:
    given = schema(NUMBERS, TICK, TEXT, FAR, page=layout(big_endian=big))
    write, random = PageWriter(given), Random(cpus)
    for _ in range(30):
        data = random_pages(write, random, cpus)
        whole = decode(name, given, data)
        choices: list[dict[int, list[str]]] = [
            EVERY,
            {77: ["number"], 1: ["g"]},  # a number of 8 bytes alone is read at once, others later: both, and each alone
            {1: ["h"], 78: []},
            {79: ["last"]},
            {77: ["number"], 78: []},
            {78: [], 5: []},
            {},
        ]
        for wanted in choices:
            made = fed(name, given, data)
            made.want(wanted)
            assert columns_picture(made.columns(max_events=1 << 20), wanted) == columns_picture(whole, wanted)
            made = fed(name, given, data)
            made.want(wanted, only=True)
            assert columns_picture(made.columns(max_events=1 << 20), wanted) == narrowed(whole, wanted)


@pytest.mark.parametrize("most", [1, 2, 7, 100])
@pytest.mark.parametrize("only", [False, True])
def test_small_batches_and_promises(most: int, only: bool) -> None:
    """Batch by batch the same in both decoders, and as many rows as allowed, never more."""
    given = schema(NUMBERS, TICK, TEXT, FAR)
    data = random_pages(PageWriter(given), Random(most), 3)
    pictures = []
    for name in implementations():
        made, found = fed(name, given, data), []
        made.want({77: ["number"]}, only)
        for until_ns in [*range(0, 3000, 170), ALL_NS]:
            while True:
                batch = made.columns(until_ns, most)
                found.append(columns_picture(batch, {77: ["number"]}))
                assert len(batch) <= most
                if batch.until_ns == until_ns:
                    break
        pictures.append(found)
    assert all(one == pictures[0] for one in pictures)
    if not only:
        rows = [ts for one in pictures[0] for ts in one["rows"][0]]
        assert rows == decode(implementations()[0], given, data).ts.tolist()


def test_formats_and_what_outlives_what(name: str) -> None:
    given = schema(NUMBERS, TICK)
    write = PageWriter(given)
    page = write.page(40, write.event("tick", number=5), write.event("numbers", e=-3))
    made = fed(name, given, {0: page})
    made.want({1: ["e", "h"]})
    batch = made.columns()
    assert [column.format for column in (batch.ts, batch.cpu, batch.id, batch.pid)] == ["Q", "H", "H", "i"]
    assert [part.format for one in "eh" for part in batch.column(1, one)] == ["I", "q", "I", "Q"]
    ts, (rows, values) = batch.ts, batch.column(1, "e")
    made.want({77: ["number"]})  # another wish does not touch what was given before
    made.feed(0, page)
    later = made.columns()
    del batch
    made.feed(0, page)
    made.columns()
    assert (ts.tolist(), rows.tolist(), values.tolist()) == ([40, 40], [1], [-3])
    assert later.column(77, "number")[1].tolist() == [5]
    assert ts.readonly
    assert values.readonly


def test_a_batch_that_is_held_is_not_written_over(name: str) -> None:
    given = schema(TICK)
    write = PageWriter(given)
    made = decoder(name, given)
    made.want({77: ["number"]})
    held = []
    for n in range(6):
        made.feed(0, write.page(n, write.event("tick", number=n)))
        batch = made.columns()
        if n % 2:
            held.append(batch)
    assert [batch.column(77, "number")[1].tolist() for batch in held] == [[1], [3], [5]]
    assert [batch.ts.tolist() for batch in held] == [[1], [3], [5]]


def test_what_cannot_be_wanted(name: str) -> None:
    given = schema(NUMBERS, TICK, TEXT, FAR)
    made = decoder(name, given)
    with pytest.raises(ValueError, match="want"):
        made.columns()
    made.want({77: ["number"]})
    unknown: list[dict[int, list[str]]] = [{5: ["a"]}, {70000: []}, {-1: []}, {1: ["nothing"]}]
    for wrong in unknown:
        with pytest.raises(KeyError):
            made.want(wrong)
    with pytest.raises(TypeError, match="number"):
        made.want({78: ["text"]})
    with pytest.raises(ValueError, match="max_events"):
        made.columns(1, 0)
    with pytest.raises(OverflowError):
        made.columns(2**64)
    batch = made.columns()  # the last wish that could be granted still holds
    assert [len(part) for part in batch.column(77, "number")] == [0, 0]
    for id, field in ((1, "a"), (77, "common_pid"), (77, "nothing"), (9, "a")):
        with pytest.raises(KeyError):
            batch.column(id, field)


@pytest.mark.skipif(not raw_names(), reason="no corpus of raw sets (FTRACEPY_CORPUS)")
@pytest.mark.parametrize("recording", raw_names())
def test_every_number_of_real_buffers(recording: str) -> None:
    """All of them, from pages as they came and from damaged ones."""
    raw, random = raw_set(recording), Random(recording)
    for data in (raw.data, {cpu: damaged(random, pages) for cpu, pages in raw.data.items()}):
        whole = decode("_core" if "_core" in implementations() else "twin", raw.schema, data)
        wanted = {
            id: [one.name for one in raw.schema.formats[id].fields if is_number(one)]
            for id in set(whole.id) & set(raw.schema.formats)
        }
        made = fed(implementations()[0], raw.schema, data)
        made.want(wanted)
        assert columns_picture(made.columns(max_events=1 << 20), wanted) == columns_picture(whole, wanted)


def damaged(random: Random, pages: bytes) -> bytes:
    changed = bytearray(pages)
    for _ in range(len(pages) // 1000):
        changed[random.randrange(len(pages))] = random.randrange(256)
    return bytes(changed)


def is_number(field: Any) -> bool:
    return field.count is None and field.kind is FieldKind.FIXED and field.size in (1, 2, 4, 8)
