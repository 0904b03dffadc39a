"""The capture thread over plain pipes, C and Python alike: promises, order, budget, queue, drain, and pipes that fail."""

from __future__ import annotations

import errno
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftracepy import _fastparse
from ftracepy.live import capture
from ftracepy.live.capture import Reader
from ftracepy.live.capture_plain import PlainReader
from ftracepy.source import Buffer

PAGE = 256
MARGIN_NS = 1_000_000
HOUR_NS = 3600 * 10**9


def page(ts: int, mark: int = 0) -> bytes:
    """A sub-buffer as far as capture looks at it: the first stamp, then anything."""
    return ts.to_bytes(8, sys.byteorder) + bytes([mark]) * (PAGE - 8)


class Pipes:
    """Pipes that hold whole pages, read as trace_pipe_raw is: no page, EAGAIN."""

    def __init__(self, count: int) -> None:
        self.ends = [os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) for _ in range(count)]

    @property
    def reading(self) -> list[int]:
        return [end[0] for end in self.ends]

    def put(self, index: int, *pages: bytes) -> None:
        for one in pages:
            os.write(self.ends[index][1], one)

    def close(self) -> None:
        for pair in self.ends:
            for fd in pair:
                os.close(fd)


Make = Callable[..., Reader]


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes(2)
    yield made
    made.close()


