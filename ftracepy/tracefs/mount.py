"""Finding tracefs, mounting it where root has none yet, and telling apart the reasons why there is none.

/sys/kernel/tracing exists where the kernel has tracefs; debugfs has shown the same tree as `tracing` since 2.6.27
and mounts it on first use. As root a missing mount is made, as libtracefs does, and left.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ftracepy.errors import FtracepyError, KernelCannot, NotPermitted
from ftracepy.tracefs import permission
from ftracepy.values import dataclass

ENV_ROOT = "FTRACEPY_TRACEFS"
TRACEFS, DEBUGFS = "tracefs", "debugfs"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tracefs:
    """A tracefs, by its root folder; everything below is reached through the functions of this package."""

    root: Path

    def instance(self, name: str) -> Path:
        return self.root / "instances" / name


@dataclass(frozen=True, slots=True)
class Places:
    """Where a system keeps things; other values are for tests and for a second kernel's files."""

    tracing: Path = Path("/sys/kernel/tracing")
    debug: Path = Path("/sys/kernel/debug")
    proc: Path = Path("/proc")


_PLACES = Places()


def find(
    root: str | os.PathLike[str] | None = None, *, mount: bool = True, say: Say | None = None, places: Places = _PLACES
) -> Tracefs:
    """The tracefs to use: `root`, else $FTRACEPY_TRACEFS, else where it is mounted, else (root only) mounted now.

    `say` is told of a mount made. Raises NotPermitted (not root, container, lockdown) or KernelCannot (no
    tracefs in this kernel, or none at the given place).
    """
    if given := root or os.environ.get(ENV_ROOT):
        return _given(Path(given))
    denied: Path | None = None
    for path in _candidates(places):
        try:
            if is_tracefs(path):
                return Tracefs(path)
        except PermissionError:
            denied = denied or path
    if denied is not None:
        raise _not_permitted(f"cannot look into {denied}")
    return _mounted(places, say) if mount else _raise_unmounted()


def is_tracefs(path: Path) -> bool:
    """Whether a tracefs' root (or a likeness of it) is here. Raises PermissionError where one may not look."""
    for name in ("trace_clock", "events"):
        try:
            os.stat(path / name)
        except PermissionError:
            raise
        except OSError:
            return False
    return True


def _given(path: Path) -> Tracefs:
    try:
        if is_tracefs(path):
            return Tracefs(path)
    except PermissionError:
        raise _not_permitted(f"cannot look into {path}") from None
    why = "it holds no trace_clock and no events"
    raise KernelCannot(f"there is no tracefs at {path}", why=why, hint=f"mount -t tracefs nodev {path}")


def _candidates(places: Places) -> Iterator[Path]:
    yield places.tracing
    yield places.debug / "tracing"
    for kind, where in mounts(places.proc):
        if kind == TRACEFS:
            yield where
        elif kind == DEBUGFS:
            yield where / "tracing"


def mounts(proc: Path = Path("/proc")) -> list[tuple[str, Path]]:
    """(file system, mount point) of every tracefs and debugfs mount that this process sees (proc_pid_mountinfo(5))."""
    try:
        lines = (proc / "self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        before, _, after = line.partition(" - ")
        kind = after.partition(" ")[0]
        if kind in (TRACEFS, DEBUGFS):
            found.append((kind, Path(_unescape(before.split(" ")[4]))))
    return found


def _unescape(octal: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), octal)


def _mounted(places: Places, say: Say | None) -> Tracefs:
    if os.geteuid() != 0:
        raise _not_permitted("tracefs is not mounted, and only root can mount it")
    kinds = _known_file_systems(places.proc)
    for kind, where, root in ((TRACEFS, places.tracing, places.tracing), (DEBUGFS, places.debug, places.debug / "tracing")):
        if kind in kinds and where.is_dir():
            _mount(kind, where)
            if is_tracefs(root):
                if say:
                    say(f"mounted {kind} at {where}")
                return Tracefs(root)
    raise KernelCannot(
        "this kernel has no tracefs",
        why="neither tracefs nor debugfs shows a tracing folder",
        hint="a kernel with CONFIG_FTRACE=y and CONFIG_TRACING=y; " + permission.REPLAY_HINT,
    )


def _known_file_systems(proc: Path) -> frozenset[str]:
    try:
        lines = (proc / "filesystems").read_text().splitlines()
    except OSError:
        return frozenset((TRACEFS, DEBUGFS))
    return frozenset(line.split("\t")[-1].strip() for line in lines)


def _mount(kind: str, where: Path) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"nodev", os.fsencode(where), kind.encode(), 0, None) == 0:
        return
    error = OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if error.errno == errno.EBUSY:
        return
    wrote = f"mount -t {kind} nodev {where} ({errno.errorcode.get(error.errno or 0, error.errno)})"
    what = f"cannot mount {kind} at {where}"
    if error.errno in (errno.EPERM, errno.EACCES, errno.EROFS):
        raise _not_permitted(what, kernel=error.strerror or "", wrote=wrote)
    raise FtracepyError(what, kernel=error.strerror or "", wrote=wrote)


def _raise_unmounted() -> Tracefs:
    raise KernelCannot("tracefs is not mounted", hint="mount -t tracefs nodev /sys/kernel/tracing (as root)")


def _not_permitted(what: str, *, kernel: str = "", wrote: str = "") -> NotPermitted:
    why = permission.why_denied() or "a security module or the container's seccomp profile refuses"
    hint = "run as root (sudo)" if os.geteuid() != 0 else "run on the host, or in a container started with --privileged"
    return NotPermitted(what, kernel=kernel, wrote=wrote, why=why, hint=f"{hint}; {permission.REPLAY_HINT}")
