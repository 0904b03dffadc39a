"""The C libraries and loaders whose code makes the system calls of dynamically linked programs, in every root there is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ftracepy.values import dataclass

_NAME = re.compile(r"/(?:libc[.-][^/]*so[^/]*|ld-[^/]*\.so[^/]*|ld[.-][^/]*so\.[12]|libc\.musl-[^/]*)$")
_GLOBS = ("lib*/ld-linux*.so.[123]", "lib*/ld-musl-*.so.1", "lib*/libc.so.6", "lib/*-linux-*/libc.so.6",
          "lib/*-linux-*/ld-linux*.so.[123]", "usr/lib*/ld-linux*.so.[123]", "usr/lib*/libc.so.6")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Library:
    """One file; `key` changes when its content may have."""

    path: str
    key: str


def found(proc: Path = Path("/proc"), root: Path = Path("/")) -> list[Library]:
    """Each library file once: those at their usual places, then those that running programs have mapped."""
    by_key: dict[str, Library] = {}
    for path in (*_usual(root), *_mapped(proc)):
        try:
            stat = os.stat(path)
        except OSError:
            continue
        key = f"{stat.st_dev}:{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}"
        if " " not in path and ":" not in path:  # the kernel's probe syntax cannot name it otherwise
            by_key.setdefault(key, Library(path, key))
    return list(by_key.values())


def _usual(root: Path) -> Iterator[str]:
    for pattern in _GLOBS:
        for path in sorted(root.glob(pattern)):
            yield os.path.realpath(path)


def _mapped(proc: Path) -> Iterator[str]:
    """Paths in /proc/PID/maps, taken through that process's root where it has one of its own."""
    seen: set[tuple[str, str]] = set()
    for pid in (name for name in os.listdir(proc) if name.isdigit()):
        try:
            maps = (proc / pid / "maps").read_text(errors="replace")
        except OSError:
            continue
        for line in maps.splitlines():
            if "/l" in line and " r-xp " in line and _NAME.search(line):
                fields = line.split(None, 5)
                if (fields[3], fields[4]) not in seen:
                    seen.add((fields[3], fields[4]))
                    yield _reachable(proc, pid, fields[5])


def _reachable(proc: Path, pid: str, path: str) -> str:
    try:
        own = os.path.samefile(proc / pid / "root", "/") and os.path.exists(path)
    except OSError:
        own = True
    return path if own else f"{proc}/{pid}/root{path}"
