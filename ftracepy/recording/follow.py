"""Follows a recording that is being written: its files of pages as they grow, then the rest in the file made of them.

Ours promises how far it has come, so that events are in order. trace-cmd does not, and hands over a page only when it is
full: what a quiet CPU saw comes late, and out of order.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from threading import Event

from ftracepy.errors import FtracepyError, RecordingFault
from ftracepy.recording.contents import BufferData, CpuData
from ftracepy.recording.copied import open_copied
from ftracepy.recording.leftovers import comms_now, is_held, leftovers
from ftracepy.recording.pieces import CpuReader, Piece
from ftracepy.recording.progress import Progress, is_being_written
from ftracepy.recording.reader import Recording, open_recording
from ftracepy.recording.rounds import rounds
from ftracepy.recording.unfinished import progress_of, spools
from ftracepy.schema import Schema
from ftracepy.source import Health, Pages, Round

_LOOK_S = 0.2
_PATIENCE_S = 1.0  # how long the events of busy CPUs wait for those of others


class Following:
    """The Source of a recording that still grows; it ends when the recorder does.

    Its rounds promise what the recorder promises, so that events are in order. `cpus` are all that the machine could
    have, for one may come online later than the recorder.
    """

    def __init__(self, begun: Recording) -> None:
        self.schema: Schema = begun.schema
        self.cpus: Sequence[int] = range(max(begun.cpu_count, os.sysconf("SC_NPROCESSORS_CONF")))
        self.cpu_count = begun.cpu_count
        self.instance = begun.instance
        self.buffer = begun.buffer
        self.buffers: list[BufferData] = begun.buffers
        self._begun = begun
        self._whole: Recording | None = None
        self._stop = Event()
        self._notices: list[str] = []
        self._taken: Counter[int] = Counter()  # by CPU: the bytes handed over
        self._spans: dict[int, list[tuple[int, int]]] = {}  # by CPU: first and last stamp of pages handed over in one run

    @property
    def path(self) -> str:
        return self._begun.path

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to undo."""

    def stop(self) -> None:
        self._stop.set()

    def health(self) -> Health:
        health = self._whole.health() if self._whole else Health()
        return Health(health.stats, [*health.notices, *dict.fromkeys(self._notices)])

    def rounds(self) -> Iterator[Round]:
        """Yield what is there, then what comes, at least every 200 ms (perhaps empty); last what only the whole file has."""
        while not self._stop.is_set():
            alive = self._alive()
            progress = self._progress()
            if progress is None or progress.ending:
                break
            yield from self._grown(progress)
            if not alive:
                break
            self._stop.wait(_LOOK_S)
        yield from self._rest()

    def _alive(self) -> bool:
        """Whether the recorder still runs."""
        return is_being_written(self.path)

    def _spools(self, progress: Progress | None = None) -> dict[int, CpuData]:
        return dict(spools(self.path, progress))

    def _progress(self) -> Progress | None:
        """As it stands now; None where the file is whole, or cannot be read because it is just being made whole."""
        try:
            now = open_recording(self.path)
        except RecordingFault:
            return None
        return progress_of(now.contents) if now.is_unfinished else None

    def _grown(self, progress: Progress) -> Iterator[Round]:
        """What the spools have more; dropped again where the recorder ends meanwhile: then the spools are no longer pages."""
        found = self._spools(progress)
        size = self.schema.page.size_bytes
        for round_ in rounds(map(self._new, (found[cpu] for cpu in self.cpus if cpu in found)), self._stop.is_set):
            now = self._progress()
            if now is None or now.ending:
                return
            for pages in round_.pages:
                self._note(pages)
                self._taken[pages.cpu] += len(pages.data) // size * size
            until_ns = progress.until_ns if round_.last else min(round_.until_ns, progress.until_ns)
            yield Round(round_.pages, until_ns)

    def _new(self, spool: CpuData) -> Iterator[Piece]:
        at, page = self._taken[spool.cpu], self.schema.page.size_bytes
        if at and self._begins(CpuData(spool.cpu, spool.offset, page, spool.path)) != self._spans[spool.cpu][-1][0]:
            at = self._taken[spool.cpu] = 0  # its recorder has begun to write over it
        there = (spool.size - at) // page * page
        return self._begun.reader(CpuData(spool.cpu, spool.offset + at, max(there, 0), spool.path)).pieces()

    def _begins(self, first: CpuData) -> int:
        """The stamp of a page; -1 where there is none."""
        return next((piece.first_ns for piece in self._begun.reader(first).pieces()), -1)

    def _note(self, pages: Pages) -> None:
        """Remember which pages have been handed over."""
        reader, data = self._begun.reader(CpuData(pages.cpu, 0, 0)), memoryview(pages.data)
        spans = self._spans.setdefault(pages.cpu, [])
        begun = spans.pop()[0] if self._taken[pages.cpu] else reader.first_ns(data)
        spans.append((begun, reader.first_ns(data[-self.schema.page.size_bytes :])))

    def _rest(self) -> Iterator[Round]:
        """What the whole file has beyond what was handed over."""
        while self._alive() and not self._stop.wait(_LOOK_S):
            yield Round()
        if self._stop.is_set():
            yield Round(last=True)
            return
        try:
            self._whole = open_recording(self.path, self.instance)
        except FtracepyError as fault:
            self._notices.append(f"the end cannot be read: {fault.why or fault.what}")
            yield Round(last=True)
            return
        self.schema.cmdlines = self.schema.cmdlines | self._whole.schema.cmdlines
        readers = (self._whole.reader(data) for data in self._whole.buffer.cpus if data.cpu in self.cpus)
        yield from rounds(map(self._unseen, readers), self._stop.is_set)

    def _unseen(self, reader: CpuReader) -> Iterator[Piece]:
        """What comes behind the bytes handed over; where the file does not begin with these, the pages that were not."""
        left, spans = self._taken[reader.cpu], self._spans.get(reader.cpu, [])
        pieces = reader.pieces()
        first = next(pieces, None)
        if first and spans and (len(spans) > 1 or first.first_ns != spans[0][0]):
            self._notices.append("trace-cmd wrote over its pages (-m): not all of them were seen in time")
            yield from self._outside(reader, chain([first], pieces), spans)
            return
        for piece in chain([first] if first else [], pieces):
            data, skipped = memoryview(piece.pages.data), min(left, len(piece.pages.data))
            left -= skipped
            if skipped == 0:
                yield piece
            elif skipped < len(data):
                rest = Pages(piece.pages.cpu, data[skipped:], piece.pages.offset_bytes + skipped)
                yield Piece(rest, reader.first_ns(rest.data))

    def _outside(self, reader: CpuReader, pieces: Iterable[Piece], spans: list[tuple[int, int]]) -> Iterator[Piece]:
        """The pages whose stamps lie in none of the spans."""
        size = self.schema.page.size_bytes
        for piece in pieces:
            data = memoryview(piece.pages.data)
            for at in range(0, len(data), size):
                page = data[at : at + size]
                stamp = reader.first_ns(page)
                if not any(begun <= stamp <= last for begun, last in spans):
                    yield Piece(Pages(piece.pages.cpu, page, piece.pages.offset_bytes + at), stamp)


