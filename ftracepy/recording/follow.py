"""Follows a recording that one of ours is writing: its spools as they grow, then the rest in the file made of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Event

from ftracepy.errors import FtracepyError
from ftracepy.recording.contents import BufferData, CpuData
from ftracepy.recording.pieces import CpuReader, Piece
from ftracepy.recording.progress import Progress, is_being_written
from ftracepy.recording.reader import Recording, open_recording
from ftracepy.recording.rounds import rounds
from ftracepy.recording.unfinished import progress_of, spools
from ftracepy.schema import Schema
from ftracepy.source import Health, Pages, Round

_LOOK_S = 0.2


class Following:
    """The Source of a recording that still grows; it ends when the recorder does.

    Its rounds promise what the recorder promises, so that events are in order; a CPU that comes online
    later than the recorder is not among `cpus`, and is only told of.
    """

    def __init__(self, begun: Recording) -> None:
        self.schema: Schema = begun.schema
        self.cpus: Sequence[int] = begun.cpus
        self.cpu_count = begun.cpu_count
        self.instance = begun.instance
        self.buffer = begun.buffer
        self.buffers: list[BufferData] = begun.buffers
        self._begun = begun
        self._whole: Recording | None = None
        self._stop = Event()
        self._notices: list[str] = []
        self._taken: Counter[int] = Counter()  # by CPU: the bytes handed over

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
            alive = is_being_written(self.path)
            progress = self._progress()
            if progress is None or progress.ending:
                break
            yield from self._grown(progress)
            if not alive:
                break
            self._stop.wait(_LOOK_S)
        yield from self._rest()

    def _progress(self) -> Progress | None:
        """As it stands now; None where the file is whole."""
        now = open_recording(self.path)
        return progress_of(now.contents) if now.is_unfinished else None

    def _grown(self, progress: Progress) -> Iterator[Round]:
        """What the spools have more; dropped again where the recorder ends meanwhile: then the spools are no longer pages."""
        found = dict(spools(self.path))
        for cpu in found.keys() - set(self.cpus):
            self._notices.append(f"CPU {cpu} came online later: it is in the recording, and not shown")
        size = self.schema.page.size_bytes
        for round_ in rounds(map(self._new, (found[cpu] for cpu in self.cpus if cpu in found)), self._stop.is_set):
            now = self._progress()
            if now is None or now.ending:
                return
            for pages in round_.pages:
                self._taken[pages.cpu] += len(pages.data) // size * size
            until_ns = progress.until_ns if round_.last else min(round_.until_ns, progress.until_ns)
            yield Round(round_.pages, until_ns)

    def _new(self, spool: CpuData) -> Iterator[Piece]:
        at, page = self._taken[spool.cpu], self.schema.page.size_bytes
        there = (spool.size - at) // page * page
        return self._begun.reader(CpuData(spool.cpu, at, max(there, 0), spool.path)).pieces()

    def _rest(self) -> Iterator[Round]:
        """What the whole file has beyond what was handed over."""
        while is_being_written(self.path) and not self._stop.wait(_LOOK_S):
            yield Round()
        if self._stop.is_set():
            yield Round(last=True)
            return
        try:
            self._whole = open_recording(self.path)
        except FtracepyError as fault:
            self._notices.append(f"the end cannot be read: {fault.why or fault.what}")
            yield Round(last=True)
            return
        self.schema.cmdlines.update(self._whole.schema.cmdlines)
        readers = (self._whole.reader(data) for data in self._whole.buffer.cpus if data.cpu in self.cpus)
        yield from rounds(map(self._unseen, readers), self._stop.is_set)

    def _unseen(self, reader: CpuReader) -> Iterator[Piece]:
        left = self._taken[reader.cpu]
        for piece in reader.pieces():
            data, skipped = memoryview(piece.pages.data), min(left, len(piece.pages.data))
            left -= skipped
            if skipped == 0:
                yield piece
            elif skipped < len(data):
                rest = Pages(piece.pages.cpu, data[skipped:], piece.pages.offset_bytes + skipped)
                yield Piece(rest, reader.first_ns(rest.data))


def follow(path: str | os.PathLike[str]) -> Recording | Following:
    """The growing recording at `path`; one that is whole already is read as it is. Raises RecordingFault."""
    begun = open_recording(path)
    return Following(begun) if begun.is_unfinished and is_being_written(begun.path) else begun
