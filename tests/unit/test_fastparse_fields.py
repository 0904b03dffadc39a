"""Fields: numbers by size and sign, text, bytes, arrays, and what happens where they point outside, in both decoders."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ftracepy.batch import Event
from ftracepy.schema import EventFormat
from tests.support.decoders import decode, implementations
from tests.support.pages import Given, PageWriter, event_format, layout, schema


@pytest.fixture(params=implementations())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def one(name: str, form: EventFormat, *, big: bool = False, **values: Given) -> Event:
    given = schema(form, page=layout(big_endian=big))
    write = PageWriter(given)
    return decode(name, given, {0: write.page(1, write.data(write.record(form.name, **values)))})[0]


NUMBERS = event_format(
    "numbers", 1, "s8 a; 8; 1; 1", "u8 b; 9; 1; 0", "short c; 10; 2; 1", "u16 d; 12; 2; 0", "int e; 16; 4; 1", "u32 f; 20; 4; 0",
    "s64 g; 24; 8; 1", "u64 h; 32; 8; 0", "int dfd; 40; 8; 0",
)  # fmt: skip


@pytest.mark.parametrize("big", [False, True])
def test_numbers_by_the_formats_size_and_sign(name: str, big: bool) -> None:
    minus = dict.fromkeys("abcdefgh", -2)
    event = one(name, NUMBERS, big=big, **minus, dfd=0xFFFFFF9C)
    assert [event[key] for key in "abcdefgh"] == [-2, 254, -2, 65534, -2, 2**32 - 2, -2, 2**64 - 2]
    assert event["dfd"] == 0xFFFFFF9C  # the C type says int, the format 8 bytes
    assert event.keys() == (*"abcdefgh", "dfd")


def test_common_fields_are_readable_and_not_listed(name: str) -> None:
    event = one(name, NUMBERS, pid=-1, flags=0x81, preempt_count=2)
    assert (event["common_type"], event["common_pid"], event["common_flags"], event["common_preempt_count"]) == (1, -1, 0x81, 2)
    assert "common_pid" in event
    assert "common_pid" not in dict(event)


def test_a_missing_field(name: str) -> None:
    event = one(name, NUMBERS)
    with pytest.raises(KeyError, match="nothing"):
        event["nothing"]
    assert event.get("nothing") is None
    assert event.get("nothing", 5) == 5
    assert event.get("a") == 0
    assert "nothing" not in event
    assert 7 not in event
    assert event["".join(["d", "fd"])] == 0  # a name that is not the interned one


TEXTS = event_format(
    "texts", 2, "char comm[16]; 8; 16; 0", "__data_loc char[] path; 24; 4; 0", "__rel_loc char[] near; 28; 4; 0",
    "__data_loc u8[] blob; 32; 4; 0", "__data_loc u32[] words; 36; 4; 0", "__u8 saddr[4]; 40; 4; 0", "short list[2]; 44; 4; 1",
    "__data_loc cpumask_t[] mask; 48; 4; 0",
)  # fmt: skip


@pytest.mark.parametrize("big", [False, True])
def test_text_bytes_and_arrays(name: str, big: bool) -> None:
    event = one(
        name, TEXTS, big=big, comm="bash", path="/tmp/é", near="next", blob=b"\0\1", words=(1, 2**32 - 1), saddr=b"\x7f\0\0\1",
        list=(-1, 2), mask=(1 << 63, 5),
    )  # fmt: skip
    assert dict(event) == {
        "comm": "bash", "path": "/tmp/é", "near": "next", "blob": b"\0\1", "words": (1, 2**32 - 1), "saddr": b"\x7f\0\0\1",
        "list": (-1, 2), "mask": (1 << 63, 5),
    }  # fmt: skip


def test_text_without_nul_and_text_that_is_no_utf8(name: str) -> None:
    event = one(name, TEXTS, comm=b"sixteen letters!", path=b"\xff\xfe ok\0rest", near=b"no end")
    assert (event["comm"], event["path"], event["near"]) == ("sixteen letters!", "\\xff\\xfe ok", "no end")


@pytest.mark.parametrize("word", [0xFFFFFFFF, 0xFFFF, 1 << 16 | 56, 60 << 16, 0xFFFF << 16 | 8])
def test_a_location_outside_the_record_is_empty(name: str, word: int) -> None:
    packed = word.to_bytes(4, "little")
    text = ("__data_loc char[] a; 8; 4; 0", "__rel_loc char[] b; 12; 4; 0")
    form = event_format("bad", 3, *text, "__data_loc u8[] c; 16; 4; 0", "__data_loc u32[] d; 20; 4; 0")
    given = schema(form)
    write = PageWriter(given)
    payload = write.record("bad")[:8] + packed * 4 + bytes(32)
    event = decode(name, given, {0: write.page(1, write.data(payload))})[0]
    assert [event[key] for key in "abcd"] == ["", "", b"", ()]


def test_a_record_that_ends_early(name: str) -> None:
    given = schema(NUMBERS, TEXTS)
    write = PageWriter(given)
    page = write.page(1, write.data(write.record("numbers", a=3)[:12]), write.data(write.record("texts", comm=b"ab\xc3")[:12]))
    short, text = decode(name, given, {0: page})
    assert [short[key] for key in ("a", "b", "e", "h")] == [3, 0, 0, 0]
    assert dict(text) == {
        "comm": "ab\\xc3", "path": "", "near": "", "blob": b"", "words": (), "saddr": b"", "list": (), "mask": (),
    }  # fmt: skip


def ftrace(name: str, *fields: str) -> EventFormat:
    return event_format(name, 5, *fields, system="ftrace")


def test_the_kernels_own_trailing_fields(name: str) -> None:
    marker = ftrace("print", "unsigned long ip; 8; 8; 0", "char buf[]; 16; 0; 0")
    assert one(name, marker, ip=1, buf="hello\n")["buf"] == "hello\n"
    raw = ftrace("raw_data", "unsigned int id; 8; 4; 0", "char buf[]; 12; 0; 0")
    assert one(name, raw, id=7, buf=b"a\0b\0")["buf"] == b"a\0b\0"
    stack = ftrace("kernel_stack", "int size; 8; 4; 1", "unsigned long caller[8]; 16; 64; 0")
    given = schema(stack)
    write = PageWriter(given)
    ten = tuple(range(1, 11))
    payload = write.record("kernel_stack", size=10)[:16] + b"".join(n.to_bytes(8, "little") for n in ten)
    assert decode(name, given, {0: write.page(1, write.data(payload))})[0]["caller"] == ten
    call = ftrace("function", "unsigned long ip; 8; 8; 0", "unsigned long args[]; 16; 0; 0")
    assert one(name, call, ip=1, args=(4, 5))["args"] == (4, 5)


def test_columns_of_one_field(name: str) -> None:
    given = schema(NUMBERS, TEXTS)
    write = PageWriter(given)
    events = [write.event("numbers", e=-n, h=n) if n % 3 else write.event("texts") for n in range(9)]
    batch = decode(name, given, {0: write.page(1, *events)})
    indices, values = batch.column(1, "e")
    assert (indices.format, values.format) == ("I", "q")
    assert (indices.tolist(), values.tolist()) == ([1, 2, 4, 5, 7, 8], [-1, -2, -4, -5, -7, -8])
    _, unsigned = batch.column(1, "h")
    assert (unsigned.format, unsigned.tolist()) == ("Q", [1, 2, 4, 5, 7, 8])
    assert batch.column(2, "common_pid")[1].tolist() == [1, 1, 1]
    assert [column.format for column in (batch.ts, batch.cpu, batch.id, batch.pid)] == ["Q", "H", "H", "i"]
    assert batch.id.tolist() == [2, 1, 1] * 3


@pytest.mark.parametrize("big", [False, True])
def test_many_columns_of_a_batch(name: str, big: bool) -> None:
    given = schema(NUMBERS, TEXTS, page=layout(big_endian=big))
    write = PageWriter(given)
    numbers = dict(zip("abcdefgh", (-100, 200, -30_000, 60_000, -2_000_000_000, 4_000_000_000, -(2**62), 2**63 + 1), strict=True))
    events = [write.event("texts") if n % 5 == 2 else write.event("numbers", **numbers, dfd=n) for n in range(11)]
    short = write.data(write.record("numbers", **numbers)[:20])  # ends before f
    batch = decode(name, given, {0: write.page(1, *events, short)})
    where = [n for n in range(12) if n not in {2, 7}]
    for _ in range(2):  # in whatever way the first ones are made, the later ones must be the same
        for field in numbers:
            indices, values = batch.column(1, field)
            assert indices.tolist() == where
            assert values.tolist() == [batch[n][field] for n in where]
        assert batch.column(2, "common_pid")[0].tolist() == [2, 7]
        assert batch.column(1, "f")[1].tolist()[-1] == 0
    assert [len(column) for column in batch.select(ids=[2]).column(1, "a")] == [0, 0]


def test_columns_that_cannot_be(name: str) -> None:
    given = schema(NUMBERS, TEXTS)
    batch = decode(name, given, {0: b""})
    with pytest.raises(KeyError):
        batch.column(1, "nothing")
    for unknown in (70000, 2**32 + 1, -1):
        with pytest.raises(KeyError):
            batch.column(unknown, "a")
    with pytest.raises(TypeError, match="comm"):
        batch.column(2, "comm")
    assert [len(column) for column in batch.column(1, "a")] == [0, 0]
    assert (batch.ts.tolist(), batch.pid.tolist()) == ([], [])


def test_events_that_are_held_stay_what_they_were(name: str) -> None:
    """A loop's events may be made over where nobody holds them; whoever holds one sees no other."""
    given = schema(NUMBERS)
    write = PageWriter(given)
    batch = decode(name, given, {0: write.page(1, *(write.event("numbers", delta=1, e=n) for n in range(40)))})
    held = [event for event in batch if event["e"] % 3 == 0]
    assert [(event["e"], event.ts) for event in held] == [(n, n + 2) for n in range(0, 40, 3)]
    assert [(left["e"], right["e"]) for left, right in pairwise(batch)] == [(n, n + 1) for n in range(39)]
    assert [event["e"] for event in sorted(batch, key=lambda event: -event.ts)] == list(range(39, -1, -1))
    rows, before = [], None
    for event in batch:
        if before is not None:
            rows.append((before["e"], event["e"]))
        before = event if event["e"] % 5 == 0 else before
    assert rows == [((n - 1) // 5 * 5, n) for n in range(1, 40)]
    some = iter(batch)
    first = next(some)
    del batch
    assert [first["e"], *(event["e"] for event in some)] == list(range(40))


def test_a_column_outlives_its_batch(name: str) -> None:
    given = schema(NUMBERS)
    write = PageWriter(given)
    batch = decode(name, given, {0: write.page(40, write.event("numbers", e=5))})
    ts, (_, values), kept = batch.ts, batch.column(1, "e"), batch[0].keep()
    del batch
    assert (ts[0], values[0], kept["e"], kept.ts) == (40, 5, 5, 40)
    assert ts.readonly
    assert values.readonly
