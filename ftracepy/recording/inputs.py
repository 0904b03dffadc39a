"""The bytes of a recording, wherever they come from: a file, or what a pipe gave, copied to a file that vanishes with us.

They are read where they are asked for, never mapped: a file that is cut short meanwhile then ends early, and kills nobody.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import tempfile
from collections.abc import Callable, Sequence
from typing import BinaryIO

from ftracepy.errors import RecordingFault

STDIN = "-"
_COPY_BYTES = 1 << 20
_LOOK_S = 0.2
_WINDOW_BYTES = 128 << 10


class FileBytes:
    """A file as a sequence of bytes; a slice has fewer than were asked for where the file has become shorter.

    Raises RecordingFault, which begins with `what`, where the disk or the network refuses.
    """

    def __init__(self, what: str, fd: int) -> None:
        self._what = what
        self._fd = os.dup(fd)
        self._size_bytes = os.fstat(fd).st_size
        self._window = (0, memoryview(b""))

    def __del__(self) -> None:
        os.close(self._fd)

    def __len__(self) -> int:
        return self._size_bytes

    def __getitem__(self, part: slice) -> memoryview:
        start, stop, _ = part.indices(self._size_bytes)
        if stop - start > _WINDOW_BYTES:
            return self._read(start, stop - start)
        at, window = self._window
        if not at <= start <= stop <= at + len(window):
            at, window = self._window = start, self._read(start, _WINDOW_BYTES)
        return window[start - at : max(stop, start) - at]

    def _read(self, at: int, size: int) -> memoryview:
        try:
            data = os.pread(self._fd, size, at)
            while data and len(data) < size and (more := os.pread(self._fd, size - len(data), at + len(data))):
                data += more
        except OSError as error:
            raise RecordingFault(self._what, why=f"at byte {at}: {os.strerror(error.errno or 0)}") from None
        return memoryview(data)

    def data_from(self, at: int) -> int:
        """Where the first byte from `at` on lies that is not in a hole of the file; `at` where this cannot be told."""
        try:
            return os.lseek(self._fd, at, os.SEEK_DATA)
        except OSError as error:
            nothing_follows = error.errno == errno.ENXIO and os.fstat(self._fd).st_size >= self._size_bytes
            return self._size_bytes if nothing_follows else at


class Overlay:
    """A file of which some spans lie in other files: what is still to be moved into it. Spans do not overlap."""

    def __init__(self, base: FileBytes, spans: Sequence[tuple[int, FileBytes]]) -> None:
        self._spans = [(at, at + len(data), data) for at, data in spans]
        self._parts = [(0, len(base), base), *self._spans]
        self._size_bytes = max(end for _, end, _ in self._parts)

    def __len__(self) -> int:
        return self._size_bytes

    def __getitem__(self, part: slice) -> memoryview:
        start, stop, _ = part.indices(self._size_bytes)
        found = bytearray(max(stop - start, 0))
        for at, end, data in self._parts:  # the file first: what a span holds replaces what has not been moved yet
            first, last = max(start, at), min(stop, end)
            if first < last:
                found[first - start : last - start] = data[first - at : last - at].tobytes().ljust(last - first, b"\0")
        return memoryview(bytes(found))


def open_bytes(path: str, stopped: Callable[[], bool]) -> tuple[FileBytes, str]:
    """The whole file, and what to tell of how it was come by; raises RecordingFault."""
    what = f"cannot read the recording '{path}'"
    try:
        with open(0 if path == STDIN else path, "rb", buffering=0, closefd=path != STDIN) as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode):
                return _whole(what, file), ""
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                return _copied(what, file, stopped)
    except OSError as error:
        raise RecordingFault(what, why=os.strerror(error.errno or 0)) from None
    raise RecordingFault(what, why="it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file, nor a pipe")


def open_plain(what: str, path: str) -> FileBytes:
    """A file that is there; raises RecordingFault, which begins with `what`, where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return FileBytes(what, file.fileno())
    except OSError as error:
        raise RecordingFault(what, why=os.strerror(error.errno or 0)) from None


def _whole(what: str, file: BinaryIO) -> FileBytes:
    if not os.fstat(file.fileno()).st_size:
        raise RecordingFault(what, why="it is empty")
    return FileBytes(what, file.fileno())


def _copied(what: str, pipe: BinaryIO, stopped: Callable[[], bool]) -> tuple[FileBytes, str]:
    folder = tempfile.gettempdir()
    with tempfile.TemporaryFile(dir=folder, buffering=0) as copy:
        while data := _next(pipe, stopped):
            try:
                copy.write(data)
            except OSError as error:
                why = f"a pipe is kept in a file in {folder} while it is read: {os.strerror(error.errno or 0)}"
                raise RecordingFault(what, why=why, hint="set TMPDIR to a folder with more room") from None
        size_bytes = os.fstat(copy.fileno()).st_size
        said = f"read from a pipe: its {size_bytes / 1e6:.1f} MB are kept in a file without a name in {folder}"
        return _whole(what, copy), said


def _next(pipe: BinaryIO, stopped: Callable[[], bool]) -> bytes:
    """The next bytes; none at the end, and where it is told to stop."""
    while not stopped():
        if select.select([pipe], [], [], _LOOK_S)[0]:
            return pipe.read(_COPY_BYTES) or b""
    return b""
