"""The kernel's own report of opened files, without a probe: fanotify_init(2), fanotify_mark(2), open_by_handle_at(2).

Two kinds of groups. By handle (5.9 and newer): the folder's handle and the name; opens nothing of the file itself and
sees devices and pipes too. By descriptor: where a file system makes no lasting handles (proc, sysfs, overlay);
reading the report opens the file anew, so it is used for nothing else, and never where opening has effects.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from functools import cache

from ftracepy.values import dataclass

FAN_CLOEXEC, FAN_NONBLOCK, FAN_UNLIMITED_QUEUE, FAN_UNLIMITED_MARKS, FAN_REPORT_TID = 0x1, 0x2, 0x10, 0x20, 0x100
FAN_REPORT_DIR_FID, FAN_REPORT_NAME = 0x400, 0x800
FAN_MOVED_FROM, FAN_OPEN, FAN_OPEN_EXEC, FAN_Q_OVERFLOW, FAN_ONDIR = 0x40, 0x20, 0x1000, 0x4000, 0x40000000
_MORE = FAN_MOVED_FROM | FAN_Q_OVERFLOW
_MARK_ADD, _MARK_FLUSH, _MARK_FILESYSTEM, _AT_FDCWD = 0x1, 0x80, 0x100, -100
_METADATA = struct.Struct("=IBBHQii")  # struct fanotify_event_metadata
_INFO = struct.Struct("=BBH8s")  # struct fanotify_event_info_fid, up to the handle
_HANDLE = struct.Struct("=Ii")  # struct file_handle, up to its bytes
_PATH = struct.Struct("=QiI")  # fp_relay_path of core/relay.h
_DFID_NAME = 2
READ_BYTES, _RETRIES = 1 << 17, 1000


@dataclass(frozen=True, slots=True)
class Opened:
    """One report. Either `fd` (to be closed by the reader) or what it led to, or `fsid`, `handle` (struct file_handle) and
    `name`; or nothing.
    """

    mask: int
    tid: int
    fd: int = -1
    fsid: bytes = b""
    handle: bytes = b""
    name: bytes = b""
    path: bytes = b""


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fanotify_mark.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
    libc.open_by_handle_at.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    return libc


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def group(*, by_handle: bool) -> int:
    """A new group's descriptor, non-blocking. Raises OSError (EPERM, ENOSYS, EINVAL before 5.9 for handles)."""
    flags = FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS | FAN_REPORT_TID
    flags |= FAN_REPORT_DIR_FID | FAN_REPORT_NAME if by_handle else 0
    return _checked(_libc().fanotify_init(flags, os.O_RDONLY | os.O_LARGEFILE | os.O_CLOEXEC | os.O_NOATIME))


def mark(fd: int, path: str, *, by_handle: bool) -> None:
    """Report opens on the whole file system that holds `path`. Raises OSError (EOPNOTSUPP, ENODEV, EXDEV: no handles there)."""
    mask = FAN_OPEN | FAN_OPEN_EXEC | FAN_ONDIR | (FAN_MOVED_FROM if by_handle else 0)
    _checked(_libc().fanotify_mark(fd, _MARK_ADD | _MARK_FILESYSTEM, mask, _AT_FDCWD, os.fsencode(path)))


def unmark(fd: int) -> None:
    """Report nothing any more; what has been reported stays to be read. Raises OSError."""
    _checked(_libc().fanotify_mark(fd, _MARK_FLUSH | _MARK_FILESYSTEM, 0, _AT_FDCWD, None))


def read(fd: int, wanted: Callable[[int], bool] = lambda _tid: True) -> list[Opened] | None:
    """The reports that are waiting, oldest first; None where there are none. Of threads that are not `wanted` only those
    that hold a descriptor, which is the reader's to close, or tell of more than an open.

    A file that cannot be opened again (its process has ended) makes one read fail, and its report is gone.
    """
    for _ in range(_RETRIES):
        try:
            return list(parse(os.read(fd, READ_BYTES), wanted))
        except BlockingIOError:
            return None
        except OSError:
            continue
    return None


def parse(data: bytes, wanted: Callable[[int], bool] = lambda _tid: True) -> Iterator[Opened]:
    """Cut a read's bytes into reports (fanotify(7), "Reading fanotify events")."""
    at = 0
    while at + _METADATA.size <= len(data):
        size, _version, _, header_bytes, mask, fd, tid = _METADATA.unpack_from(data, at)
        if size < _METADATA.size:
            return
        if fd >= 0 or mask & _MORE or wanted(tid):
            yield _report(mask, tid, fd, data[at + header_bytes : at + size])
        at += size


def parse_paths(data: bytes) -> Iterator[Opened]:
    """The reports in what the relay has read of a group by descriptor (core/relay.h)."""
    at = 0
    while at < len(data):
        mask, tid, length = _PATH.unpack_from(data, at)
        at += _PATH.size
        yield Opened(mask, tid, path=data[at : at + length])
        at += length


def _report(mask: int, tid: int, fd: int, info: bytes) -> Opened:
    if fd >= 0 or len(info) < _INFO.size + _HANDLE.size:
        return Opened(mask, tid, fd)
    kind, _, _, fsid = _INFO.unpack_from(info)
    if kind != _DFID_NAME:
        return Opened(mask, tid)
    handle_bytes, _ = _HANDLE.unpack_from(info, _INFO.size)
    name_at = _INFO.size + _HANDLE.size + handle_bytes
    return Opened(mask, tid, -1, fsid, info[_INFO.size : name_at], info[name_at:].partition(b"\0")[0])


def folder_path(mount_point: str, handle: bytes, prefix: str = "") -> bytes:
    """The path, now and in the namespace that `prefix` reaches, of the folder that `handle` names.

    The mount point is open only meanwhile: a descriptor kept would keep the file system from being unmounted.
    Raises OSError: ESTALE where the folder is gone, ENOENT where that path leads elsewhere (the folder lies outside
    of what is mounted there, or under another mount).
    """
    mount = os.open(mount_point, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fd = _checked(_libc().open_by_handle_at(mount, handle, os.O_PATH | os.O_CLOEXEC))
    finally:
        os.close(mount)
    try:
        path = os.readlink(b"/proc/self/fd/%d" % fd)
        if not os.path.samestat(os.fstat(fd), os.stat(os.fsencode(prefix) + path)):
            raise FileNotFoundError(path)
        return path
    finally:
        os.close(fd)


def fsid_of(path: str) -> bytes:
    """f_fsid of statfs(2), as reports carry it. Raises OSError."""
    buffer = ctypes.create_string_buffer(256)
    _checked(_libc().statfs64(os.fsencode(path), buffer))
    offset = 2 * ctypes.sizeof(ctypes.c_long) + 5 * 8  # struct statfs64: f_type, f_bsize, then five 64-bit counts
    return buffer.raw[offset : offset + 8]
