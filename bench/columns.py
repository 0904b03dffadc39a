"""What Python code gets of a recording: columns and events, against trace-cmd's text and a bare walk of the headers in C."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

from bench import corefile, peers
from bench.timing import Result, Run, Spread, ratio
from ftracepy import recording
from ftracepy.batch import decoder_for
from ftracepy.schema import FieldKind, Schema
from ftracepy.stream import Stream

_PAGES_A_BATCH = 512
_TIMES = 3
_PASSES = 8  # a thread's start and end, 0.3 ms, would weigh as much as a million events
_MOST = 1 << 20
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
    yield from _beside_library(folder, path, events, runs)
    yield from _beside_module(path, events, runs)
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
    for batch in stream.columns({}):
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


class _Decoding:
    """Each CPU's sub-buffers into columns; what is made once for a recording is made before."""

    def __init__(self, schema: Schema, pages: dict[int, bytes], columns: Columns, pages_a_batch: int) -> None:
        wanted: dict[int, list[str]] = {}
        for id, field in columns:
            wanted.setdefault(id, []).append(field)
        self._columns = columns
        self._step = pages_a_batch * schema.page.size_bytes
        self._inputs = [(cpu, memoryview(data), decoder_for(schema, [cpu])) for cpu, data in pages.items()]
        for _cpu, _data, decoder in self._inputs:
            decoder.want(wanted)

    def all(self) -> int:
        """How many events there are."""
        return sum(self.cpu(at) for at in range(len(self._inputs)))

    def cpu(self, at: int) -> int:
        """The same, of one input."""
        cpu, data, decoder = self._inputs[at]
        events = 0
        for start in range(0, len(data), self._step):
            decoder.feed(cpu, data[start : start + self._step])
            batch = decoder.columns(max_events=_MOST)
            _ = batch.ts, batch.cpu, batch.id, batch.pid
            for id, field in self._columns:
                batch.column(id, field)
            events += len(batch)
        return events


def _beside_library(folder: Path, path: Path, events: int, runs: int) -> Iterator[Result]:
    """Nothing where libtracecmd's headers are not installed (libtracecmd-dev, libtracefs-dev)."""
    if program := peers.build(folder, "tracecmd", "libtracecmd"):
        pairs = [(_cpu_s(_merged, path) * 1e9, float(peers.cpu_ns(program, str(path)))) for _ in range(max(runs, 5))]
        speed = ratio(*zip(*pairs, strict=True))
        note = " against ".join(str(Spread.of([one[at] / events for one in pairs])) for at in (0, 1))
        name = "columns of all events, merged / libtracecmd's loop in C over nothing"
        yield Result(name, speed, "times as fast", ">= 2.5", speed.middle >= 2.5, f"{note} ns/event")


def _beside_module(path: Path, events: int, runs: int) -> Iterator[Result]:
    """Nothing where no Python has trace-cmd's module."""
    if python := peers.tracecmd_python():
        loop = str(Path(__file__).with_name("tracecmdloop.py"))
        pairs = [(_cpu_s(_two_fields, path) * 1e9, float(peers.cpu_ns(python, loop, str(path)))) for _ in range(runs)]
        speed = ratio(*zip(*pairs, strict=True))
        note = " against ".join(str(Spread.of([one[at] / events for one in pairs])) for at in (0, 1))
        name = "for event in ..., two fields / tracecmd.py's loop"
        yield Result(name, speed, "times as fast", ">= 12", speed.middle >= 12, f"{note} ns/event")


def _walks(folder: Path, path: Path, pages: dict[int, bytes]) -> Iterator[tuple[str, bool, Callable[[], int]]]:
    """Bare walks of the headers of all these sub-buffers: whose, whether it is ours, nanoseconds of the fastest of three."""
    core, made = corefile.build(folder), folder / "bench.core"
    corefile.write(path, made, "trace-cmd")
    yield "bare walk in C", True, lambda: peers.cpu_ns(core, str(made), "walk", str(_TIMES))
    if program := peers.build(folder, "kbuffer", "libtraceevent"):
        file = folder / "bench.pages"
        file.write_bytes(b"".join(pages.values()))
        yield "bare walk by libtraceevent's kbuffer", False, lambda: peers.cpu_ns(program, str(file), str(_TIMES))


def _fastest_ns(work: Callable[[], object]) -> int:
    """As the walks measure themselves: once for what is done once, then the fastest."""
    taken = []
    for _ in range(_TIMES + 1):
        start = time.process_time_ns()
        work()
        taken.append(time.process_time_ns() - start)
    return min(taken[1:])


def _beside_walk(folder: Path, path: Path, schema: Schema, pages: dict[int, bytes], runs: int) -> Iterator[Result]:
    six = [(found.id, field) for system, name, field in _TWO if (found := schema.event(system, name))]
    walks = list(_walks(folder, path, pages))
    for name, columns, floor in (("four columns", [], 0.75), ("six columns", six, 0.75), ("all fields", _scalars(path), 0.5)):
        decoding = _Decoding(schema, pages, columns, _PAGES_A_BATCH)
        events = decoding.all()
        turns = [(_fastest_ns(decoding.all), [walk() for _name, _ours, walk in walks]) for _ in range(max(runs, 5))]
        for at, (whose, is_ours, _walk) in enumerate(walks):
            speed = Spread.of([walked[at] / ours for ours, walked in turns])
            bare = Spread.of([walked[at] / events for _ours, walked in turns])
            note = f"{Spread.of([ours / events for ours, _ in turns])} against {bare} ns/event"
            goal, met = (f">= {floor}", speed.middle >= floor) if is_ours else ("", None)
            yield Result(f"{name} from Python / {whose}", speed, "as fast", goal, met, note)


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
    decoding = _Decoding(schema, {0: data, 1: data}, [], _PAGES_A_THREAD)

    def passes(at: int) -> None:
        for _ in range(_PASSES):
            decoding.cpu(at)

    def together() -> float:
        threads = [Thread(target=passes, args=(at,)) for at in (0, 1)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start

    def alone() -> float:
        start = time.perf_counter()
        for at in (0, 1):
            passes(at)
        return time.perf_counter() - start

    decoding.all()
    speed = Spread.of([alone() / together() for _ in range(max(runs, 9))])
    busy = os.getloadavg()[0] > _IDLE_LOAD
    note = "wall time; no verdict, since others are at work here" if busy else "wall time"
    return Result("two decoding threads / one", speed, "times as fast", ">= 1.5", None if busy else speed.middle >= 1.5, note)
