"""What Python code gets of a recording: columns and events, against trace-cmd's text and a bare walk of the headers in C."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

from bench import corefile
from bench.timing import Result, Run, Spread, ratio
from ftracepy import recording
from ftracepy.batch import Batch, decoder_for
from ftracepy.schema import FieldKind, Schema
from ftracepy.stream import Stream

_PAGES_A_BATCH = 128
_PAGES_A_THREAD = 256  # between two turns at the interpreter's lock
_IDLE_LOAD = 1.2  # the bench itself is one
_TWO = (("raw_syscalls", "sys_enter", "id"), ("raw_syscalls", "sys_exit", "ret"))
Columns = list[tuple[int, str]]


def measure(folder: Path, path: Path, events: int, peer: list[Run], runs: int) -> Iterator[Result]:
    """`peer` are runs of trace-cmd report on the recording at `path`, which has raw_syscalls and so many events."""
    for name, work, floor in (
        ("columns of all events, merged", _merged, 70),
        ("for event in ..., two fields", _two_fields, 15),
        ("for event in ..., name, thread and a field", _name_too, 15),
        ("for event in ..., calls and what they returned", _calls, 15),
    ):
        taken = [_cpu_s(work, path) for _ in peer]
        speed = ratio(taken, [one.cpu_s for one in peer])
        note = f"{Spread.of([one / events * 1e9 for one in taken])} ns/event of CPU, start-up out"
        yield Result(f"{name} / trace-cmd report -N", speed, "times as fast", f">= {floor}", speed.middle >= floor, note)
    schema, pages = _pages(path)
    yield from _beside_walk(folder, path, schema, pages, runs)
    yield _threads(schema, max(pages.values(), key=len), runs)


def _cpu_s(work: Callable[[Stream], object], path: Path) -> float:
    with recording.open(path) as source:
        stream = Stream(source)
        start = time.process_time()
        work(stream)
        return time.process_time() - start


def _merged(stream: Stream) -> None:
    for batch in stream:
        _ = batch.ts, batch.cpu, batch.id, batch.pid


def _two_fields(stream: Stream) -> None:
    for batch in stream:
        for event in batch:
            _pid = event.pid
            _type = event["common_type"]


def _name_too(stream: Stream) -> None:
    for batch in stream:
        for event in batch:
            _name = event.name
            _pid = event.pid
            _type = event["common_type"]


def _calls(stream: Stream) -> int:
    """As whoever pairs calls does: told apart by type, and something done with what is read."""
    enter, exit = (stream.schema.event(system, name) for system, name, _field in _TWO)
    assert enter
    assert exit
    found, enter_id, exit_id = 0, enter.id, exit.id
    for batch in stream:
        for event in batch:
            if event.id == enter_id:
                found += event["id"] + event.pid
            elif event.id == exit_id:
                found += event["ret"] + event.pid
    return found


def _pages(path: Path) -> tuple[Schema, dict[int, bytes]]:
    """A recording's schema, and each CPU's sub-buffers in memory."""
    pages: dict[int, bytearray] = {}
    with recording.open(path) as source:
        for round_ in source.rounds():
            for one in round_.pages:
                pages.setdefault(one.cpu, bytearray()).extend(one.data)
        return source.schema, {cpu: bytes(data) for cpu, data in pages.items()}


def _decode(schema: Schema, cpu: int, data: bytes, columns: Columns, pages: int = _PAGES_A_BATCH) -> Batch | None:
    """All of one CPU, in batches that stay in the processor's cache; the last one."""
    decoder, step, batch = decoder_for(schema, [cpu]), pages * schema.page.size_bytes, None
    view = memoryview(data)
    for at in range(0, len(data), step):
        decoder.feed(cpu, view[at : at + step])
        batch = decoder.batch()
        _ = batch.ts, batch.cpu, batch.id, batch.pid
        for id, field in columns:
            batch.column(id, field)
    return batch


def _beside_walk(folder: Path, path: Path, schema: Schema, pages: dict[int, bytes], runs: int) -> Iterator[Result]:
    core, made = corefile.build(folder), folder / "bench.core"
    events = corefile.write(path, made, "trace-cmd")
    six = [(found.id, field) for system, name, field in _TWO if (found := schema.event(system, name))]
    for name, columns, floor in (("six columns", six, 0.75), ("all fields", _scalars(path), 0.5)):
        pairs = []
        for _ in range(max(runs, 5)):
            walked = int(subprocess.run([core, made, "walk", "3"], capture_output=True, check=True).stdout.split()[1])
            start = time.process_time_ns()
            for cpu, data in pages.items():
                _decode(schema, cpu, data, columns)
            pairs.append((walked, time.process_time_ns() - start))
        speed = Spread.of([walked / ours for walked, ours in pairs])
        ours, bare = (Spread.of([pair[at] / events for pair in pairs]) for at in (1, 0))
        yield Result(
            f"{name} from Python / bare walk in C",
            speed,
            "as fast",
            f">= {floor}",
            speed.middle >= floor,
            f"{ours} against {bare} ns/event",
        )


def _scalars(path: Path) -> Columns:
    """Every field that is one number, of every event that occurs."""
    with recording.open(path) as source:
        ids = {id for batch in Stream(source) for id in set(batch.id)}
        formats = [source.schema.formats[id] for id in sorted(ids & set(source.schema.formats))]
    return [
        (one.id, field.name)
        for one in formats
        for field in one.fields
        if field.count is None and field.kind is FieldKind.FIXED and field.size in (1, 2, 4, 8)
    ]


def _threads(schema: Schema, data: bytes, runs: int) -> Result:
    """Wall time of the same work twice, one after the other and in two threads."""

    def together() -> float:
        threads = [Thread(target=_decode, args=(schema, cpu, data, [], _PAGES_A_THREAD)) for cpu in (0, 1)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start

    def alone() -> float:
        start = time.perf_counter()
        for cpu in (0, 1):
            _decode(schema, cpu, data, [], _PAGES_A_THREAD)
        return time.perf_counter() - start

    speed = Spread.of([alone() / together() for _ in range(max(runs, 5))])
    busy = os.getloadavg()[0] > _IDLE_LOAD
    note = "wall time; no verdict, since others are at work here" if busy else "wall time"
    return Result("two decoding threads / one", speed, "times as fast", ">= 1.5", None if busy else speed.middle >= 1.5, note)
