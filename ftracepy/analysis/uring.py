"""Opens made through io_uring, where no system call says so: submitted, done there and then or by a worker thread, completed.

A completion names its request by ring and user data, which the program chooses: of two requests that are under way with
the same ones, the first submitted is taken. The name comes from the kernel's own copy (our probe `path_kernel`), hit by
the thread that does the open: the submitter, right after it submitted, or a worker, which then completes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ftracepy.analysis.calls import OPENS, Calls, Text
from ftracepy.analysis.pairing import Entry
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, number, own_probes, text
from ftracepy.schema import Schema

if TYPE_CHECKING:
    from ftracepy._fastparse import Event

SYSTEM = "io_uring"
SUBMITS, COMPLETE = ("io_uring_submit_req", "io_uring_submit_sqe"), "io_uring_complete"  # _sqe until 6.2
OPCODES = {18: "openat", 28: "openat2"}  # include/uapi/linux/io_uring.h
_MOST_OPEN = 4096  # requests whose completion never came, threads whose opens were none of io_uring's
_Found = tuple[Text, int | None]  # the name, and the flags


class UringOpens(Machine):
    """Gives `calls` the opens of io_uring as calls by the submitting task, with a note "io_uring"."""

    def __init__(self, calls: Calls, tasks: Tasks) -> None:
        self._calls, self._tasks = calls, tasks
        self._open: dict[tuple[int, int], deque[Entry]] = {}
        self._submitted: dict[int, Entry] = {}  # by thread, the latest
        self._hits: dict[int, tuple[int, _Found]] = {}  # by worker thread, when and what it opened last

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        wanted: dict[tuple[str, str], Callable[[Event], None]] = {(SYSTEM, name): self._submit for name in SUBMITS}
        wanted[SYSTEM, COMPLETE] = self._complete
        known = schema.by_name()
        found = {known[key].id: handler for key, handler in wanted.items() if key in known}
        return found | dict.fromkeys(own_probes(schema, "path_kernel"), self._path)

    def _submit(self, event: Event) -> None:
        name = OPCODES.get(number(event, "opcode"))
        self._submitted.pop(event.pid, None)
        if name is None or event.pid in self._tasks.own:
            return
        task = self._tasks.get(event.pid)
        entry = Entry(event.pid, task.tgid, task.comm, -1, name, event.ts, {}, notes=[(SYSTEM, {})])
        if len(self._open) > _MOST_OPEN:
            self._open.clear()
        self._open.setdefault(_request(event), deque()).append(entry)
        self._submitted[event.pid] = entry

    def _path(self, event: Event) -> None:
        """Of a thread that is in an open of its own this is no news."""
        inside = self._calls.pairing.open.get(event.pid)
        if inside is not None and inside.name in OPENS:
            return
        flags = event.get("flags")
        found = Text(text(event, "path"), "kernel-copy"), flags if isinstance(flags, int) else None
        if (entry := self._submitted.get(event.pid)) is None:
            if len(self._hits) > _MOST_OPEN:
                self._hits.clear()
            self._hits[event.pid] = event.ts, found
        elif "path" not in entry.texts:
            _take(entry, found)

    def _complete(self, event: Event) -> None:
        key = _request(event)
        if not (waiting := self._open.get(key)):
            return
        entry = waiting.popleft()
        if not waiting:
            del self._open[key]
        self._submitted.pop(entry.tid, None)
        at, found = self._hits.pop(event.pid, (-1, None))
        if found is not None and at >= entry.start:
            _take(entry, found)
        ret = number(event, "res")
        entry.tid = event.pid if ret >= 0 else entry.tid  # whom fanotify names
        self._calls.made_elsewhere(entry, ret, event.ts)

    def lost(self) -> None:
        self._open.clear()
        self._submitted.clear()
        self._hits.clear()


def _request(event: Event) -> tuple[int, int]:
    return number(event, "ctx"), number(event, "user_data")


def _take(entry: Entry, found: _Found) -> None:
    entry.texts["path"] = found[0]
    if found[1] is not None:
        entry.args = {"flags": found[1]}
