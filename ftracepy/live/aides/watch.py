"""Watching opens of files on every mounted file system: from fanotify's reports to paths."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from ftracepy.live.aides import fanotify, mounts
from ftracepy.live.aides.fanotify import Opened
from ftracepy.values import dataclass, field

# Opening a file there again has effects of its own, or may wait for somebody else.
_NEVER_REOPENED = frozenset({"tracefs", "debugfs", "securityfs", "configfs", "autofs", "binfmt_misc", "nfsd", "efivarfs",
                             "mqueue", "rpc_pipefs", "fusectl", "pstore", "bpf"})  # fmt: skip
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "afs", "virtiofs", "fuse", "fuseblk"})
_NO_HANDLES = frozenset({errno.EOPNOTSUPP, errno.ENODEV, errno.EXDEV, errno.EINVAL})
_MAX_FOLDERS, _MAX_READS = 1 << 16, 8


@dataclass(slots=True)
class Path:
    """A file that thread `tid` has opened; `path` without a leading "/" is only its last component. `tid` -1: reports were lost.

    `ordered` False: this thread's paths of the same read() came by both groups, and which was first is not known.
    """

    tid: int
    path: bytes
    ordered: bool = True


@dataclass(slots=True)
class Watch:
    """Both groups and their marks. A context manager. `wants` says whose opens are of interest, by thread; `folders` are those
    that are known, by their file system's id and handle.
    """

    by_handle: int = -1
    by_fd: int = -1
    unwatched: list[str] = field(default_factory=list)
    wants: Callable[[int], bool] = lambda _tid: True
    _mounts: list[mounts.Mount] = field(default_factory=list)
    _marked: set[str] = field(default_factory=set)
    _roots: dict[bytes, list[mounts.Mount]] = field(default_factory=dict)
    folders: dict[bytes, bytes] = field(default_factory=dict)

    def open(self) -> None:
        """Make the groups and mark everything mounted. Raises OSError where fanotify or root's rights are missing."""
        try:
            self.by_handle = fanotify.group(by_handle=True)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        self.by_fd = fanotify.group(by_handle=False)
        self.mark_new()

    def close(self) -> None:
        for fd in (self.by_handle, self.by_fd):
            if fd >= 0:
                os.close(fd)
        self.by_handle = self.by_fd = -1

    @property
    def fds(self) -> list[int]:
        return [fd for fd in (self.by_handle, self.by_fd) if fd >= 0]

    def mark_new(self) -> None:
        """Mark the file systems that are not marked yet; where the mounts have changed, folders may be called otherwise."""
        found = mounts.mounted()
        if found != self._mounts:
            self._mounts = found
            self.folders.clear()
        if not self._marked:
            self._roots.clear()
        self._marked &= {mount.device for mount in found}
        for mount in found:
            if mount.device not in self._marked:
                self._marked.add(mount.device)
                self._mark(mount)

    def unmark(self) -> None:
        """Have nothing reported; `mark_new` then begins anew, for folders may move meanwhile."""
        for fd in self.fds:
            fanotify.unmark(fd)
        self._mounts = []
        self._marked.clear()

    def _mark(self, mount: mounts.Mount) -> None:
        if self.by_handle >= 0 and self._mark_by_handle(mount):
            return
        if mount.kind in _NEVER_REOPENED:
            return
        try:
            if mount.kind in _NETWORK:
                raise OSError
            fanotify.mark(self.by_fd, mount.path, by_handle=False)
        except OSError:
            self.unwatched.append(f"{mount.path} ({mount.kind})")

    def _mark_by_handle(self, mount: mounts.Mount) -> bool:
        """Only where a handle can be turned into a path again from here."""
        try:
            fanotify.mark(self.by_handle, mount.path, by_handle=True)
            self._roots.setdefault(fanotify.fsid_of(mount.path), []).insert(0, mount)
        except OSError as error:
            return error.errno not in _NO_HANDLES
        return True

    def read(self) -> list[Path]:
        """What has been opened since the last call, until both queues were empty.

        The first queue is read again after the second: what it then holds may be older than what the second gave.
        """
        first, second = self._drain(self.by_handle), self._drain(self.by_fd)
        return self.paths([(0, first), (1, second), (0, self._drain(self.by_handle) if second else [])])

    def paths(self, reads: Iterable[tuple[int, list[Opened]]]) -> list[Path]:
        """What the reports of one round tell of, those of each queue by its number."""
        found = [(queue, path) for queue, reports in reads for report in reports for path in self._path(report)]
        queues = [{path.tid for queue, path in found if queue == which} for which in (0, 1)]
        mixed = queues[0] & queues[1]
        for _, path in found:
            path.ordered = path.tid not in mixed
        return [path for _, path in found]

    def relayed(self, reads: Iterable[tuple[int, bytes]]) -> list[Path]:
        """The same of one of the relay's rounds."""
        cut = (lambda piece: fanotify.parse(piece, self.wants), fanotify.parse_paths)
        return self.paths([(queue, list(cut[queue](piece))) for queue, piece in reads])

    def _drain(self, fd: int) -> list[Opened]:
        found: list[Opened] = []
        for _ in range(_MAX_READS if fd >= 0 else 0):
            if (reports := fanotify.read(fd, self.wants)) is None:
                break
            found += reports
        return found

    def _path(self, report: Opened) -> Iterator[Path]:
        if report.mask & fanotify.FAN_Q_OVERFLOW:
            yield Path(-1, b"")
        elif report.mask & fanotify.FAN_MOVED_FROM and report.mask & fanotify.FAN_ONDIR:
            self.folders.clear()
        wanted = report.mask & fanotify.FAN_OPEN and not report.mask & fanotify.FAN_OPEN_EXEC
        path = self._path_of(report, wanted=bool(wanted) and self.wants(report.tid))
        if wanted and path:
            yield Path(report.tid, path)

    def _path_of(self, report: Opened, *, wanted: bool) -> bytes:
        if report.fd >= 0:
            try:
                return _alive(os.readlink(b"/proc/self/fd/%d" % report.fd)) if wanted else b""
            finally:
                os.close(report.fd)
        if not wanted:
            return b""
        return _alive(report.path) if report.path else self._joined(report) if report.handle else b""

    def _joined(self, report: Opened) -> bytes:
        key = report.fsid + report.handle
        folder = self.folders.get(key)
        if folder is None:
            folder = self._folder(report)
            if len(self.folders) >= _MAX_FOLDERS:
                self.folders.clear()
            self.folders[key] = folder
        if report.name in (b"", b"."):
            return folder
        return folder.rstrip(b"/") + b"/" + report.name if folder else report.name

    def _folder(self, report: Opened) -> bytes:
        for root in self._roots.get(report.fsid, ()):
            with suppress(OSError):
                return fanotify.folder_path(root.path, report.handle, root.prefix)
        return b""


def _alive(path: bytes) -> bytes:
    """/proc adds this to the name of a file that has been removed since."""
    return path.removesuffix(b" (deleted)")
