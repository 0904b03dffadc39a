"""A recording of ours that still runs, or whose recorder was killed: texts in the file, pages in the spools beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ftracepy.errors import RecordingFault
from ftracepy.recording.contents import Contents, CpuData
from ftracepy.recording.head import Head
from ftracepy.recording.options import OptionId
from ftracepy.recording.progress import PROGRESS_OPTION, Progress, is_being_written, unpack_progress

_MOST_CPUS = 1 << 16


def is_unfinished(contents: Contents) -> bool:
    """Whether its pages are still in spools."""
    return any(option.id == PROGRESS_OPTION for option in contents.options)


def take_spools(contents: Contents, path: str, head: Head) -> None:
    """Find the pages; raises RecordingFault where they are half way between spools and file."""
    running = is_being_written(path)
    progress = progress_of(contents)
    if progress.ending and contents.compression != "none":
        raise RecordingFault(
            f"cannot read the recording '{path}'",
            why="its pages are being compressed" if running else "its recorder was killed while it compressed the pages",
        )
    buffer = contents.buffer("")
    buffer.clock, buffer.page_bytes = contents.texts.clock, head.page_bytes
    found = dict(spools(path))
    count = max([*found, -1]) + 1
    for option in contents.options:
        if option.id == OptionId.CPUCOUNT and option.data.left >= 4:
            count = max(count, min(option.data.copy().u32("number of CPUs"), _MOST_CPUS))
    buffer.cpus = [found.get(cpu, CpuData(cpu, 0, 0)) for cpu in range(count)]
    contents.notices.append(_told(path, running, progress))


def progress_of(contents: Contents) -> Progress:
    """How far the recorder says it has come."""
    for option in contents.options:
        if option.id == PROGRESS_OPTION:
            return unpack_progress(option.data.rest(), option.data.order)
    return Progress()


def spools(path: str) -> Iterator[tuple[int, CpuData]]:
    """The files PATH.cpuN as they are now."""
    folder, name = os.path.split(path)
    spool = re.compile(re.escape(name) + r"\.cpu([0-9]{1,5})")
    try:
        for entry in os.scandir(folder or "."):
            if (match := spool.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False) and int(match[1]) < _MOST_CPUS:
                yield int(match[1]), CpuData(int(match[1]), 0, entry.stat().st_size, entry.path)
    except OSError:
        return


def _told(path: str, running: bool, progress: Progress) -> str:
    if running:
        return "this recording still runs: it is shown as far as it has come (--follow goes on)"
    moved = "; some pages had been moved out of them already and are lost" if progress.ending else ""
    return f"the recorder was killed: the pages come from '{path}.cpu*'{moved}; ftracepy convert makes one file of them"
