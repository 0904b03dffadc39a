"""A recording of ours that still runs, or whose recorder was killed: texts in the file, pages in the spools beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress

from ftracepy.errors import RecordingFault
from ftracepy.recording.contents import Contents, CpuData
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.head import Head
from ftracepy.recording.inputs import FileBytes, Overlay, open_plain
from ftracepy.recording.options import OptionId
from ftracepy.recording.progress import PROGRESS_OPTION, Progress, is_being_written, unpack_progress
from ftracepy.recording.v7 import read_places
from ftracepy.values import replace

_MOST_CPUS = 1 << 16


def is_unfinished(contents: Contents) -> bool:
    """Whether its pages are still in spools."""
    return any(option.id == PROGRESS_OPTION for option in contents.options)


def take_spools(contents: Contents, path: str, head: Head) -> None:
    """Find the pages in the files beside the recording; raises RecordingFault where they are being compressed or moved."""
    running = is_being_written(path)
    progress = progress_of(contents)
    if progress.ending and running and contents.compression != "none":
        raise RecordingFault(f"cannot read the recording '{path}'", why="its pages are being compressed", hint="a moment later")
    buffer = contents.buffer("")
    buffer.clock, buffer.page_bytes = contents.texts.clock, head.page_bytes
    found = dict(spools(path, progress))
    count = max([*found, -1]) + 1
    for option in contents.options:
        if option.id == OptionId.CPUCOUNT and option.data.left >= 4:
            count = max(count, min(option.data.copy().u32("number of CPUs"), _MOST_CPUS))
    cpus = [found.get(cpu, CpuData(cpu, 0, 0)) for cpu in range(count)]
    buffer.cpus = [replace(one, half_packed=progress.ending) for one in cpus]
    contents.notices.append(_told(path, running, progress))


def moved_halfway(contents: Contents, path: str, file: FileBytes) -> tuple[int, Overlay] | None:
    """Where the last options of a recorder are that was killed while it moved its pages, and the file with those in place.

    `contents` is what the first options say; None where it was not moving. Raises RecordingFault for a spool that
    cannot be read.
    """
    progress = progress_of(contents)
    if not progress.options_at or is_being_written(path):
        return None
    cursor = Cursor(file, path, order=">" if contents.texts.big_endian else "<")
    spans = []
    for number, buffer in enumerate(read_places(cursor, progress.options_at)):
        mark = f".instance{number}" if buffer.name else ""
        for data in buffer.cpus:
            spool = f"{path}{mark}.cpu{data.cpu}"
            settled = progress.settled is not None and data.offset == progress.settled.at
            if data.size and not settled and os.path.isfile(spool):
                spans.append((data.offset, open_plain(f"cannot read '{spool}'", spool)))
    return progress.options_at, Overlay(file, spans)


def progress_of(contents: Contents) -> Progress:
    """How far the recorder says it has come."""
    for option in contents.options:
        if option.id == PROGRESS_OPTION:
            return unpack_progress(option.data.rest(), option.data.order)
    return Progress()


def spools(path: str, progress: Progress | None = None) -> Iterator[tuple[int, CpuData]]:
    """The files PATH.cpuN as they are now; last the pages that `progress` says lie in the recording itself."""
    yield from _beside(path)
    if settled := progress and progress.settled:
        with suppress(OSError):
            size_bytes = settled.size_bytes or os.stat(path).st_size - settled.at
            yield settled.cpu, CpuData(settled.cpu, settled.at, max(size_bytes, 0), path)


def _beside(path: str) -> Iterator[tuple[int, CpuData]]:
    folder, name = os.path.split(path)
    spool = re.compile(re.escape(name) + r"\.cpu([0-9]{1,5})")
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                if (match := spool.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False) and int(match[1]) < _MOST_CPUS:
                    yield int(match[1]), CpuData(int(match[1]), 0, entry.stat().st_size, entry.path)
    except OSError:
        return


def _told(path: str, running: bool, progress: Progress) -> str:
    if running:
        return "this recording still runs: it is shown as far as it has come (--follow goes on)"
    return f"the recorder was killed: the pages come from '{path}.cpu*'; ftracepy convert makes one file of them"
