"""Task lines: what a TASKS side fact holds of each thread, packed to fit trace_marker_raw writes.

A comm may hold any byte but NUL, a newline among them, so lines end with NUL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ftracepy.sidefacts import MAX_BODY_BYTES
from ftracepy.values import dataclass

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One thread: ids as the tracing system's first pid namespace counts them; UNKNOWN (-1) where nobody could tell."""

    tid: int
    tgid: int
    ppid: int = UNKNOWN
    uid: int = UNKNOWN
    comm: str = ""


def pack_tasks(tasks: Iterable[TaskLine]) -> Iterator[bytes]:
    """Bodies for TASKS facts."""
    return pack_lines(_packed(task) for task in tasks)


def _packed(task: TaskLine) -> bytes:
    comm = task.comm.encode("utf-8", "surrogateescape").replace(b"\0", b"")
    return b"%d %d %d %d %s\0" % (task.tid, task.tgid, task.ppid, task.uid, comm)


def pack_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Bodies of facts, each whole lines and at most MAX_BODY_BYTES long; a longer line makes one of its own."""
    body = bytearray()
    for line in lines:
        if body and len(body) + len(line) > MAX_BODY_BYTES:
            yield bytes(body)
            body.clear()
        body += line
    if body:
        yield bytes(body)


def unpack_tasks(body: bytes) -> list[TaskLine]:
    """The lines of one body; what is no task line (a cut or foreign record) is left out."""
    return [task for line in body.split(b"\0") if (task := _task(line)) is not None]


def _task(line: bytes) -> TaskLine | None:
    parts = line.split(b" ", 4)
    try:
        tid, tgid, ppid, uid = (int(part) for part in parts[:4])
        return TaskLine(tid, tgid, ppid, uid, parts[4].decode("utf-8", "backslashreplace"))
    except (ValueError, IndexError):
        return None
