"""Rows made in batches by the C core are those made one by one, to the byte, whatever the stream: random ones, with losses."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from ftracepy._fastparse import IMPLEMENTATION
from ftracepy.analysis import storedpaths
from ftracepy.tools import kit
from tests.support.rowstreams import OPTIONS, TIDS, Made, same

pytestmark = pytest.mark.skipif(IMPLEMENTATION != "c", reason="the twin makes every row by itself")


@pytest.mark.parametrize("seed", range(120))
def test_killsnoop(seed: int) -> None:
    made = Made("killsnoop-k6.18", random.Random(seed))
    same(made.fill(made.kill, 500), "killsnoop", made.dice.choice(OPTIONS))


@pytest.mark.parametrize(
    ("fixture", "facts"), [("opensnoop-k5.10", ""), ("opensnoop-k6.18", ""), ("opensnoop-k6.18", "fanotify")]
)
@pytest.mark.parametrize("seed", range(80))
def test_opensnoop(seed: int, fixture: str, facts: str) -> None:
    made = Made(fixture, random.Random(seed), facts)
    same(made.fill(made.open, 500), "opensnoop", made.dice.choice((*OPTIONS, {"failed": True}, {"filename": kit.pattern("r")})))


@pytest.mark.parametrize("seed", range(160))
def test_opens_that_fanotify_tells_of(seed: int) -> None:
    """With losses, and with everything in one thread, where most waits for something."""
    made = Made("opensnoop-k6.18", random.Random(seed), "fanotify")
    made.fill(made.watched, 600, TIDS[: made.dice.choice((1, 2, 5))])
    same(made, "opensnoop", made.dice.choice((*OPTIONS, {"failed": True})))


@pytest.mark.parametrize("seed", range(40))
def test_events(seed: int) -> None:
    made = Made("killsnoop-k6.18", random.Random(seed))
    events = made.dice.choice(("", "syscalls:*", "signal:*,sched:*", "task"))
    same(made.fill(made.kill, 400), "tpoint", {**made.dice.choice(OPTIONS), "events": events})


@pytest.mark.parametrize(
    ("fixture", "facts", "tool"),
    [("killsnoop-k6.18", "", "killsnoop"), ("opensnoop-k5.10", "", "opensnoop"), ("opensnoop-k6.18", "fanotify", "opensnoop"),
     ("killsnoop-k6.18", "", "tpoint")],
)  # fmt: skip
def test_many_rows_are_plain(fixture: str, facts: str, tool: str) -> None:
    """Or else the tests above would compare rows made one by one."""
    made = Made(fixture, random.Random(1), facts)
    made.fill(made.open if tool == "opensnoop" else made.kill, 9000)
    made.written(tool, "table", {}, 65536, plain=True)
    assert made.lines > 30


def test_an_interrupt_while_paths_are_shared_out_ends_the_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It strikes while the core asks: what was settled by then is settled, and nothing is left that points nowhere."""
    asked = 0

    def interrupted(*_: object) -> list[tuple[str | None, bool]]:
        nonlocal asked
        asked += 1
        raise KeyboardInterrupt

    monkeypatch.setattr(storedpaths, "settled", interrupted)
    for seed in range(20):
        made = Made("opensnoop-k6.18", random.Random(seed), "fanotify")
        made.fill(made.watched, 600, TIDS[:1])
        with suppress(KeyboardInterrupt):
            made.written("opensnoop", "table", {}, 50, plain=True)
    assert asked > 10
