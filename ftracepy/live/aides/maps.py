"""The aide that tells what the processes that hit user probes may run: where each file lies in their memory.

It watches the same places in an instance of its own, and so learns which threads hit them; a storm of hits overwrites
its small buffer, and costs it no more than the buffer holds. A process is looked at when it is first seen, after an exec,
and again while it keeps hitting, for it may load more.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack

from ftracepy.live.aides.thread import AideThread
from ftracepy.live.plan import EVERYBODY, Mark, ProbeDef, Scope
from ftracepy.probes import Tracepoint
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.symbols import targets, usercode
from ftracepy.tracefs import Tracefs

NAME = "maps"
_HIT = re.compile(rb"-(\d+)\s+\[\d+\] \S+\s+[\d.]+: (seen|sched_process_exec):", re.MULTILINE)
_BUFFER_KB, _BUSY_MS = 64, 20
_AGAIN_NS = 250_000_000
_MAX_KNOWN = 1 << 12


class MapsAide(AideThread):
    """Aide: MAPS facts of the processes that pass `places` ("PATH:0xOFFSET")."""

    name = NAME

    def __init__(self, tracefs: Tracefs, places: Sequence[str], scope: Scope = EVERYBODY) -> None:
        super().__init__(_BUSY_MS)
        self._tracefs, self._places, self._scope = tracefs, tuple(dict.fromkeys(places)), scope
        self._known: dict[int, tuple[int, bytes]] = {}  # by process: when it was looked at, and what was told
        self._leaders: dict[int, int] = {}
        self._ids: dict[tuple[str, str], str] = {}

    def start(self, mark: Mark) -> None:
        from ftracepy.live.instance import Instance

        with ExitStack() as stack:
            instance = stack.enter_context(Instance(self._tracefs, clock="local", buffer_kb=_BUFFER_KB))
            for place in self._places:
                instance.add_probe(ProbeDef("p", "seen", place))
            instance.enable(Tracepoint(instance.group, "seen"))
            instance.enable(Tracepoint("sched", "sched_process_exec"))
            self._pipe = os.open(instance.path / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, self._pipe)
            self._mark = mark
            if self._scope.pid is not None:
                self._tell(self._scope.pid, time.monotonic_ns())
            self.begin(mark, [self._pipe], stack)

    def report(self) -> bool:
        busy = False
        for text in self.pieces(self._pipe):
            busy = True
            self._look(text)
        return busy

    def _look(self, text: bytes) -> None:
        """Of each thread once for a piece of text: the buffer holds hundreds of hits."""
        hit: dict[int, bool] = {}
        for match in _HIT.finditer(text):
            tid, is_exec = int(match[1]), match[2] != b"seen"
            if is_exec:
                self._known.pop(tid, None)
            else:
                hit[tid] = True
        now = time.monotonic_ns()
        for tid in hit:
            pid = self._leader(tid)
            if self._scope.pid in (None, pid) and now - self._known.get(pid, (-_AGAIN_NS, b""))[0] >= _AGAIN_NS:
                self._tell(pid, now)

    def _leader(self, tid: int) -> int:
        if tid not in self._leaders:
            if len(self._leaders) > _MAX_KNOWN:
                self._leaders.clear()
            self._leaders[tid] = _leader_of(tid)
        return self._leaders[tid]

    def _tell(self, pid: int, now: int) -> None:
        body = self._maps(pid)
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        if body and self._known.get(pid, (0, b""))[1] != body:
            self._mark(SideFact(Kind.MAPS, pid, time.monotonic_ns(), body))
        self._known[pid] = now, body

    def _maps(self, pid: int) -> bytes:
        try:
            with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read().splitlines()
        except OSError:
            return b""
        prefix = targets.chroot_of(pid)
        found = [
            self._line(pid, fields, prefix) for line in lines if len(fields := line.split(None, 5)) == 6 and "x" in fields[1]
        ]
        return "\n".join(found).encode("utf-8", "surrogateescape")

    def _line(self, pid: int, fields: list[str], prefix: str) -> str:
        area, _, offset, device, inode, path = fields
        start, _, end = area.partition("-")
        name = targets.within(path, prefix)
        return f"{start} {end} {offset} {self._identity(pid, area, device, inode, path) or '-'} {name}"

    def _identity(self, pid: int, area: str, device: str, inode: str, path: str) -> str:
        """Only what was found is kept: a process that ended meanwhile says nothing of the next one's file."""
        if inode == "0":
            return ""
        if (known := self._ids.get((device, inode))) is not None:
            return known
        if len(self._ids) > _MAX_KNOWN:
            self._ids.clear()
        if found := _identity_of(pid, area) or _identity_here(path, device, inode):
            self._ids[device, inode] = found
        return found


def _leader_of(tid: int) -> int:
    try:
        with open(f"/proc/{tid}/status", "rb") as file:
            return next((int(line[5:]) for line in file if line.startswith(b"Tgid:")), tid)
    except (OSError, ValueError):
        return tid


def _identity_of(pid: int, area: str) -> str:
    """The link in map_files reaches the file in every mount namespace, and if it is deleted."""
    start, _, end = area.partition("-")
    return usercode.identity(f"/proc/{pid}/map_files/{int(start, 16):x}-{int(end, 16):x}")


def _identity_here(path: str, device: str, inode: str) -> str:
    """Of a process that has ended since its maps were read: by the path, if that is the same file here."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    is_same = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x} {status.st_ino}" == f"{device} {inode}"
    return usercode.identity(path) if is_same else ""
