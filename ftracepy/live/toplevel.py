"""The top-level buffer in the place of an instance, for the one tracer that older kernels have only there.

It belongs to everybody: so it is taken only while nobody uses it, one run of ours at a time, with every setting noted in
the journal before it is touched, and given back as it was, its buffer empty.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ftracepy.errors import FtracepyError
from ftracepy.live.borrowed import in_use
from ftracepy.live.instance import OPTIONS, Instance
from ftracepy.live.owner import FIRST_PID_NS, pid_namespace
from ftracepy.live.ways.verdicts import state_dir
from ftracepy.probes import Tracepoint
from ftracepy.tracefs import buffer, events, files, functions, pids, stats

_LISTS = (
    functions.ONLY, functions.WITHOUT, functions.ROOTS, functions.NOT_ROOTS, functions.PIDS, functions.NOT_PIDS,
    pids.ONLY, pids.NOT,
)  # fmt: skip


class TopLevel(Instance):
    """Like an Instance, at the root of tracefs. Entering raises FtracepyError where somebody uses it."""

    def _make(self) -> None:
        self.path: Path = self.tracefs.root
        self._lock()
        if (who := next(in_use_by(self.path), None)) is not None:
            raise who
        self._journal.note("buffer", "trace")
        self.undo_by(lambda: files.truncate(self.path / "trace"))
        self.borrowed.setting("tracing_on", "1")
        self._choose_clock()
        for name, on in OPTIONS.items():
            if (self.path / "options" / name).exists():
                self.borrowed.setting(f"options/{name}", str(int(on)))
        if (self.path / "buffer_percent").exists():
            self.borrowed.setting("buffer_percent", str(self._wakeup_percent))
        if self.buffer_kb is not None and buffer.size_kb(self.path) is not None:
            self.borrowed.setting("buffer_size_kb", str(self.buffer_kb))
        self._open_marker()

    def _lock(self) -> None:
        """Between runs of ours; the kernel drops it with the process."""
        with suppress(OSError):
            state_dir().mkdir(mode=0o755, parents=True, exist_ok=True)
            fd = os.open(state_dir() / "top-level.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._stack.callback(os.close, fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FtracepyError("another run of ftracepy has the top-level trace buffer", hint="wait for its end") from None

    def _set_clock(self, name: str) -> None:
        self.borrowed.setting("trace_clock", name)

    def enable(self, tracepoint: Tracepoint) -> None:
        folder = f"events/{tracepoint.system}/{tracepoint.name}"
        if tracepoint.filter:
            self.undo_by(lambda: events.set_filter(self.path, tracepoint.system, tracepoint.name, ""))
            self.set_filter(tracepoint)
        self._enabled[tracepoint.system, tracepoint.name] = None
        self.borrowed.setting(f"{folder}/enable", "1")

    def only(self, tids: Iterable[int], *, follow_forks: bool = True) -> None:
        self._require_first_namespace()
        if follow_forks:
            self.borrowed.setting("options/event-fork", "1")
        chosen = list(tids)
        self.borrowed.list(pids.ONLY, [str(tid) for tid in chosen], lambda: pids.add_only(self.path, chosen))

    def leave_out_own(self) -> None:
        """Once: lists are borrowed empty."""
        if pid_namespace() != FIRST_PID_NS or self._left_out or not (self.path / pids.NOT).exists():
            return
        own = {int(name) for name in os.listdir("/proc/self/task")}
        self.borrowed.list(pids.NOT, [str(tid) for tid in sorted(own)], lambda: pids.add_not(self.path, sorted(own)))
        self._left_out |= own

    def set_setting(self, name: str, text: str) -> None:
        self.borrowed.setting(name, text)

    def stop_recording(self) -> None:
        self.borrowed.setting("tracing_on", "0")


def in_use_by(root: Path) -> Iterator[FtracepyError]:
    """Every sign that somebody uses the top-level buffer."""
    if (tracer := functions.tracer(root)) != functions.NO_TRACER:
        yield in_use("current_tracer", tracer)
    for name in events.enabled(root)[:1]:
        yield in_use("set_event", name)
    for name in _LISTS:
        if there := functions.listed(root, name):
            yield in_use(name, there[0])
    if any(one.entries for one in stats.read_all(root)):
        yield in_use("trace", "not empty")
    if there := functions.holders(root):
        yield FtracepyError("somebody else uses the top-level trace buffer", why=f"open in {', '.join(there)}")