@pytest.fixture(params=["c", "python"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Reader] = []

    def build(pipes: list[int], *, budget: int = 64 * PAGE, queue: int = 1 << 20) -> Reader:
        made.append(_native(pipes, budget, queue) if request.param == "c" else _plain(pipes, budget, queue))
        return made[-1]

    if request.param == "c" and _fastparse.IMPLEMENTATION != "c":
        pytest.skip("the C core is not built")
    yield build
    for reader in made:
        reader.close()


def _native(pipes: list[int], budget: int, queue: int) -> Reader:
    from ftracepy._fastparse import _core

    return _core.Capture(
        pipes,
        PAGE,
        clock_id=time.CLOCK_MONOTONIC,
        stats_fds=[],
        margin_ns=MARGIN_NS,
        budget_bytes=budget,
        queue_bytes=queue,
        pace_min_ns=1_000_000,
        pace_max_ns=2_000_000,
    )


def _plain(pipes: list[int], budget: int, queue: int) -> Reader:
    return PlainReader(
        pipes, PAGE, time.monotonic_ns, margin=MARGIN_NS, budget_bytes=budget, queue_bytes=queue, pace_max_ns=2_000_000
    )


class Taken:
    """All that a reader handed over, in order."""

    def __init__(self) -> None:
        self.data: dict[int, bytes] = {0: b"", 1: b""}
        self.untils: list[int] = []
        self.faults: list[tuple[int, int]] = []
        self.last = False

    def take(self, reader: Reader, enough: Callable[[Taken], bool]) -> Taken:
        poll = select.poll()
        poll.register(reader.ready_fd, select.POLLIN)
        while not enough(self):
            assert poll.poll(10_000), "nothing came in 10 s"
            if (taken := reader.take()) is None:
                continue
            pieces, until, self.last, faults = taken
            for index, data in pieces:
                self.data[index] += bytes(data)
            self.untils.append(until)
            self.faults.extend(faults)
        return self


def at_end(taken: Taken) -> bool:
    return taken.last


def test_pages_come_whole_in_order_and_the_drain_is_complete(pipes: Pipes, make: Make) -> None:
    reader = make(pipes.reading)
    sent = {index: [page(number, number) for number in range(1, 100)] for index in (0, 1)}
    for index, pages in sent.items():
        pipes.put(index, *pages)
    reader.start()
    reader.finish(False)
    taken = Taken().take(reader, at_end)
    assert taken.data == {index: b"".join(pages) for index, pages in sent.items()}
    assert taken.untils == sorted(taken.untils)


def test_the_promise_comes_to_pass_though_nothing_more_comes(pipes: Pipes, make: Make) -> None:
    reader = make(pipes.reading)
    reader.start()
    now = time.monotonic_ns()
    pipes.put(0, page(now))
    Taken().take(reader, lambda taken: len(taken.data[0]) == PAGE and taken.untils[-1] > now)


def test_the_promise_stops_where_the_budget_did(pipes: Pipes, make: Make) -> None:
    reader = make(pipes.reading, budget=2 * PAGE)
    pipes.put(0, *(page(number) for number in range(1, 8)))
    reader.start()
    taken = Taken().take(reader, lambda taken: len(taken.data[0]) == 7 * PAGE)
    assert taken.untils[0] in {2, 4, 6} or len(taken.untils) == 1


def test_a_writer_that_never_stops_does_not_keep_a_bounded_drain(pipes: Pipes, make: Make) -> None:
    reader = make(pipes.reading)
    later = time.monotonic_ns() + HOUR_NS
    pipes.put(0, page(1, 1), page(later, 2), page(later + 1, 3), page(later + 2, 4), page(later + 3, 5))
    pipes.put(1, page(1, 3))
    reader.finish(True)
    reader.start()
    taken = Taken().take(reader, at_end)
    assert taken.data[1] == page(1, 3)
    assert taken.data[0].startswith(page(1, 1) + page(later, 2))
    assert len(taken.data[0]) < 5 * PAGE
    assert taken.untils[-1] < later


def test_a_full_queue_stops_the_reading(pipes: Pipes, make: Make) -> None:
    reader = make(pipes.reading, queue=PAGE, budget=PAGE)
    pipes.put(0, *(page(number) for number in range(1, 9)))
    reader.start()
    poll = select.poll()
    poll.register(reader.ready_fd, select.POLLIN)
    poll.poll(10_000)
    held = len(os.read(pipes.reading[0], 64 * PAGE))
    assert held >= 5 * PAGE
    reader.finish(False)
    taken = Taken().take(reader, at_end)
    assert len(taken.data[0]) + held == 8 * PAGE


def test_a_pipe_that_fails_is_reported_once_and_the_others_go_on(pipes: Pipes, make: Make) -> None:
    folder = os.open("/", os.O_RDONLY)
    reader = make([folder, pipes.reading[1]])
    pipes.put(1, page(1, 1))
    reader.start()
    reader.finish(False)
    taken = Taken().take(reader, at_end)
    os.close(folder)
    assert taken.faults == [(0, errno.EISDIR)]
    assert taken.data[1] == page(1, 1)


def test_when_no_pipe_is_left_it_ends_by_itself(make: Make) -> None:
    folder = os.open("/", os.O_RDONLY)
    reader = make([folder])
    reader.start()
    taken = Taken().take(reader, at_end)
    os.close(folder)
    assert taken.faults == [(0, errno.EISDIR)]


def test_pages_outlive_the_reader(pipes: Pipes, make: Make) -> None:
    reader = make(pipes.reading)
    pipes.put(0, page(1, 7))
    reader.start()
    reader.finish(False)
    kept: list[Buffer] = []
    while not kept:
        select.select([reader.ready_fd], [], [], 10)
        kept += [data for _index, data in (reader.take() or ([], 0, False, []))[0]]
    reader.close()
    assert bytes(kept[0]) == page(1, 7)


def test_closing_early_leaves_no_descriptor(make: Make) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        pipes = Pipes(2)
        reader = make(pipes.reading)
        pipes.put(0, page(1))
        reader.start()
        reader.close()
        pipes.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_kernels_own_clocks_are_promised_a_margin_late(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    samples = iter([100, 200, 300])
    walls = iter([0, capture.MARGIN_NS // 2, 2 * capture.MARGIN_NS])
    monkeypatch.setattr("ftracepy.tracefs.stats.now", lambda _root, _cpu: next(samples))
    read = capture.clock_reader(tmp_path, [0], "global")
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic_ns", lambda: next(walls))
        assert [read(), read(), read()] == [0, 0, 200]
