"""The aide that tells paths of opened files: a thread that turns fanotify's reports into PATH facts."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError, KernelCannot, NotPermitted
from ftracepy.live.aides.crowd import Crowd
from ftracepy.live.aides.thread import AideThread
from ftracepy.live.aides.watch import Path, Watch
from ftracepy.live.plan import EVERYBODY, Mark, Scope, direct
from ftracepy.sidefacts import Kind, SideFact

if TYPE_CHECKING:
    from ftracepy.live.aides.relay import Relay, Round

NAME = "opens"
_BUSY_MS = 5
# Where opens come in a stream they are told together: at 2,000 a second each waking cost some 40 us. Otherwise at once, for a
# folder that is gone by then has no name any more.
_REST_MS, _STREAM, _STREAM_NS = 2, 16, 4_000_000
_RELAY_IDLE_MS = 500  # a round comes each 250 ms at the latest, be it an empty one: one waking instead of two
# Other mount namespaces cannot be polled; looking takes 2.5 ms where there are 120 processes.
_REMARK_NS, _REMARK_SHARE = 5_000_000_000, 2000
_REPEAT_NS = 1_000_000_000
_MAX_KNOWN = 1 << 14
_CROWDED = (
    "others open thousands of files a second, and fanotify reports those too: it is left off while that lasts (tried again after "
    "growing pauses); paths of opens meanwhile are what the caller passed (~), or unknown (?)"
)


class OpensAide(AideThread):
    """Aide: PATH facts of successful opens, program starts left out. `scope` limits whose."""

    name = NAME

    def __init__(self, scope: Scope = EVERYBODY, *, own_too: bool = False) -> None:
        super().__init__(_BUSY_MS)
        self._scope = scope
        self._own_too = own_too
        self._watch = Watch(wants=self._in_scope)
        self._relay: Relay | None = None
        self._crowd = Crowd()
        self._left_out, self._said_so = 0, False
        self._reached = self._remark_at = self._repeated = 0
        self._known: dict[int, bool] = {}
        self._own: dict[int, bool] = {}  # asked since the reports are read
        self._told_at_once = self._streak = self._found_at = 0

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
            self.begin(mark, self._begin_relay(stack), stack, urgent=[self._mountinfo])

    def _begin_relay(self, stack: ExitStack) -> list[int]:
        """Which files tell that there is something to report."""
        from ftracepy import _fastparse

        if _fastparse.IMPLEMENTATION != "c":
            return self._watch.fds
        from ftracepy.live.aides.relay import Relay

        self._relay = Relay(self._watch.by_handle, self._watch.by_fd, self._scope)
        stack.callback(self._relay.close)
        self._relay.start()
        return [self._relay.fd]

    def reached(self, before: int) -> int:
        return self._reached if self._relay else before

    def is_silent(self) -> bool:
        return self._crowd.is_left

    def rest_ms(self, now: int) -> int:
        self._streak = self._streak + 1 if now - self._found_at < _STREAM_NS else 0
        self._found_at = now
        return _REST_MS if self._relay and self._relay.is_drained and self._streak >= _STREAM else 0

    def idle_ms(self) -> int:
        return _RELAY_IDLE_MS if self._relay else super().idle_ms()

    def asked_for_more(self) -> None:
        if self._relay:
            self._relay.ask()

    def noticed(self, ready: Collection[int], now: int) -> None:
        if self._crowd.is_left:
            if self._crowd.is_due(now):
                self._tell_again()
            elif now - self._repeated >= _REPEAT_NS:  # where the word was lost, opens would wait for their paths all the while
                self._repeated = now
                self._mark(self._silence)
        elif self._mountinfo in ready or now >= self._remark_at:
            self._mark_new()

    def _mark_new(self) -> int:
        """Watch what is mounted by now; the time since when that is so."""
        began = time.monotonic_ns()
        self._watch.mark_new()
        self._known.clear()
        ended = time.monotonic_ns()
        self._remark_at = ended + max(_REMARK_NS, (ended - began) * _REMARK_SHARE)
        return ended

    def report(self) -> bool:
        self._own.clear()
        if self._relay is None:
            before = time.monotonic_ns()
            told = self._tell(self._watch.read(), before, time.monotonic_ns())
            self._look_around(0, before)
            return told
        told, self._told_at_once = False, 0
        for one in self._rounds(self._relay):
            told |= self._tell(self._watch.relayed(one.reads), one.before, one.after)
            self._look_around(one.left_out, one.after)
        return told or self._told_at_once > 0

    def _tell_at_once(self, data: bytes, at: int) -> int:
        """Rounds of files opened in known folders by known threads; where the first one is that is something else."""
        from ftracepy._fastparse import _core

        if self._scope != EVERYBODY or (fd := direct(self._mark)) < 0:
            return at
        at, self._reached, told = _core.tell_rounds(data, at, fd, self._watch.folders, self._own, self._reached)
        self._told_at_once += told
        return at

    def _look_around(self, left_out: int, now: int) -> None:
        """Where only some are asked for and others open too much, stop being told: everybody pays for each report."""
        left_out, self._left_out = left_out + self._left_out, 0
        if self._crowd.is_too_much(left_out, now):
            self._watch.unmark()
            self._crowd.leave(now)
            self._silence, self._repeated = SideFact(Kind.SILENT, 0, self._reached, NAME.encode()), now
            self._mark(SideFact(Kind.CAUGHT_UP, 0, self._reached, NAME.encode()))
            self._mark(self._silence)
            if not self._said_so:
                self._mark(_notice(_CROWDED))
                self._said_so = True

    def _tell_again(self) -> None:
        """Opens that begin from here on are told."""
        now = self._mark_new()
        self._crowd.come_back(now)
        self._mark(SideFact(Kind.TELLS, 0, now, NAME.encode()))

    def _rounds(self, relay: Relay) -> Iterator[Round]:
        """Those there are, or the first of many; at the end of the run all until the last."""
        while True:
            if stopping := self._stopping:
                relay.end()
            for one in relay.rounds(self._tell_at_once):
                if one is None:
                    self._without_relay(relay)
                    return
                yield one
            if not stopping:
                return
            if relay.is_drained:
                select.select([relay.fd], [], [], 1)

    def _without_relay(self, relay: Relay) -> None:
        """It has ended: where nobody asked for that, for want of memory, the queues are read here."""
        if not self._stopping:
            self._relay = None
            self._poll.unregister(relay.fd)

    def _tell(self, paths: list[Path], before: int, after: int) -> bool:
        """Write the facts of a round; one thread's facts with equal times are those whose order is not known."""
        told = False
        if self._crowd.is_left:
            self._reached = before
            return False
        since = b"\0%d" % self._reached if self._reached else b""
        for at, path in enumerate(paths):
            if path.tid < 0:
                self._mark(_notice("fanotify's queue overflowed: paths of opens are missing here"))
            elif not self._is_own(path.tid):
                self._mark(SideFact(Kind.PATH, path.tid, after + at if path.ordered else after, path.path + since))
                told = True
        self._reached = before
        return told

    def _is_own(self, tid: int) -> bool:
        """Asked without opening a file, which would be reported in its turn, and so on without end."""
        if tid not in self._own:
            self._own[tid] = not self._own_too and os.path.exists(f"/proc/self/task/{tid}")
        return self._own[tid]

    def _in_scope(self, tid: int) -> bool:
        wanted = self._belongs(tid)
        self._left_out += not wanted
        return wanted

    def _belongs(self, tid: int) -> bool:
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
