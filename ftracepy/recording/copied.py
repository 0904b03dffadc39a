"""Waits for a recording that is still being copied here: a CPU's pages lie in one run, so nothing is in order before the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ftracepy.errors import RecordingFault
from ftracepy.recording.leftovers import is_held
from ftracepy.recording.reader import Recording, open_recording

_LOOK_S = 0.2
_PATIENCE_S = 3.0  # without a byte more, and without a program that could write one


def open_copied(path: str, instance: str | None, stopped: Callable[[], bool], say: Callable[[str], None]) -> Recording:
    """The recording at `path`; one that lacks its end is waited for as long as it grows or a program writes it.

    Then, or when `stopped`, it is read as it is. Raises RecordingFault where that cannot be.
    """
    size, grew_s, waiting = -1, _changed_s(path), False
    while True:
        look_s = time.monotonic()
        now = _size(path)
        if waiting and now != size:
            grew_s = look_s
        size = now
        try:
            found = open_recording(path, instance, stopped=stopped)
            if is_whole(found) or stopped() or not _grows(path, grew_s):
                return found
        except RecordingFault:
            if stopped() or not _grows(path, grew_s):
                raise
        if not waiting:
            say(f"'{path}' has no end yet, and is being written: it is shown when that has come")
            waiting = True
        time.sleep(max(_LOOK_S, time.monotonic() - look_s))


def is_whole(found: Recording) -> bool:
    """Whether all that it says it has is there, or comes by another way: from the files of pages beside it."""
    if found.contents.cut_short:
        return False
    ends = [data.offset + data.size for buffer in found.buffers for data in buffer.cpus if not data.path]
    return found.is_unfinished or max(ends, default=0) <= found.size_bytes


def _grows(path: str, grew_s: float) -> bool:
    return time.monotonic() - grew_s < _PATIENCE_S or is_held(path)


def _changed_s(path: str) -> float:
    """When it was last written to, by the monotonic clock; of what is no file, long ago."""
    try:
        return time.monotonic() - max(time.time() - os.stat(path).st_mtime, 0.0)
    except OSError:
        return 0.0


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
