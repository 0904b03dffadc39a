"""Reading and writing control files: the only calls that change a tracefs, and what their errors mean.

Python's open() is unfit for the probe files: "w" (O_TRUNC) removes every probe on the machine that is not in
use and "a" seeks to the end, which they refuse. So: os.open, and one os.write, for a second write to the same
file would be a second command.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ftracepy.errors import FtracepyError, KernelCannot, NotPermitted

_LANDMARKS = ("instances", "events", "options", "per_cpu")
_CHUNK_BYTES = 1 << 16


def sys_write(fd: int, data: bytes) -> int:
    """os.write, by name, so that a test can make the n-th change fail."""
    return os.write(fd, data)


def sys_mkdir(path: Path) -> None:
    os.mkdir(path)


def sys_rmdir(path: Path) -> None:
    os.rmdir(path)


def read_bytes(path: Path, what: str = "") -> bytes:
    """The whole file. Raises FtracepyError kinds; `what` is the clause that says what could not be done."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return b"".join(iter(lambda: os.read(fd, _CHUNK_BYTES), b""))
        finally:
            os.close(fd)
    except OSError as error:
        raise fault(what or f"cannot read {shown(path)}", path, error) from None


def read_text(path: Path, what: str = "") -> str:
    """The whole file as text; bytes that are not UTF-8 stay visible as escapes."""
    return read_bytes(path, what).decode("utf-8", "backslashreplace")


def try_read(path: Path) -> str | None:
    """The file's text, or None where it is missing or may not be read (EPERM on set_ftrace_* for root, on some kernels)."""
    try:
        return read_text(path)
    except FtracepyError:
        return None


def write(path: Path, text: str, what: str = "", *, flags: int = 0) -> None:
    """Write a setting in one write, without truncating. Raises FtracepyError kinds."""
    try:
        write_raw(path, text, flags=flags)
    except OSError as error:
        raise fault(what or f"cannot set {shown(path)}", path, error, text=text) from None


def append(path: Path, text: str, what: str = "") -> None:
    """Add one line to a file that holds a list (probes, pids)."""
    write(path, text, what, flags=os.O_APPEND)


def truncate(path: Path, what: str = "") -> None:
    """Empty a list of pids. Never for probe files: there it would remove everybody's probes."""
    if path.name.endswith("_events"):
        raise ValueError(f"{path.name} is everybody's")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC))
    except OSError as error:
        raise fault(what or f"cannot empty {shown(path)}", path, error) from None


def write_raw(path: Path, text: str, *, flags: int = 0) -> None:
    """Like write, but lets OSError through, for callers that have more to say about it."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags)
    try:
        sys_write(fd, text.encode("utf-8", "surrogateescape"))
    finally:
        os.close(fd)


def shown(path: Path) -> str:
    """A control file's name as people know it: from `instances`, `events` … on, else its last part."""
    parts = path.parts
    starts = [parts.index(mark) for mark in _LANDMARKS if mark in parts]
    return "/".join(parts[min(starts) :]) if starts else path.name


def errno_name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, f"errno {error.errno}")


def fault(what: str, path: Path, error: OSError, *, text: str = "", kernel: str = "", hint: str = "") -> FtracepyError:
    """The FtracepyError for a refused call: its kind from errno, its parts from what is known."""
    wrote = f"{shown(path)} ({errno_name(error)})"
    if text and not kernel:
        wrote = f"{text.strip()!r} to {wrote}"
    said = kernel or (error.strerror or "")
    if error.errno in (errno.EPERM, errno.EACCES, errno.EROFS):
        return NotPermitted(what, kernel=said, wrote=wrote, why=_why_denied(), hint=hint)
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP) and not kernel and not path.exists():
        return KernelCannot(what, kernel=said, wrote=wrote, why="this kernel's tracefs has no such file", hint=hint)
    return FtracepyError(what, kernel=said, wrote=wrote, hint=hint)


def _why_denied() -> str:
    from ftracepy.tracefs import permission

    return permission.why_denied()
