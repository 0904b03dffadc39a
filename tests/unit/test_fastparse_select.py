"""Batch.select: a choice by CPU, type, thread and time, in both decoders."""

from __future__ import annotations

from random import Random

import pytest

from ftracepy.batch import Batch
from tests.support.decoders import ALL_NS, decode, implementations, picture
from tests.support.pages import PageWriter, event_format, schema

TICK = event_format("tick", 77, "int number; 8; 4; 1")
TOCK = event_format("tock", 78, "int number; 8; 4; 1")


@pytest.fixture(params=implementations())
def batch(request: pytest.FixtureRequest) -> Batch:
    """Four CPUs, two events, three threads; CPU 2 lost 5 events before its second page."""
    return made(str(request.param))


def made(name: str) -> Batch:
    write, random = PageWriter(schema(TICK, TOCK)), Random(7)
    data = {}
    for cpu in range(4):
        events = [
            write.event(random.choice(("tick", "tock")), delta=3 if at else 0, number=at, common_pid=random.choice((1, 22, 333)))
            for at in range(50)
        ]
        data[cpu] = write.page(cpu, *events) + write.page(200 + cpu, events[0], lost=5 if cpu == 2 else 0)
    return decode(name, write.schema, data)


CHOICES: list[dict[str, object]] = [
    {},
    {"cpus": [1, 3]},
    {"ids": {77}},
    {"pids": frozenset({22, 1})},
    {"since_ns": 40, "until_ns": 90},
    {"cpus": (2,), "ids": [78], "pids": [333], "since_ns": 12},
    {"cpus": []},
    {"pids": [-1, 2**40]},
]


def wanted(batch: Batch, choice: dict[str, object]) -> list[tuple[int, int, int, int]]:
    """The same choice in the plainest words."""
    lists = {name: set(choice[name]) for name in ("cpus", "ids", "pids") if name in choice}  # type: ignore[call-overload]
    since_ns, until_ns = choice.get("since_ns", 0), choice.get("until_ns", ALL_NS)
    return [
        (event.ts, event.cpu, event.id, event.pid)
        for event in batch
        if since_ns <= event.ts < until_ns  # type: ignore[operator]
        and all(getattr(event, name[:-1]) in some for name, some in lists.items())
    ]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_chosen_events_are_those_that_fit(batch: Batch, choice: dict[str, object]) -> None:
    chosen = batch.select(**choice)  # type: ignore[arg-type]
    assert [(event.ts, event.cpu, event.id, event.pid) for event in chosen] == wanted(batch, choice)
    assert chosen.until_ns == batch.until_ns
    assert chosen.column(77, "number")[1].tolist() == [event["number"] for event in chosen if event.id == 77]


def test_a_loss_stays_before_the_next_event_of_its_cpu(batch: Batch) -> None:
    [(index, cpu, count)] = batch.select(cpus=[2]).losses
    assert (index, cpu, count) == (50, 2, 5)
    assert batch.select(cpus=[0, 1]).losses == []
    assert batch.select(until_ns=150).losses == []
    assert batch.select(pids=[]).losses == [(0, 2, 5)]


def test_the_choice_outlives_the_batch(batch: Batch) -> None:
    numbers = [event["number"] for event in batch if event.cpu == 1]
    chosen = batch.select(cpus=[1])
    del batch
    assert [event["number"] for event in chosen] == numbers


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_both_decoders_choose_alike(choice: dict[str, object]) -> None:
    pictures = [picture(made(name).select(**choice)) for name in implementations()]  # type: ignore[arg-type]
    assert all(one == pictures[0] for one in pictures)


@pytest.mark.parametrize("choice", [{"cpus": 3}, {"ids": ["a"]}, {"since_ns": -1}])
def test_nonsense_is_refused(batch: Batch, choice: dict[str, object]) -> None:
    with pytest.raises((TypeError, OverflowError)):
        batch.select(**choice)  # type: ignore[arg-type]
