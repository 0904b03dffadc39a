"""A source whose pages are kept for a while as they pass: to save what has just been seen, and to go on recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.source import Health, Pages, Round
from ftracepy.values import dataclass, replace

if TYPE_CHECKING:
    from ftracepy.live import LiveSource
    from ftracepy.recording import Writer
    from ftracepy.schema import Schema

# What a run writes when it starts, its header and the tasks that were there, must be in every recording of a part of it.
_PROLOGUE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Saved:
    """A recording that was written or is being written, with how many seconds before its beginning."""

    path: str
    size_bytes: int
    before_s: float = 0.0
    faulted: str = ""


class Tapped:
    """Hands on a source's rounds. Of a live one it keeps the pages of the last `keep_s` seconds, `keep_bytes` at most."""

    class Inner(Protocol):
        """The part of a source that passes through here."""

        @property
        def schema(self) -> Schema: ...
        @property
        def cpus(self) -> Sequence[int]: ...
        def rounds(self) -> Iterator[Round]: ...
        def health(self) -> Health: ...

    def __init__(self, source: Inner, live: LiveSource | None, *, keep_s: float = 30.0, keep_bytes: int = 128 << 20) -> None:
        self._source, self._live = source, live
        self.schema, self.cpus = source.schema, source.cpus
        self._keep_ns, self._keep_bytes = int(keep_s * 1e9), keep_bytes
        self._lock = Lock()
        self._prologue: list[Pages] = []
        self._prologue_bytes = 0
        self._kept: deque[tuple[int, int, Sequence[Pages]]] = deque()
        self._kept_bytes = 0
        self._writer: Writer | None = None
        self.saving: Saved | None = None

    def __enter__(self) -> Tapped:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop_saving()

    def stop(self) -> None:
        """Ask a live source to end soon."""
        if self._live:
            self._live.stop()

    def health(self) -> Health:
        return self._source.health()

    def rounds(self) -> Iterator[Round]:
        started_ns = 0
        for round_ in self._source.rounds():
            if self._live:
                started_ns = started_ns or round_.until_ns
                with self._lock:
                    self._keep(round_, started_ns)
                    self._write(round_)
            yield round_
        self.stop_saving()

    def _keep(self, round_: Round, started_ns: int) -> None:
        size = sum(len(pages.data) for pages in round_.pages)
        if round_.until_ns < started_ns + 1_000_000_000 and self._prologue_bytes + size <= _PROLOGUE_BYTES:
            self._prologue.extend(round_.pages)
            self._prologue_bytes += size
        elif size:
            self._kept.append((round_.until_ns, size, round_.pages))
            self._kept_bytes += size
        while self._kept and (self._kept_bytes > self._keep_bytes or self._kept[0][0] < round_.until_ns - self._keep_ns):
            self._kept_bytes -= self._kept.popleft()[1]

    def _write(self, round_: Round) -> None:
        """A full disk ends the recording and not the view; `saving` says so."""
        if not self._writer or not self.saving:
            return
        try:
            for pages in round_.pages:
                self._writer.write(pages)
            if not round_.last:
                self._writer.promise(round_.until_ns)
            self.saving = replace(self.saving, size_bytes=self._writer.size_bytes)
        except FtracepyError as error:
            self.saving = replace(self.saving, faulted="; ".join(error.lines()))
            self._writer = None

    def save_last(self, path: str) -> Saved:
        """Write what is kept to a trace.dat. Raises UsageFault (a recording is shown), FtracepyError (the disk refuses)."""
        with self._lock:
            writer = self._begin(path)
            return self._finish(writer, path, self._before_s())

    def start_saving(self, path: str) -> None:
        """Write what is kept and all that comes to a trace.dat, until stop_saving. Raises as save_last does."""
        with self._lock:
            self._writer = self._begin(path)
            self.saving = Saved(path, self._writer.size_bytes, self._before_s())

    def stop_saving(self) -> Saved | None:
        """Make the recording whole; None where there was none."""
        with self._lock:
            writer, self._writer = self._writer, None
            saving, self.saving = self.saving, None
            return self._finish(writer, saving.path, saving.before_s) if writer and saving else None

    def _before_s(self) -> float:
        """How far back what is kept goes."""
        return (self._kept[-1][0] - self._kept[0][0]) / 1e9 if self._kept else 0.0

    def _begin(self, path: str) -> Writer:
        from ftracepy.recording import Writer

        if self._live is None:
            raise UsageFault("a recording is shown: it is on disk already", hint="ftracepy convert cuts a part out of it")
        writer = Writer(path, self._live.texts(), self.cpus)
        for pages in chain(self._prologue, *(kept for _until, _size, kept in self._kept)):
            writer.write(pages)
        return writer

    def _finish(self, writer: Writer, path: str, before_s: float) -> Saved:
        """The kernel's counts are of the whole run, and this is a part of it: losses are told by its pages alone."""
        writer.finish(texts=self._live.texts(fresh=True) if self._live else None)
        return Saved(path, writer.size_bytes, before_s)
