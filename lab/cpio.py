"""Archives that the kernel unpacks as its first root file system: cpio, "newc" (driver-api/early-userspace/buffer-format)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_MODE_OF_PARENTS = stat.S_IFDIR | 0o755


class Writer:
    """Everything belongs to root, whoever packs it. Several archives one behind the other make one file system."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._number, self._made = out, 0, {""}

    def tree(self, folder: Path, at: str = "", keep: Callable[[str], bool] = lambda name: True) -> None:
        """All of `folder` below `at`; `keep` is asked with each path relative to the folder."""
        for path in _walk(folder, keep):
            name = path.relative_to(folder).as_posix()
            self.path(path, f"{at}/{name}" if at else name)

    def path(self, path: Path, name: str) -> None:
        """One file, link or folder under `name`."""
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            self._entry(name, found.st_mode, os.fsencode(os.readlink(path)), int(found.st_mtime))
        elif stat.S_ISREG(found.st_mode):
            self._entry(name, found.st_mode, path.read_bytes(), int(found.st_mtime))
        elif stat.S_ISDIR(found.st_mode):
            self._entry(name, _MODE_OF_PARENTS | found.st_mode & 0o1777, b"", 0)

    def text(self, name: str, text: str, mode: int = 0o644) -> None:
        """A file that exists nowhere else."""
        self._entry(name, stat.S_IFREG | mode, text.encode(), 0)

    def link(self, name: str, target: str) -> None:
        self._entry(name, stat.S_IFLNK | 0o777, target.encode(), 0)

    def device(self, name: str, mode: int, major: int, minor: int) -> None:
        """A character device: the kernel opens /dev/console before anything is mounted."""
        self._entry(name, stat.S_IFCHR | mode, b"", 0, (major, minor))

    def close(self) -> None:
        """The trailer; zeros up to a multiple of 512 so that another archive may follow."""
        self._record("TRAILER!!!", 0, b"", 0, (0, 0))
        self._out.write(bytes(-self._out.tell() % 512))

    def _entry(self, name: str, mode: int, data: bytes, mtime: int, device: tuple[int, int] = (0, 0)) -> None:
        if name in self._made:
            return
        parent = name.rpartition("/")[0]
        if parent not in self._made:
            self._entry(parent, _MODE_OF_PARENTS, b"", 0)
        if stat.S_ISDIR(mode):
            self._made.add(name)
        self._record(name, mode, data, mtime, device)

    def _record(self, name: str, mode: int, data: bytes, mtime: int, device: tuple[int, int]) -> None:
        self._number += 1
        raw = os.fsencode(name) + b"\0"
        numbers = (self._number, mode, 0, 0, 1, mtime, len(data), 0, 0, *device, len(raw), 0)
        head = b"070701" + b"".join(b"%08x" % number for number in numbers) + raw
        self._out.write(head + bytes(-len(head) % 4))
        self._out.write(data + bytes(-len(data) % 4))


def _walk(folder: Path, keep: Callable[[str], bool]) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        path = Path(entry.path)
        yield from _kept(path, folder, keep, entry.is_dir(follow_symlinks=False))


def _kept(path: Path, top: Path, keep: Callable[[str], bool], is_folder: bool) -> Iterator[Path]:
    if not keep(path.relative_to(top).as_posix()):
        return
    yield path
    if is_folder:
        for entry in sorted(os.scandir(path), key=lambda one: one.name):
            yield from _kept(Path(entry.path), top, keep, entry.is_dir(follow_symlinks=False))
