"""Calls counted by the C core and by its twin: the same tallies, whatever order entries and exits come in."""

from __future__ import annotations

from importlib import import_module
from random import Random
from typing import Any

import pytest

from ftracepy.batch import Batch
from tests.support.decoders import decode, implementations
from tests.support.pages import PageWriter, event_format, schema

FORMATS = (
    event_format("sys_enter", 10, "long id; 8; 8; 1", system="raw_syscalls"),
    event_format("sys_exit", 11, "long id; 8; 8; 1", "long ret; 16; 8; 1", system="raw_syscalls"),
    event_format("sys_enter_read", 20, "int __syscall_nr; 8; 4; 1", system="syscalls"),
    event_format("sys_exit_read", 21, "int __syscall_nr; 8; 4; 1", "long ret; 16; 8; 1", system="syscalls"),
    event_format("sys_exit_odd", 22, "int __syscall_nr; 8; 4; 1", "char ret[8]; 16; 8; 0", system="syscalls"),
    event_format("rename", 30, "int number; 8; 4; 1"),
    event_format("other", 31, "int number; 8; 4; 1"),
)
MODULES = {"_core": "_core", "twin": "twin_calls"}
Told = list[Any]


def stream(name: str, seed: int, count: int = 2000) -> Batch:
    """Calls of a few threads, many of which lack a half, are nested or answer another call."""
    write, random = PageWriter(schema(*FORMATS)), Random(seed)
    events = []
    for at in range(count):
        one = random.choice(FORMATS)
        values = {"id": random.choice((0, 1, 257, -1, -7)), "ret": random.choice((0, 5, -2, -4095, -4096, -512, -516))}
        fields = {"sys_enter": ("id",), "sys_exit": ("id", "ret"), "sys_exit_read": ("ret",)}.get(one.name, ())
        delta = random.randrange(5) if at % 60 else 0
        pid = random.choice((7, 8, 9, 4_000_000))
        events.append(write.event(one.name, delta=delta, common_pid=pid, **{field: values[field] for field in fields}))
    pages = b"".join(write.page(1000 * at, *events[at : at + 60]) for at in range(0, count, 60))
    return decode(name, write.schema, {0: pages})


def told(name: str, batch: Batch, *, raw: bool, lose_at: int) -> Told:
    """Everything a counter says of a batch that it goes through as counts.py does."""
    made = import_module(f"ftracepy._fastparse.{MODULES[name]}").CallCounter(10, 11, {20: -100}, {21: -100, 22: -101}, [30, 20])
    said: Told = []
    made.leave_out([9])
    at = 0
    while at < len(batch):
        stop = lose_at if at < lose_at else len(batch)
        at = made.count(batch, at, stop, raw)
        if at < stop:
            said.append((at, sorted(made.take(batch.pid[at]))))
            at += 1
        elif stop == lose_at:
            made.lost()
            made.trim()
    return [*said, [(tid, sorted(made.take(tid))) for tid in sorted(made.tids())], made.tids(), made.take(7)]


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_both_count_alike(seed: int, raw: bool) -> None:
    answers = {name: told(name, stream(name, seed), raw=raw, lose_at=777) for name in implementations()}
    assert len({repr(answer) for answer in answers.values()}) == 1
    *stops, final, tids, _rest = answers["twin"]
    assert sum(bool(rows) for _at, rows in stops) > 10
    assert 9 not in {*dict(final), *tids}


@pytest.mark.parametrize("name", implementations())
def test_what_was_counted_by_hand(name: str) -> None:
    write = PageWriter(schema(*FORMATS))
    events = [
        write.event("sys_enter", delta=0, common_pid=7, id=257),
        write.event("sys_exit", delta=100, common_pid=7, id=257, ret=-2),
        write.event("sys_enter", delta=5, common_pid=7, id=257),
        write.event("sys_exit", delta=200, common_pid=7, id=257, ret=3),
        write.event("sys_enter", delta=5, common_pid=7, id=231),
        write.event("sys_exit", delta=5, common_pid=8, id=0, ret=0),
    ]
    batch = decode(name, write.schema, {0: write.page(50, *events)})
    made = import_module(f"ftracepy._fastparse.{MODULES[name]}").CallCounter(10, 11, {}, {}, [])
    assert made.count(batch, 0, 6, True) == 6
    assert (made.tids(), sorted(made.take(7))) == ([7], [(231, 1, 0, 0, 0), (257, 2, 1, 300, 200)])
    assert (made.tids(), made.take(7)) == ([], [])


@pytest.mark.skipif("_core" not in implementations(), reason="the C core is not built")
def test_many_threads_and_calls() -> None:
    write = PageWriter(schema(*FORMATS))
    pages = b"".join(
        write.page(tid * 1000, *(write.event("sys_enter", delta=1, common_pid=tid, id=number) for number in range(60)))
        for tid in range(1, 1500)
    )
    batch = decode("_core", write.schema, {0: pages})
    made = import_module("ftracepy._fastparse._core").CallCounter(10, 11, {}, {}, [])
    assert made.count(batch, 0, len(batch), True) == len(batch) == 1499 * 60
    made.trim()
    assert sorted(made.tids()) == list(range(1, 1500))
    assert all(sorted(made.take(tid)) == [(number, 1, 0, 0, 0) for number in range(60)] for tid in range(1, 1500))


@pytest.mark.skipif("_core" not in implementations(), reason="the C core is not built")
def test_nonsense_is_refused() -> None:
    counter = import_module("ftracepy._fastparse._core").CallCounter
    batch = stream("_core", 1, 10)
    made = counter(10, 11, {}, {}, [])
    for start, stop in ((-1, 5), (5, 4), (0, 11)):
        with pytest.raises(IndexError):
            made.count(batch, start, stop, True)
    with pytest.raises(ValueError, match="no event id"):
        counter(10, 11, {70000: 1}, {}, [])
    with pytest.raises(ValueError, match="no event id"):
        counter(10, 11, {}, {}, [-1])
    with pytest.raises(TypeError):
        made.count([], 0, 0, True)
