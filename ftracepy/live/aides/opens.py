"""The aide that tells paths of opened files: a thread that turns fanotify's reports into PATH facts."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import ExitStack

from ftracepy.errors import FtracepyError, KernelCannot, NotPermitted
from ftracepy.live.aides.thread import AideThread
from ftracepy.live.aides.watch import Path, Watch
from ftracepy.live.plan import EVERYBODY, Mark, Scope
from ftracepy.sidefacts import Kind, SideFact

NAME = "opens"
_BUSY_MS = 5
_REMARK_NS = 5_000_000_000  # other mount namespaces cannot be polled
_MAX_KNOWN = 1 << 14


class OpensAide(AideThread):
    """Aide: PATH facts of successful opens, program starts left out. `scope` limits whose."""

    name = NAME

    def __init__(self, scope: Scope = EVERYBODY, *, own_too: bool = False) -> None:
        super().__init__(_BUSY_MS)
        self._scope = scope
        self._own_too = own_too
        self._watch = Watch(wants=self._in_scope)
        self._remarked = 0
        self._known: dict[int, bool] = {}

    def start(self, mark: Mark) -> None:
        try:
            self._watch.open()
        except OSError as error:
            self._watch.close()
            raise refused(error) from None
        with ExitStack() as stack:
            stack.callback(self._watch.close)
            self._mountinfo = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, self._mountinfo)
            if self._watch.unwatched:
                names = ", ".join(self._watch.unwatched)
                mark(_notice(f"opens on these file systems are not reported by fanotify: {names}"))
            self.begin(mark, self._watch.fds, stack, urgent=[self._mountinfo])

    def noticed(self, ready: Collection[int], now: int) -> None:
        if self._mountinfo in ready or now - self._remarked >= _REMARK_NS:
            self._watch.mark_new()
            self._known.clear()
            self._remarked = now

    def report(self) -> bool:
        return self._tell(self._watch.read())

    def _tell(self, paths: list[Path]) -> bool:
        """Write the facts; one thread's facts with equal times are those whose order is not known."""
        now = time.monotonic_ns()
        own = set() if self._own_too else set(filter(_is_own, {path.tid for path in paths}))
        told = False
        for at, path in enumerate(paths):
            if path.tid < 0:
                self._mark(_notice("fanotify's queue overflowed: paths of opens are missing here"))
            elif path.tid not in own:
                self._mark(SideFact(Kind.PATH, path.tid, now + at if path.ordered else now, path.path))
                told = True
        return told

    def _in_scope(self, tid: int) -> bool:
        if self._scope.tid is not None:
            return tid == self._scope.tid
        if self._scope.pid is None:
            return True
        if tid not in self._known:
            if len(self._known) > _MAX_KNOWN:
                self._known.clear()
            here = os.path.exists(f"/proc/{self._scope.pid}/task/{tid}")
            self._known[tid] = here or not os.path.exists(f"/proc/{tid}")
        return self._known[tid]


def _is_own(tid: int) -> bool:
    """Asked without opening a file, which would be reported in its turn, and so on without end."""
    return os.path.exists(f"/proc/self/task/{tid}")


def _notice(text: str) -> SideFact:
    return SideFact(Kind.NOTICE, 0, time.monotonic_ns(), text.encode(errors="surrogateescape"))


def refused(error: OSError) -> FtracepyError:
    import errno

    name = errno.errorcode.get(error.errno or 0, str(error.errno))
    what, wrote = "cannot watch opens with fanotify", f"fanotify_init ({name})"
    if error.errno in (errno.EPERM, errno.EACCES):
        why = "it needs CAP_SYS_ADMIN in the first user namespace"
        return NotPermitted(what, kernel=error.strerror or "", wrote=wrote, why=why)
    return KernelCannot(what, kernel=error.strerror or "", wrote=wrote, hint="a kernel with CONFIG_FANOTIFY=y (4.20 or newer)")
