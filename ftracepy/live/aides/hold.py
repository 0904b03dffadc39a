"""Keeps probed files mapped, as a program would have them, so that the kernel looks at each place when its probe is enabled.

It prepares a breakpoint only where a file is mapped (kernel/events/uprobes.c, install_breakpoint): without this an
instruction that it cannot take would be refused silently, later, whenever a program starts.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Sequence

from ftracepy.live.plan import Mark
from ftracepy.sidefacts import Kind, SideFact


class Hold:
    """Aide without a thread: maps the files, privately, to read and run, until it is stopped."""

    name = "hold"

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._maps: list[mmap.mmap] = []

    def start(self, mark: Mark) -> None:
        for path in self._paths:
            try:
                self._maps.append(_mapped(path))
            except OSError as error:
                if error.errno in (errno.EPERM, errno.EACCES):
                    text = f"{path} cannot be mapped to run (its file system is mounted noexec?): its probes cannot be hit"
                    mark(SideFact(Kind.NOTICE, 0, 0, text.encode(errors="surrogateescape")))

    def catch_up(self) -> None:
        """There is nothing to tell."""

    def stop(self) -> None:
        while self._maps:
            self._maps.pop().close()


def _mapped(path: str) -> mmap.mmap:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
    finally:
        os.close(fd)
