"""What a path that does not begin with / is relative to: the folder that its process works in, or one that it had opened.

The first is told by FOLDERS facts, from /proc, at the start and after each chdir; a fact that is older than the latest
chdir says nothing. The second is the file of an open that returned that descriptor, which nothing may have replaced since.
A child begins with its parent's. Folders are called as they were when somebody looked; what a loss hides is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from ftracepy.analysis.tasks import CLONE_THREAD, Tasks
from ftracepy.analysis.walk import Handler, Machine, number, to_ns
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.values import dataclass, field

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.analysis.calls import Call

_CHANGES = ("chdir", "fchdir")
_REPLACES = ("dup", "dup2", "dup3", "fcntl")  # what makes descriptors that no open returned
SHARES_FS = 0x200  # CLONE_FS, include/uapi/linux/sched.h
_AT_FDCWD = 0xFFFFFF9C
_FROM_CWD = ("open", "creat")
_U32 = 0xFFFFFFFF
_KEPT = 8  # changes of one process: rows lag a second behind the events at most
_MOST = 1 << 16
_GENERATIONS = 64


@dataclass(slots=True)
class _Process:
    """Times are nanoseconds as shown. `folders`: from when on, and where (None: not told); `files`: when opened, and which."""

    parent: int | None = None
    born_ns: int = 0
    folders: list[tuple[int, str | None]] = field(default_factory=list)
    files: dict[int, tuple[int, str]] = field(default_factory=dict)
    replaced: dict[int, int] = field(default_factory=dict)


class Folders(Machine):
    """Follows the events; what `rooted` asks for is answered of moments up to some changes ago."""

    def __init__(self, schema: Schema, tasks: Tasks) -> None:
        self._tasks, self._ns = tasks, to_ns(schema.time)
        self._processes: dict[int, _Process] = {}

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        found: dict[int, Handler] = {}
        for names, handler in ((_CHANGES, self._changed), (_REPLACES, self._replaced)):
            found |= {one.id: handler for name in names if (one := schema.event("syscalls", f"sys_exit_{name}"))}
        if one := schema.event("task", "task_newtask"):
            found[one.id] = self._born
        return found

    def _of(self, pid: int) -> _Process:
        if len(self._processes) > _MOST:
            self._processes.clear()
        return self._processes.setdefault(pid, _Process())

    def _pid(self, event: Event) -> int:
        return self._tasks.get(event.pid).tgid

    def _changed(self, event: Event) -> None:
        if number(event, "ret", -1) == 0:
            self._goes(self._of(self._pid(event)), self._ns(event.ts), None)

    def _goes(self, process: _Process, when: int, folder: str | None) -> None:
        process.folders.append((when, folder))
        if len(process.folders) > _KEPT:
            del process.folders[0]
            process.parent = None

    def _replaced(self, event: Event) -> None:
        if (fd := number(event, "ret", -1)) >= 0:
            self._of(self._pid(event)).replaced[fd] = self._ns(event.ts)

    def _born(self, event: Event) -> None:
        flags = number(event, "clone_flags")
        if flags & CLONE_THREAD:
            return
        pid, parent, when = number(event, "pid"), self._pid(event), self._ns(event.ts)
        if flags & SHARES_FS:  # either may take the other along, unseen
            self._goes(self._of(parent), when, None)
            parent = -1
        self._processes[pid] = _Process(parent, when)

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is not Kind.FOLDERS:
            return
        when = self._ns(fact.when_ns)
        for line in fact.body.split(b"\0"):
            tid, _, folder = line.partition(b" ")
            if tid.isdigit():
                self._told(self._of(self._tasks.get(int(tid)).tgid), when, folder.decode("utf-8", "backslashreplace"))

    def _told(self, process: _Process, when: int, folder: str) -> None:
        since, known = process.folders[-1] if process.folders else (0, None)
        if not process.folders:
            process.folders.append((when, folder))
        elif known is None and since < when:
            process.folders[-1] = since, folder

    def lost(self) -> None:
        self._processes.clear()

    doubt = lost

    def rooted(self, calls: Iterable[Call]) -> Iterator[tuple[Call, str | None]]:
        """Each open with its path from / on, as far as it can be told; calls come in the order they ended."""
        for call in calls:
            path = call.text("filename").value
            if path is not None and not path.startswith("/"):
                base = self._base(call)
                path = path if base is None else f"{base.rstrip('/')}/{path}"
            if call.ret is not None and call.ret >= 0:
                files = self._of(call.pid).files
                files.pop(call.ret, None)
                if path is not None and path.startswith("/") and len(files) < _MOST:
                    files[call.ret] = call.end_ns, path
            yield call, path

    def _base(self, call: Call) -> str | None:
        """Of an open through io_uring nobody tells the descriptor that it is relative to."""
        dfd = call.args.get("dfd", _AT_FDCWD if call.name in _FROM_CWD else None)
        if not isinstance(dfd, int):
            return None
        if dfd & _U32 == _AT_FDCWD:
            return self._folder(call.pid, call.start_ns)
        return self._file(call.pid, dfd & _U32, call.start_ns)

    def _lineage(self, pid: int, when: int) -> Iterator[tuple[_Process, int]]:
        """The process and those it comes from, each with the moment up to which what it did matters."""
        for _ in range(_GENERATIONS):
            process = self._processes.get(pid)
            if process is None:
                return
            yield process, when
            if process.parent is None:
                return
            pid, when = process.parent, process.born_ns

    def _folder(self, pid: int, when: int) -> str | None:
        for process, until in self._lineage(pid, when):
            if before := [folder for since, folder in process.folders if since <= until]:
                return before[-1]
        return None

    def _file(self, pid: int, fd: int, when: int) -> str | None:
        for process, until in self._lineage(pid, when):
            opened, path = process.files.get(fd, (-1, ""))
            replaced = process.replaced.get(fd, -1)
            if max(opened, replaced) >= 0:
                return path if replaced < opened <= until else None
        return None
