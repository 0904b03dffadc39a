"""instances/: private ring buffers with settings of their own; a folder made is an instance made."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from ftracepy.errors import FtracepyError, KernelCannot
from ftracepy.tracefs import events, files

_RETRIES, _RETRY_S = 10, 0.05


def names(root: Path) -> list[str]:
    """Every instance, whoever made it; [] where the kernel has none (before 3.10)."""
    try:
        return sorted(entry.name for entry in os.scandir(root / "instances") if entry.is_dir())
    except OSError:
        return []


def make(root: Path, name: str) -> Path:
    """Make an instance. Raises KernelCannot before 3.10, FtracepyError (ENOMEM, EEXIST) or NotPermitted."""
    path = root / "instances" / name
    if not path.parent.is_dir():
        why = "there is no folder `instances`"
        raise KernelCannot("this kernel has no private trace buffers", why=why, hint="Linux 3.10 or newer")
    try:
        files.sys_mkdir(path)
    except OSError as error:
        raise files.fault("cannot make a private trace buffer", path, error) from None
    return path


def remove(root: Path, name: str) -> bool:
    """Remove an instance; False if it was gone. Raises FtracepyError naming who keeps it busy, after half a second of trying."""
    path = root / "instances" / name
    for attempt in range(_RETRIES):
        try:
            files.sys_rmdir(path)
            return True
        except FileNotFoundError:
            return False
        except OSError as error:
            if attempt + 1 == _RETRIES or error.errno in (errno.EPERM, errno.EACCES):
                raise _kept(path, error) from None
            time.sleep(_RETRY_S)
    return False


def _kept(path: Path, error: OSError) -> FtracepyError:
    if error.errno != errno.EBUSY:
        return files.fault(f"cannot remove the instance {path.name}", path, error)
    holders = holding(path)
    why = f"open in {', '.join(holders)}" if holders else "a program has one of its files open, or a trigger refers to it"
    return FtracepyError(
        f"cannot remove the instance {path.name}",
        kernel=error.strerror or "",
        wrote=f"rmdir {files.shown(path)} (EBUSY)",
        why=why,
        hint="end that program, then: ftracepy reset",
    )


def holding(path: Path, proc: Path = Path("/proc")) -> list[str]:
    """`COMM (PID)` of every process that has a file below `path` open."""
    prefix, found = str(path) + "/", []
    for pid in (name for name in os.listdir(proc) if name.isdigit()):
        try:
            targets = [os.readlink(proc / pid / "fd" / fd) for fd in os.listdir(proc / pid / "fd")]
        except OSError:
            continue
        if any(target.startswith(prefix) for target in targets):
            comm = files.try_read(proc / pid / "comm") or "?"
            found.append(f"{comm.strip()} ({pid})")
    return found


def close_strays(path: Path, keep: int) -> None:
    """Close what this process has open below an instance, but `keep`: for when an interrupt ends a run.

    One that comes just when a file has been opened leaves a descriptor that nobody knows, and so a busy instance.
    """
    folder = Path("/proc/self/fd")
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        with suppress(OSError):  # the one that listed them is gone
            if int(name) != keep and os.readlink(folder / name).startswith(f"{path}/"):
                os.close(int(name))


def disable_group(root: Path, group: str) -> list[str]:
    """Switch one system's events off everywhere they are on; returns the instances ("" = top level) where they were."""
    places = {"": root, **{name: root / "instances" / name for name in names(root)}}
    found = [name for name, path in places.items() if any(line.startswith(group + ":") for line in events.enabled(path))]
    for name in found:
        events.set_enabled(places[name], group, "*", False)
    return found
