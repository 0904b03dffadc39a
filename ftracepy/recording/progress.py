"""How far a recording that is being written has come: told in its own file, for those who follow it.

The option stands in the first OPTIONS section, which the last one replaces when the file is made whole; other
programs skip it. Its writer holds a lock on the file, so that a reader can tell one that still runs from one that died.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress

from ftracepy.values import dataclass

PROGRESS_OPTION = 0x4650  # "FP": far above the format's own numbers
_ENDING = 2**64 - 1
_LAYOUT = {"<": struct.Struct("<QQQQQ"), ">": struct.Struct(">QQQQQ")}


@dataclass(frozen=True, slots=True)
class Settled:
    """The CPU of the top-level buffer whose pages are written to their last place at once: from byte `at` of the recording on.

    They have `size_bytes`, or go to the end of the file while more may come (0).
    """

    cpu: int
    at: int
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Every event older than `until_ns` (raw clock) lies in the spools, or where the CPU that has `settled` has its pages.

    `ending`: the spools are being compressed, or, where `options_at` says where the file's last options are, moved to where
    those say.
    """

    until_ns: int = 0
    ending: bool = False
    options_at: int = 0
    settled: Settled | None = None

    def pack(self, order: str) -> bytes:
        state, settled = self.options_at or (_ENDING if self.ending else 0), self.settled or Settled(0, 0)
        return _LAYOUT[order].pack(self.until_ns, state, settled.cpu, settled.at, settled.size_bytes)


def unpack_progress(data: bytes, order: str) -> Progress:
    """What `pack` made; of fewer bytes, the beginning."""
    if len(data) != _LAYOUT[order].size:
        return Progress()
    until_ns, state, cpu, at, size_bytes = _LAYOUT[order].unpack(data)
    return Progress(until_ns, state != 0, 0 if state == _ENDING else state, Settled(cpu, at, size_bytes) if at else None)


def lock(fd: int) -> None:
    """Hold the file while it is written; a file system without locks does without."""
    with suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_being_written(path: str) -> bool:
    """Whether somebody holds the lock."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False
