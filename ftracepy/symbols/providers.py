"""Which files have USDT probes: looked for where programs and libraries are found, without reading more than their headers."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from ftracepy.symbols import ldcache, targets

_WANTED = b".note.stapsdt\0"
_MAX_NAMES_BYTES = 1 << 20


def candidates(provider: str, pid: int | None = None) -> list[str]:
    """Paths of files that may hold the provider's probes: those of a process, or those of running programs and of the loader."""
    found = [reached for reached in dict.fromkeys(_paths(provider, pid)) if has_probes(reached)]
    by_file: dict[tuple[int, int], str] = {}
    for path in found:
        status = os.stat(path)
        by_file.setdefault((status.st_dev, status.st_ino), path)
    return list(by_file.values())


def _paths(provider: str, pid: int | None) -> Iterator[str]:
    if pid is not None:
        root = targets.root_of(pid)
        for path, link in targets.mappings(pid):
            reached = path if root == "/" else root + path
            yield reached if os.path.exists(reached) else link
        return
    yield from _programs(provider)
    for one in ldcache.libraries():
        yield os.path.realpath(one.path)
    for name in os.listdir("/proc"):
        if name.isdigit():
            own = targets.mappings(int(name)) if _is_ours(int(name)) else []
            yield from (path for path, _link in own)


def _programs(provider: str) -> Iterator[str]:
    """Programs in $PATH whose names begin like the provider's: python3.11, postgres."""
    for folder in os.get_exec_path():
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        yield from (os.path.realpath(os.path.join(folder, name)) for name in names if name.startswith(provider.strip("*?")))


def _is_ours(pid: int) -> bool:
    """Whether it sees our file tree; what others see is probed with their -p."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except OSError:
        return False


def has_probes(path: str) -> bool:
    """Whether a file has the section that holds USDT notes; False for what cannot be read."""
    try:
        with open(path, "rb") as file:
            return _names_hold(file.fileno())
    except (OSError, struct.error, OverflowError):
        return False


def _names_hold(fd: int) -> bool:
    head = os.pread(fd, 64, 0)
    if len(head) < 64 or head[:4] != b"\x7fELF":
        return False
    order, is_64 = "<" if head[5] == 1 else ">", head[4] == 2
    table = struct.unpack_from(order + ("Q" if is_64 else "I"), head, 40 if is_64 else 32)[0]
    size, _count, names = struct.unpack_from(order + "HHH", head, 58 if is_64 else 46)
    section = os.pread(fd, size, table + size * names)
    at, length = struct.unpack_from(order + ("QQ" if is_64 else "II"), section, 24 if is_64 else 16)
    return _WANTED in os.pread(fd, min(length, _MAX_NAMES_BYTES), at)
