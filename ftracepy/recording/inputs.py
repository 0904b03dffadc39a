"""The bytes of a recording, wherever they come from: mapped where there is a file, else copied to one that vanishes with us."""

from __future__ import annotations

import mmap
import os
import select
import stat
import tempfile
from collections.abc import Callable
from typing import BinaryIO

from ftracepy.errors import RecordingFault

STDIN = "-"
_COPY_BYTES = 1 << 20
_LOOK_S = 0.2


def open_bytes(path: str, stopped: Callable[[], bool]) -> tuple[memoryview, str]:
    """The whole file as memory, and what to tell of how it was come by; raises RecordingFault."""
    what = f"cannot read the recording '{path}'"
    try:
        with open(0 if path == STDIN else path, "rb", buffering=0, closefd=path != STDIN) as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode):
                return _map(what, file), ""
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                return _copied(what, file, stopped)
    except OSError as error:
        raise RecordingFault(what, why=os.strerror(error.errno or 0)) from None
    raise RecordingFault(what, why="it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file, nor a pipe")


def _map(what: str, file: BinaryIO) -> memoryview:
    if not os.fstat(file.fileno()).st_size:
        raise RecordingFault(what, why="it is empty")
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _copied(what: str, pipe: BinaryIO, stopped: Callable[[], bool]) -> tuple[memoryview, str]:
    folder = tempfile.gettempdir()
    with tempfile.TemporaryFile(dir=folder, buffering=0) as copy:
        while data := _next(pipe, stopped):
            try:
                copy.write(data)
            except OSError as error:
                why = f"a pipe is kept in a file in {folder} while it is read: {os.strerror(error.errno or 0)}"
                raise RecordingFault(what, why=why, hint="set TMPDIR to a folder with more room") from None
        size_bytes = os.fstat(copy.fileno()).st_size
        return _map(what, copy), f"read from a pipe: its {size_bytes / 1e6:.1f} MB are kept in a file without a name in {folder}"


def _next(pipe: BinaryIO, stopped: Callable[[], bool]) -> bytes:
    """The next bytes; none at the end, and where it is told to stop."""
    while not stopped():
        if select.select([pipe], [], [], _LOOK_S)[0]:
            return pipe.read(_COPY_BYTES) or b""
    return b""
