"""The C decoder's memory and threads: nothing leaks, buffers live as long as needed and no longer, threads run side by side."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.decoders import decode, decoder, implementations, picture
from tests.support.pages import PageWriter, event_format, schema

pytestmark = pytest.mark.skipif("_core" not in implementations(), reason="the C decoder was not built")

FORM = event_format(
    "tick", 77, "int number; 8; 4; 1", "__data_loc char[] text; 12; 4; 0", "u32 words[2]; 16; 8; 0", "u8 raw[4]; 24; 4; 0"
)
CALLS = 100_000


@pytest.fixture
def write() -> PageWriter:
    return PageWriter(schema(FORM))


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4


def grown_kib(work: Callable[[], object], calls: int = CALLS) -> int:
    """By how much memory grew over `calls` calls, after a tenth of them had been made."""
    for _ in range(calls // 10):
        work()
    gc.collect()
    before = resident_kib()
    for _ in range(calls):
        work()
    gc.collect()
    return resident_kib() - before


def all_of_it(write: PageWriter) -> dict[str, Callable[[], object]]:
    page = write.page(1, write.event("tick", text="hi", words=(1, 2)), write.event("tick", 3), lost=4)
    broken = write.page(1, write.event("tick"), write.data(b"\1\2\3\4"))
    fed = decoder("_core", write.schema, (0, 1))
    batch = decode("_core", write.schema, {0: page})
    event = batch[0]

    def live(data: bytes) -> object:
        fed.feed(0, bytearray(data))
        fed.feed(1, data)
        return [dict(one) for one in fed.batch()]

    def numbers(data: bytes) -> object:
        fed.feed(0, bytearray(data))
        fed.feed(1, data)
        fed.want({77: ["number"]}, only=True)
        found = fed.columns()
        return found.ts.tolist(), found.column(77, "number")[1].tolist(), fed.columns()

    def wrong(call: Callable[[], object]) -> bool:
        try:
            call()
        except (KeyError, TypeError, ValueError, IndexError):
            return True
        raise AssertionError("this must be refused")

    refused: list[Callable[[], object]] = [
        lambda: event["no"],
        lambda: fed.feed(9, b""),
        lambda: batch.column(77, "text"),
        lambda: batch.column(78, "number"),
        lambda: fed.want({77: ["number", "text"]}),
        lambda: fed.columns().column(77, "number"),
        lambda: batch[9],
    ]

    return {
        "feed and batch": lambda: live(page),
        "faults": lambda: live(broken),
        "fields": lambda: (
            dict(event),
            event.raw,
            event.get("no"),
            event.keep()["text"],
            repr(event),
            event.name,
            event.system,
            event.memory("text"),
        ),
        "columns": lambda: (batch.ts[0], batch.pid.tolist(), batch.column(77, "number")[1].tolist()),
        "columns alone": lambda: (numbers(page), numbers(broken)),
        "refusals": lambda: [wrong(call) for call in refused],
    }


@pytest.mark.parametrize("what", ["feed and batch", "faults", "fields", "columns", "columns alone", "refusals"])
def test_memory_is_flat(write: PageWriter, what: str) -> None:
    assert grown_kib(all_of_it(write)[what]) < 1024


def test_making_decoders_leaks_nothing(write: PageWriter) -> None:
    page = write.page(1, write.event("tick"))

    def make() -> None:
        one = decoder("_core", write.schema, range(4))
        one.feed(0, page)
        one.feed(1, page)  # never decoded
        one.batch(1)
        with pytest.raises(ValueError, match="CPU number"):
            decoder("_core", write.schema, (0, -1))

    assert grown_kib(make, 4000) < 4096


def test_buffers_are_held_as_long_as_something_points_into_them(write: PageWriter) -> None:
    page = write.page(1, write.event("tick", number=5))
    fed = decoder("_core", write.schema)
    data = bytearray(page)
    fed.feed(0, data)
    batch = fed.batch()
    event, kept = batch[0], batch[0].keep()
    with pytest.raises(BufferError):
        data.clear()
    del batch
    with pytest.raises(BufferError):
        data.clear()
    del event
    data.clear()
    assert kept["number"] == 5
    assert kept.raw == write.record("tick", number=5)


def test_a_waiting_event_holds_its_buffer_and_passed_ones_are_free(write: PageWriter) -> None:
    fed = decoder("_core", write.schema)
    passed, waiting = (bytearray(write.page(ts, write.event("tick"))) for ts in (1, 50))
    fed.feed(0, passed)
    fed.feed(0, waiting)
    before = sys.getrefcount(waiting)
    assert len(fed.batch(10)) == 1
    passed.clear()
    assert sys.getrefcount(waiting) == before
    with pytest.raises(BufferError):
        waiting.clear()
    del fed
    waiting.clear()


def test_threads_share_a_decoder(write: PageWriter) -> None:
    """Feeders and takers at once: every event comes out once."""
    fed, found, done = decoder("_core", write.schema, (0, 1)), [0], threading.Event()

    def feed(cpu: int) -> None:
        for n in range(500):
            fed.feed(cpu, write.page(n * 100, *(write.event("tick", 1) for _ in range(20))))

    def take() -> None:
        while not done.is_set():
            found[0] += len(fed.batch())

    taker, feeders = threading.Thread(target=take), [threading.Thread(target=feed, args=(cpu,)) for cpu in (0, 1)]
    for thread in (taker, *feeders):
        thread.start()
    for thread in feeders:
        thread.join()
    done.set()
    taker.join()
    assert found[0] + len(fed.batch()) == 2 * 500 * 20


def test_two_decoders_in_two_threads(write: PageWriter) -> None:
    pages = b"".join(write.page(n * 1000, *(write.event("tick", 1, number=k) for k in range(60))) for n in range(200))
    pictures: list[object] = []

    def run() -> None:
        pictures.append(picture(decode("_core", write.schema, {0: pages, 1: pages})))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pictures) == 4
    assert all(one == pictures[0] for one in pictures)
