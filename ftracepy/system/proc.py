"""Reads /proc: the tasks that are there now, the arguments and working directory of one.

Everything here can vanish while it is read, so a task that is gone is left out rather than reported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ftracepy.system.tasklines import UNKNOWN, TaskLine

_STATUS_BYTES = 4096  # what is wanted of it stands at its beginning
_STATUS_ESCAPES = {b"\\n": b"\n", b"\\\\": b"\\"}


def snapshot(proc: str = "/proc") -> Iterator[TaskLine]:
    """Every thread of every process that this user can see."""
    for name in os.listdir(proc):
        if name.isdigit():
            yield from threads(int(name), proc)


def threads(pid: int, proc: str = "/proc") -> Iterator[TaskLine]:
    """The threads of process `pid`; none where it is gone."""
    folder = f"{proc}/{pid}/task"
    try:
        tids = os.listdir(folder)
    except OSError:
        return
    for tid in tids:
        if (task := task_line(f"{folder}/{tid}/status")) is not None:
            yield task


def task_line(status_path: str) -> TaskLine | None:
    """One `status` file as a task line: Pid, Tgid, PPid and the real uid."""
    try:
        fd = os.open(status_path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = b"\n" + os.read(fd, _STATUS_BYTES)
        finally:
            os.close(fd)
        tid, tgid, ppid = int(_field(text, b"Pid")), int(_field(text, b"Tgid")), int(_field(text, b"PPid"))
    except (OSError, ValueError):
        return None
    uid = _field(text, b"Uid").split(b"\t")[0]
    return TaskLine(tid, tgid, ppid, int(uid) if uid.isdigit() else UNKNOWN, _name(_field(text, b"Name")))


def _field(text: bytes, name: bytes) -> bytes:
    """What stands behind `name` in a `status` file with a line end in front; b"" where it has no such line."""
    found = text.partition(b"\n%b:\t" % name)[2]
    return found.partition(b"\n")[0]


def _name(escaped: bytes) -> str:
    """`status` writes a comm's newline and backslash as two characters (kernel: fs/proc/array.c, proc_task_name)."""
    if b"\\" not in escaped:
        return escaped.decode("utf-8", "backslashreplace")
    out, at = bytearray(), 0
    while at < len(escaped):
        pair = escaped[at : at + 2]
        out += _STATUS_ESCAPES.get(pair, escaped[at : at + 1])
        at += 2 if pair in _STATUS_ESCAPES else 1
    return out.decode("utf-8", "backslashreplace")


def argv(pid: int, proc: str = "/proc") -> list[str] | None:
    """The arguments of process `pid` as they are now; None where it is gone, [] for a kernel thread or a zombie."""
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            text = file.read()
    except OSError:
        return None
    return [part.decode("utf-8", "backslashreplace") for part in text.removesuffix(b"\0").split(b"\0")] if text else []
