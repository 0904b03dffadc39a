"""The aide that tells paths of opened files: a thread that turns fanotify's reports into PATH facts.

CAUGHT_UP is written when both queues were found empty, with the time taken before looking: every 5 ms at most
while files are opened, and every 100 ms anyway, for an open that fanotify does not report (a device on an unwatched file
system, O_PATH) has nobody else to end the wait for its path.
"""

from __future__ import annotations

import os
import select
import threading
import time

from ftracepy.errors import FtracepyError, KernelCannot, NotPermitted
from ftracepy.live.aides.watch import Path, Watch
from ftracepy.live.plan import EVERYBODY, Mark, Scope
from ftracepy.sidefacts import Kind, SideFact

NAME = "opens"
_BUSY_MS, _IDLE_MS = 5, 100
_REMARK_NS = 5_000_000_000  # other mount namespaces cannot be polled
_WAIT_S = 2.0
_MAX_KNOWN = 1 << 14


class OpensAide:
    """Aide: PATH facts of successful opens, program starts left out. `scope` limits whose."""

    name = NAME

    def __init__(self, scope: Scope = EVERYBODY, *, own_too: bool = False) -> None:
        self._scope = scope
        self._own_too = own_too
        self._watch = Watch()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._asked, self._caught = 0, threading.Condition()
        self._done = 0
        self._known: dict[int, bool] = {}

    def start(self, mark: Mark) -> None:
        try:
            self._watch.open()
        except OSError as error:
            self._watch.close()
            raise refused(error) from None
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._mountinfo = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._mark = mark
        if self._watch.unwatched:
            self._notice(f"opens on these file systems are not reported by fanotify: {', '.join(self._watch.unwatched)}")
        self._thread = threading.Thread(target=self._run, name="aide-opens", daemon=True)
        self._thread.start()

    def catch_up(self) -> None:
        with self._caught:
            self._asked += 1
            asked = self._asked
            self._wake()
            self._caught.wait_for(lambda: self._done >= asked or not self._alive(), timeout=_WAIT_S)

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping = True
        self._wake()
        thread.join()
        self._watch.close()
        for fd in (self._wake_read, self._wake_write, self._mountinfo):
            os.close(fd)

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            return

    def _run(self) -> None:
        poll = select.poll()
        for fd in (*self._watch.fds, self._wake_read):
            poll.register(fd, select.POLLIN)
        poll.register(self._mountinfo, select.POLLPRI)
        told = remarked = 0
        while True:
            stopping, asked = self._stopping, self._asked
            before = time.monotonic_ns()
            busy = self._report(self._watch.read())
            if stopping or asked > self._done or before - told >= (_BUSY_MS if busy else _IDLE_MS) * 1_000_000:
                self._tell_caught_up(before, asked)
                told = before
            if stopping:
                return
            ready = {fd for fd, _ in poll.poll(_BUSY_MS if busy else _IDLE_MS)}
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
            if self._mountinfo in ready or before - remarked >= _REMARK_NS:
                self._watch.mark_new()
                self._known.clear()
                remarked = before

    def _tell_caught_up(self, before: int, asked: int) -> None:
        self._mark(SideFact(Kind.CAUGHT_UP, 0, before, NAME.encode()))
        with self._caught:
            self._done = asked
            self._caught.notify_all()

    def _report(self, paths: list[Path]) -> bool:
        """Write the facts; one thread's facts with equal times are those whose order is not known."""
        now = time.monotonic_ns()
        own = set() if self._own_too or not paths else {int(name) for name in os.listdir("/proc/self/task")}
        told = False
        for at, path in enumerate(paths):
            if path.tid < 0:
                self._notice("fanotify's queue overflowed: paths of opens are missing here")
            elif path.tid not in own and self._in_scope(path.tid):
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

    def _notice(self, text: str) -> None:
        self._mark(SideFact(Kind.NOTICE, 0, time.monotonic_ns(), text.encode(errors="surrogateescape")))


def refused(error: OSError) -> FtracepyError:
    import errno

    name = errno.errorcode.get(error.errno or 0, str(error.errno))
    what, wrote = "cannot watch opens with fanotify", f"fanotify_init ({name})"
    if error.errno in (errno.EPERM, errno.EACCES):
        why = "it needs CAP_SYS_ADMIN in the first user namespace"
        return NotPermitted(what, kernel=error.strerror or "", wrote=wrote, why=why)
    return KernelCannot(what, kernel=error.strerror or "", wrote=wrote, hint="a kernel with CONFIG_FANOTIFY=y (4.20 or newer)")
