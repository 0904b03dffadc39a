"""One CPU's pages while a recording lasts: a file of its own beside the output, moved into it at the end.

The format wants each CPU's pages in one run, and how long the runs get is known last. One CPU's run can grow at the end of
the recording itself, though: it settles there. All that happens to the other spools afterwards needs no more disk than they
hold already: they are compressed in place, and moved from their end on, giving back what has been moved.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress

from ftracepy.recording.outputs import nameless
from ftracepy.recording.sections import Encoder

MOVE_BYTES = 4 << 20  # moved at once, so also what a full disk must still have room for
_MOST_PIECES = 1024  # of one pwritev(2): IOV_MAX
_CANNOT_SHARE = {errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EBADF}


class Spool:
    """The file OUTPUT.cpuN (`mark` before the dot, for an instance); made by the first write, gone when moved or closed.

    Where `output` is "" it has no name. One that has settled writes to `place` of another file and keeps its own, for
    those who are reading that, until it is closed.
    """

    def __init__(self, output: str, cpu: int, page_bytes: int, mark: str = "") -> None:
        self.path = f"{output}{mark}.cpu{cpu}" if output else ""
        self.cpu = cpu
        self.size_bytes = 0
        self.place = 0
        self._page_bytes = page_bytes
        self._fd = self._settled = -1

    def write(self, pieces: Sequence[memoryview]) -> OSError | None:
        """Append whole pages; where the disk refuses, keep those that are whole and answer with what it said."""
        at, refused = 0, None
        try:
            if self._fd < 0:
                self._open()
            size, begin = sum(map(len, pieces)), self.place + self.size_bytes
            if 1 < len(pieces) <= _MOST_PIECES:
                at = os.pwritev(self._target, pieces, begin)
            while at < size:
                at += os.pwrite(self._target, _next(pieces, at), begin + at)
        except OSError as error:
            refused = error
        self.size_bytes += at // self._page_bytes * self._page_bytes
        if at % self._page_bytes:
            os.ftruncate(self._target, self.place + self.size_bytes)
        return refused

    @property
    def _target(self) -> int:
        return self._fd if self._settled < 0 else self._settled

    def copy(self, output: int, offset: int) -> None:
        """Copy everything to `offset` of the file descriptor `output`; raises OSError with some of it there."""
        _copy(self._fd, output, 0, offset, self.size_bytes)

    def settle(self, output: int, offset: int) -> None:
        """Where everything has been copied to, write there from now on; it is the end of `output`."""
        self._settled, self.place = output, offset

    def _open(self) -> None:
        if not self.path:
            self._fd = nameless()
            return
        # Never through a link, nor into a file somebody else made: the name is easy to guess.
        with suppress(FileNotFoundError):
            os.unlink(self.path)
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def pack(self, encoder: Encoder, chunk_bytes: int) -> None:
        """Compress in place: a number of chunks, then each; `chunk_bytes` is a multiple of the page size."""
        if not self.size_bytes:
            return
        count = -(-self.size_bytes // chunk_bytes)
        packed, written = bytearray(encoder.pack("I", count)), 0
        for start in range(0, self.size_bytes, chunk_bytes):
            data = os.pread(self._fd, min(chunk_bytes, self.size_bytes - start), start)
            packed += encoder.chunk(data)
            # What has been read may be overwritten; chunks that did not shrink wait for room.
            room = min(start + len(data) - written, len(packed))
            written += os.pwrite(self._fd, packed[:room], written)
            del packed[:room]
        while packed:
            size = os.pwrite(self._fd, packed, written)
            written += size
            del packed[:size]
        os.ftruncate(self._fd, written)
        self.size_bytes = written

    def move(self, output: int, offset: int) -> None:
        """Move everything to `offset` of the file descriptor `output`; raises OSError with the rest still here."""
        while self.size_bytes and self._settled < 0:
            start = (self.size_bytes - 1) // MOVE_BYTES * MOVE_BYTES
            self._copy(output, start, offset + start)
            os.ftruncate(self._fd, start)
            self.size_bytes = start
        self.close()

    def _copy(self, output: int, start: int, offset: int) -> None:
        try:
            _copy(self._fd, output, start, offset, self.size_bytes - start)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            os.fsync(output)  # a journaling file system gives freed blocks back at its next commit only
            os.fsync(self._fd)
            _copy(self._fd, output, start, offset, self.size_bytes - start)

    def close(self) -> None:
        """Remove the file where nothing of it is needed any more; what could not be moved stays."""
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        if self.path and (self._settled >= 0 or not self.size_bytes):
            with suppress(OSError):
                os.unlink(self.path)


def _next(pieces: Sequence[memoryview], at: int) -> memoryview:
    """The piece that holds the byte `at` of them all, from there on."""
    for piece in pieces:
        if at < len(piece):
            return piece[at:]
        at -= len(piece)
    raise IndexError(at)


def _copy(source: int, target: int, source_at: int, target_at: int, count: int) -> None:
    """Copy inside the kernel, sharing the blocks where the file system can; by hand where it cannot."""
    while count:
        try:
            done = os.copy_file_range(source, target, count, source_at, target_at)
        except OSError as error:
            if error.errno not in _CANNOT_SHARE:
                raise
            done = os.pwrite(target, os.pread(source, min(count, 1 << 20), source_at), target_at)
        if not done:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        source_at, target_at, count = source_at + done, target_at + done, count - done
