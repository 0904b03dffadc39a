"""Buffers in one time order: the answer of sorting all their events, whatever the batches' sizes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ftracepy.pipeline.merge import merge
from ftracepy.schema import TimeScale


@dataclass
class Part:
    """What merge needs of a batch."""

    ts: list[int]
    losses: list[tuple[int, int, int]]

    def __len__(self) -> int:
        return len(self.ts)


def batches(stamps: list[int], dice: random.Random) -> Iterator[Any]:
    while stamps:
        size = dice.randrange(5)
        yield Part(stamps[:size], [])
        stamps = stamps[size:]
    yield Part([], [])


@pytest.mark.parametrize("seed", range(30))
def test_as_sorting_all_of_them(seed: int) -> None:
    dice = random.Random(seed)
    buffers = [sorted(dice.randrange(60) for _ in range(dice.randrange(40))) for _ in range(dice.randrange(1, 5))]
    runs = merge((batches(stamps, dice), TimeScale()) for stamps in buffers)
    merged = [(run.batch.ts[at], run.number) for run in runs for at in range(run.start, run.stop)]
    assert merged == sorted((stamp, number) for number, stamps in enumerate(buffers) for stamp in stamps)


def test_times_are_compared_as_shown() -> None:
    clocks: list[tuple[Iterator[Any], TimeScale]] = [
        (iter([Part([10, 30], [])]), TimeScale(offset_ns=100)),
        (iter([Part([12, 14], [])]), TimeScale(mult=10)),
    ]
    assert [(run.number, run.start, run.stop) for run in merge(clocks)] == [(0, 0, 1), (1, 0, 1), (0, 1, 2), (1, 1, 2)]


def test_losses_without_an_event_are_told() -> None:
    lost: Any = Part([], [(0, 3, 7)])
    runs = list(merge([(iter([lost]), TimeScale()), (iter([Part([5], [])]), TimeScale())]))  # type: ignore[list-item]
    assert [(run.number, run.start, run.stop) for run in runs] == [(0, 0, 0), (1, 0, 1)]


def test_a_clock_that_jumps_back_ends() -> None:
    parts: Any = [(iter([Part([9, 1, 8], [])]), TimeScale()), (iter([Part([2, 3], [])]), TimeScale())]
    runs = list(merge(parts))
    assert sum(run.stop - run.start for run in runs) == 5


def test_stop_ends_it() -> None:
    parts: Any = [(iter([Part([9], [])]), TimeScale())]
    assert list(merge(parts, lambda: True)) == []
