"""Reads /proc: the tasks that are there now, the arguments and working directory of one.

Everything here can vanish while it is read, so a task that is gone is left out rather than reported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ftracepy.system.tasklines import UNKNOWN, TaskLine

_STATUS_BYTES = 4096  # what is wanted of it stands at its beginning
# In the order that the kernel writes them since 2.6 (fs/proc/array.c, proc_pid_status); user ids came to be last of them.
_TASK = re.compile(
    rb"Name:\t(.*)\n(?:.*\n)*?Tgid:\t([0-9]+)\n(?:.*\n)*?Pid:\t([0-9]+)\n(?:.*\n)*?PPid:\t([0-9]+)\n(?:(?:.*\n)*?Uid:\t([0-9]+))?"
)
_STATUS_ESCAPES = {b"\\n": b"\n", b"\\\\": b"\\"}


def snapshot(proc: str = "/proc") -> Iterator[TaskLine]:
    """Every thread of every process that this user can see."""
    for name in os.listdir(proc):
        if name.isdigit():
            yield from threads(int(name), proc)


def threads(pid: int, proc: str = "/proc") -> Iterator[TaskLine]:
    """The threads of process `pid`; none where it is gone. Most have one, which the process's own `status` tells all of."""
    folder = f"{proc}/{pid}"
    status = _status(f"{folder}/status")
    if b"\nThreads:\t1\n" in status and (task := _task(status)) is not None:
        yield task
        return
    try:
        tids = os.listdir(f"{folder}/task")
    except OSError:
        return
    for tid in tids:
        if (task := task_line(f"{folder}/task/{tid}/status")) is not None:
            yield task


def task_line(status_path: str) -> TaskLine | None:
    """One `status` file as a task line: Pid, Tgid, PPid and the real uid."""
    return _task(_status(status_path))


def _status(path: str) -> bytes:
    """What is wanted of a `status` file; b"" where its task is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, _STATUS_BYTES)
        finally:
            os.close(fd)
    except OSError:
        return b""


def _task(status: bytes) -> TaskLine | None:
    match = _TASK.match(status)
    if match is None:
        return None
    name, tgid, tid, ppid, uid = match.groups()
    return TaskLine(int(tid), int(tgid), int(ppid), int(uid) if uid else UNKNOWN, _name(name))


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
