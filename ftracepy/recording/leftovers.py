"""What trace-cmd's recorders write before there is a trace.dat: pages alone, read with the texts of the kernel that runs now.

FILE.cpuN holds the top-level buffer's pages of CPU N, FILE.INSTANCE.cpuN an instance's (trace-cmd-restore(1)).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator

from ftracepy.errors import FtracepyError, RecordingFault
from ftracepy.recording.contents import BufferData, Contents, CpuData
from ftracepy.recording.head import MOST_CPUS
from ftracepy.recording.rawdir import folder_texts
from ftracepy.schema import parse_cmdlines
from ftracepy.schematexts import chosen_clock
from ftracepy.values import replace


def leftovers(path: str) -> dict[str, list[CpuData]]:
    """By instance, the pages beside a recording that is not there itself; none where it is."""
    return {} if os.path.lexists(path) else _pages_beside(path)


def _pages_beside(path: str) -> dict[str, list[CpuData]]:
    folder, name = os.path.split(path)
    spool = re.compile(re.escape(name) + r"(?:\.(?P<instance>[^/]+))?\.cpu(?P<cpu>[0-9]{1,5})")
    found: dict[str, list[CpuData]] = {}
    try:
        with os.scandir(folder or ".") as entries:
            beside = sorted(entries, key=lambda one: one.name)
        for entry in beside:
            if (match := spool.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False) and int(match["cpu"]) < MOST_CPUS:
                data = CpuData(int(match["cpu"]), 0, entry.stat().st_size, entry.path)
                found.setdefault(match["instance"] or "", []).append(data)
    except OSError:
        return {}
    return {name: sorted(cpus, key=lambda one: one.cpu) for name, cpus in found.items()}


def read_leftovers(path: str) -> Contents:
    """Pages from beside `path`, texts from tracefs; raises RecordingFault where that cannot be read."""
    from ftracepy import tracefs
    from ftracepy.tracefs import cmdlines

    found = leftovers(path)
    try:
        root = str(tracefs.find(mount=False).root)
    except FtracepyError as fault:
        raise RecordingFault(
            f"cannot read the recording '{path}'",
            why=f"there are only its pages, in '{path}.*cpu*', and no tracefs here to tell formats: {fault.why or fault.what}",
            hint="a folder of these, events/header_page and events/SYSTEM/EVENT/format of the kernel that was recorded",
        ) from None
    texts = replace(folder_texts(root, []), uname=_uname(), big_endian=sys.byteorder == "big", kallsyms=cmdlines.kallsyms())
    contents = Contents(0, texts, texts.page_bytes or 0, cpu_count=os.cpu_count() or 0)
    for name, cpus in found.items():
        contents.buffers.append(BufferData(name, _clock(root, name) or texts.clock, contents.page_bytes, cpus))
    contents.notices.append(_told(path, is_held(path)))
    return contents


def comms_now() -> dict[int, str]:
    """The names of threads that this kernel has kept; none where it does not tell."""
    from ftracepy import tracefs
    from ftracepy.tracefs import cmdlines

    try:
        return parse_cmdlines(cmdlines.saved(tracefs.find(mount=False).root).decode("utf-8", "surrogateescape"))
    except (FtracepyError, OSError):
        return {}


def _uname() -> str:
    now = os.uname()
    return f"{now.sysname} {now.nodename} {now.release} {now.machine}"


def _clock(root: str, instance: str) -> str:
    try:
        with open(os.path.join(root, "instances" if instance else "", instance, "trace_clock"), encoding="ascii") as file:
            return chosen_clock(file.read())
    except (OSError, ValueError):
        return ""


def is_held(path: str) -> bool:
    """Whether a process still writes one of the files of pages, or what is made of them; only root sees every process."""
    files = {os.path.realpath(data.path) for cpus in _pages_beside(path).values() for data in cpus} | {os.path.realpath(path)}
    return any(_is_written(*place) for one, *place in _open_files() if one in files)


def _open_files() -> Iterator[tuple[str, str, str]]:
    """Every file that another process has open, which process, and by which descriptor."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                yield os.readlink(f"/proc/{pid}/fd/{fd}"), pid, fd
        except OSError:
            continue


def _is_written(pid: str, fd: str) -> bool:
    """Whether a descriptor is open for writing; one that is gone meanwhile is not."""
    try:
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
            flags = next(line for line in file if line.startswith("flags:"))
    except (OSError, StopIteration):
        return False
    return bool(int(flags.split()[1], 8) & (os.O_WRONLY | os.O_RDWR))


def _told(path: str, running: bool) -> str:
    state = "it is still being recorded" if running else "its recorder was killed"
    return (
        f"there is no '{path}' yet, {state}: the pages come from '{path}.*cpu*', the formats from the kernel that runs now;"
        " if another one was recorded, this is wrong"
    )