class FollowingPages(Following):
    """The Source of a recording that trace-cmd still writes: its buffer's files of pages, then the trace.dat made of them."""

    def __init__(self, begun: Recording) -> None:
        super().__init__(begun)
        told = "trace-cmd hands over full pages, and those of half its buffer at once"
        self._notices = [f"{told}: what quiet CPUs saw is shown late, and out of order"]
        self._held_s = time.monotonic()
        self._newest: deque[tuple[float, int]] = deque()  # when it was looked, and the newest stamp by then

    def _alive(self) -> bool:
        """Somebody holds the files, or did a moment ago: one program fills them, and then another makes one of them."""
        if is_held(self.path):
            self._held_s = time.monotonic()
        return time.monotonic() - self._held_s < _PATIENCE_S

    def _spools(self, progress: Progress | None = None) -> dict[int, CpuData]:
        return {data.cpu: data for data in leftovers(self.path).get(self.instance, [])}

    def _progress(self) -> Progress | None:
        """What is older than all that was there a while ago: good for CPUs that are busy."""
        if os.path.lexists(self.path):
            return None
        self.schema.cmdlines = self.schema.cmdlines | comms_now()
        now_s, size = time.monotonic(), self.schema.page.size_bytes
        last = [
            CpuData(one.cpu, one.size // size * size - size, size, one.path)
            for one in self._spools().values()
            if one.size >= size
        ]
        newest = max((piece.first_ns for data in last for piece in self._begun.reader(data).pieces()), default=0)
        self._newest.append((now_s, newest))
        while len(self._newest) > 1 and self._newest[1][0] < now_s - _PATIENCE_S:
            self._newest.popleft()
        return Progress(self._newest[0][1] if self._newest[0][0] < now_s - _PATIENCE_S else 0)


def follow(
    path: str | os.PathLike[str],
    instance: str | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> Recording | Following:
    """The growing recording at `path`; one that is whole already is read as it is, one being copied here when it is whole.

    `say` is told of such a wait, `stopped` ends it. Raises RecordingFault.
    """
    begun = open_copied(os.fspath(path), instance, stopped, say)
    if begun.is_unfinished and is_being_written(begun.path):
        return Following(begun)
    return FollowingPages(begun) if not begun.version and is_held(begun.path) else begun
