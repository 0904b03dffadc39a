"""Damaged sub-buffers: rows made in batches by the C core are still those made one by one, whatever is left of the events."""

from __future__ import annotations

import os
from random import Random

import pytest

from ftracepy._fastparse import IMPLEMENTATION
from tests.support.rowstreams import OPTIONS, Made, same

ROUNDS = int(os.environ.get("FTRACEPY_FUZZ_ROUNDS", "40"))
SEED = os.environ.get("FTRACEPY_FUZZ_SEED", "")

pytestmark = pytest.mark.skipif(IMPLEMENTATION != "c", reason="the twin makes every row by itself")


def made(fixture: str, facts: str, seed: str) -> Made:
    one = Made(fixture, Random(seed), facts)
    opens = one.dice.choice((one.open, one.watched)) if facts else one.open
    return one.fill(one.kill if fixture.startswith("kill") else opens, 300).damage(one.dice.choice((0.02, 0.2, 0.7)))


@pytest.mark.parametrize(
    ("tool", "fixture", "facts"),
    [("killsnoop", "killsnoop-k6.18", ""), ("tpoint", "killsnoop-k6.18", ""), ("opensnoop", "opensnoop-k5.10", ""),
     ("opensnoop", "opensnoop-k6.18", "fanotify")],
)  # fmt: skip
def test_rows_of_damaged_events(tool: str, fixture: str, facts: str) -> None:
    for round in range(ROUNDS):
        one = made(fixture, facts, f"{SEED}{round}")
        options = {"events": "syscalls:*,signal:*,sched:*"} if tool == "tpoint" else {}
        same(one, tool, {**one.dice.choice(OPTIONS), **options})
