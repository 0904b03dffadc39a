"""One run's own corner of tracefs: a private instance and a probe group of the same name, undone on the way out.

Each change is noted in the journal, its undoing registered, and only then is it made. The top-level buffer is
never touched (but see toplevel.py); its tracing_on does not matter to instances, whose ring buffers are separate.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType

from ftracepy.errors import FtracepyError
from ftracepy.live.borrowed import Borrowed
from ftracepy.live.first import First
from ftracepy.live.journal import Journal
from ftracepy.live.owner import FIRST_PID_NS, new_run_name, pid_namespace
from ftracepy.live.plan import ProbeDef
from ftracepy.live.room import AS_MADE, grown_kb
from ftracepy.live.undo import UndoStack
from ftracepy.probes import Tracepoint
from ftracepy.schematexts import FTRACE, SchemaTexts
from ftracepy.source import CpuStats
from ftracepy.tracefs import Tracefs, buffer, clock, cmdlines, events, files, instances, options, pids, probes, stats

# A new instance inherits the top level's options (kernel: trace.c, trace_array_create_systems): those that matter are set.
OPTIONS = {
    "overwrite": True,  # then a loss is flagged in the data; without, newest events vanish and only stats tell
    "markers": True,
    "event-fork": False,
    "function-fork": False,
    "stacktrace": False,
    "userstacktrace": False,
}
_UNDO_TRIES = 3


class Instance:
    """Own instance, own probe group. A context manager; everything it did is undone when it is left.

    `clock` is the trace clock asked for: "mono" falls back to the next of clock.IN_ORDER where this kernel
    lacks it (a notice says so), any other must be there. `buffer_kb` is for each CPU, as it is once it has been made where
    room.AS_MADE was asked for. `first` has begun it already.
    """

    def __init__(
        self,
        tracefs: Tracefs,
        *,
        clock: str = "mono",
        buffer_kb: int | None = None,
        wakeup_percent: int = 0,
        first: First | None = None,
    ) -> None:
        self.tracefs = tracefs
        self._first = first
        self.name = first.name if first else new_run_name()
        self.path: Path = tracefs.instance(self.name)
        self.clock = clock
        self.notices: list[str] = []
        self.buffer_kb = buffer_kb
        self._wakeup_percent = wakeup_percent
        self._stack = UndoStack()
        self._faults: list[FtracepyError] = []
        self._marker = -1
        self._enabled: dict[tuple[str, str], None] = {}
        self._probes: set[tuple[str, str]] = set()
        self._left_out: set[int] = set()
        self._read_texts: tuple[SchemaTexts, frozenset[tuple[str, str]]] | None = None

    @property
    def can_mark(self) -> bool:
        """Whether this kernel has trace_marker_raw."""
        return self._marker >= 0

    @property
    def marker_fd(self) -> int:
        """trace_marker_raw, for writing; -1 where there is none."""
        return self._marker

    @property
    def group(self) -> str:
        """The system of this run's own probe events."""
        return self.name

    def __enter__(self) -> Instance:
        try:
            self._journal = self._first_journal() if self._first else Journal.begin(self.name, self.tracefs.root)
            self._stack.callback(self._end_journal)
            self.borrowed = Borrowed(self.tracefs.root, self._journal, self.undo_by)
            self._make()
        except BaseException as error:
            self._stack.callback(self._close_strays, type(error))
            self._stack.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.callback(self._close_strays, kind)
        self._stack.close()
        if self._faults and kind is None:
            raise self._faults[0]

    def _close_strays(self, kind: type[BaseException] | None) -> None:
        """After an interrupt nobody in this process needs a file of the instance any more; else they are their owners'."""
        if kind is not None and not issubclass(kind, Exception):
            instances.close_strays(self.path, self._marker)

    def _first_journal(self) -> Journal:
        assert self._first
        self._first.taken = True
        return Journal(Path(self._first.journal), self._first.fd)

    def _make(self) -> None:
        if self._first:
            self._first.wait()
        else:
            self._journal.note("instance", self.name)
        self.undo_by(lambda: instances.remove(self.tracefs.root, self.name))
        if not self._first or not self._first.made:
            instances.make(self.tracefs.root, self.name)
        self._choose_clock()
        for name, on in OPTIONS.items():
            if options.get(self.path, name) is (not on):
                options.set_option(self.path, name, on)
        buffer.set_wakeup_percent(self.path, self._wakeup_percent)
        self._choose_size()
        if options.is_tracing(self.path) is False:
            options.set_tracing(self.path, True)
        self._open_marker()

    def _choose_size(self) -> None:
        if self.buffer_kb is None:
            return
        if self._first and self._first.sized and self._first.wanted_kb == self.buffer_kb:
            self.buffer_kb = self._first.buffer_kb
            return
        made = buffer.size_kb(self.path) if self.buffer_kb == AS_MADE else None
        if (grown := grown_kb(self.buffer_kb, made)) is not None:
            buffer.set_size_kb(self.path, grown)
        self.buffer_kb = grown or made

    def _choose_clock(self) -> None:
        wanted, (known, chosen) = self.clock, clock.listed(self.path)
        if wanted == clock.IN_ORDER[0] and wanted not in known:
            self.clock = next(name for name in clock.IN_ORDER if name in known)
            self.notices.append(f"this kernel has no trace clock {wanted!r}: using {self.clock!r}")
        if chosen != self.clock:
            self._set_clock(self.clock)

    def _set_clock(self, name: str) -> None:
        clock.choose(self.path, name)

    def _open_marker(self) -> None:
        """Side facts go through trace_marker_raw (4.10 and newer); without it a run goes on without them."""
        try:
            self._marker = os.open(self.path / "trace_marker_raw", os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            self.notices.append(
                f"trace_marker_raw cannot be written ({files.errno_name(error)}): facts from outside are not recorded"
            )
            return
        self._stack.callback(self._close_marker)

    def _close_marker(self) -> None:
        fd, self._marker = self._marker, -1
        os.close(fd)

    def undo_by(self, action: Callable[[], object]) -> None:
        """Have `action` done when this is left, the latest first."""
        self._stack.callback(self._undo, action)

    def note_setting(self, name: str, was: str, made: str) -> None:
        """Have the journal tell of a setting of the top level that is about to change."""
        self._journal.note("setting", name, was=was, made=made)

    def _undo(self, action: Callable[[], object]) -> None:
        """Run one undoing; a passing refusal is tried again, a lasting one is kept while the others still run."""
        for attempt in range(_UNDO_TRIES):
            try:
                action()
                return
            except FtracepyError as error:
                if attempt + 1 == _UNDO_TRIES:
                    self._faults.append(error)

    def _end_journal(self) -> None:
        self._journal.close(undone=not self._faults)

    def enable(self, tracepoint: Tracepoint) -> None:
        """Switch an event on, filtered from its first hit. Raises KernelCannot (no such event) or FtracepyError (filter)."""
        if tracepoint.filter:
            self.set_filter(tracepoint)
        if tracepoint.stack:
            self._add_stacks(tracepoint)
        self._enabled[tracepoint.system, tracepoint.name] = None
        events.set_enabled(self.path, tracepoint.system, tracepoint.name)

    def _add_stacks(self, tracepoint: Tracepoint) -> None:
        """A trigger minds no filter but its own, and keeps its event busy: a probe could not be removed under it."""
        trigger = f"stacktrace if {tracepoint.filter}" if tracepoint.filter else "stacktrace"
        events.add_trigger(self.path, tracepoint.system, tracepoint.name, trigger)
        if tracepoint.system == self.group:
            self.undo_by(lambda: events.remove_trigger(self.path, tracepoint.system, tracepoint.name, trigger))

    def expect(self, tracepoint: Tracepoint) -> None:
        """Say that the event will be enabled, so that texts() holds its format already."""
        self._enabled[tracepoint.system, tracepoint.name] = None
        if tracepoint.stack:
            self._enabled[FTRACE, "kernel_stack"] = None

    def set_filter(self, tracepoint: Tracepoint) -> None:
        events.set_filter(self.path, tracepoint.system, tracepoint.name, tracepoint.filter)

    def add_probe(self, probe: ProbeDef) -> None:
        """Define a probe in this run's group; not enabled yet. Raises KernelCannot, or FtracepyError with the kernel's caret."""
        key = (probe.file, probe.event)
        if key not in self._probes:
            self._journal.note("probe", f"{self.group}/{probe.event}", file=probe.file)
            self._probes.add(key)
            self.undo_by(lambda: self._remove_probe(probe))
        probes.add(self.tracefs.root, probe.file, probe.text(self.group))

    def _remove_probe(self, probe: ProbeDef) -> None:
        """An event that is on somewhere cannot be removed; these are ours wherever they are on."""
        instances.disable_group(self.tracefs.root, self.group)
        probes.remove(self.tracefs.root, probe.file, self.group, probe.event)

    def only(self, tids: Iterable[int], *, follow_forks: bool = True) -> None:
        """Take the events of these threads alone, and of their children if `follow_forks`."""
        self._require_first_namespace()
        if follow_forks:
            pids.follow_forks(self.path)
        pids.add_only(self.path, tids)

    def _require_first_namespace(self) -> None:
        if pid_namespace() != FIRST_PID_NS:
            why = "in this container's pid namespace pids are not those the kernel filters by"
            raise FtracepyError("cannot restrict tracing to a process from here", why=why, hint="run on the host")

    def set_setting(self, name: str, text: str) -> None:
        """Write one control file of this instance (an option, a trigger, a cpumask)."""
        files.write(self.path / name, text)

    def leave_out_own(self) -> None:
        """Keep this process's threads, as they are now, out of the trace; its children stay in. Call again after new threads."""
        if pid_namespace() != FIRST_PID_NS:
            return
        new = {int(name) for name in os.listdir("/proc/self/task")} - self._left_out
        if new and pids.add_not(self.path, sorted(new)):
            self._left_out |= new

    def mark_raw(self, record: bytes) -> bool:
        """Write one record into the ring buffer as a raw_data event; any thread may.

        False where recording is off, or the record is refused or cut short.
        """
        if self._marker < 0:
            return False
        try:
            return files.sys_write(self._marker, record) == len(record)
        except OSError:
            return False

    def stop_recording(self) -> None:
        options.set_tracing(self.path, False)

    def cpus(self) -> list[int]:
        return stats.cpus(self.path)

    def stats(self) -> list[CpuStats]:
        return stats.read_all(self.path)

    def fill(self, counts: Sequence[CpuStats]) -> float:
        """How full the fullest CPU's buffer is by its counts, from 0 to 1."""
        most = max((one.unread_bytes for one in counts), default=0)
        return min(most / (1024 * (self.buffer_kb or buffer.size_kb(self.path) or 1)), 1.0)

    def now(self) -> int:
        """The trace clock, in the units of the stamps."""
        reading = clock.now_ns(self.clock)
        return stats.now(self.path, self.cpus()[0]) if reading is None else reading

    def texts(self, *, symbols: bool | None = None) -> SchemaTexts:
        """What is needed to read this instance's pages: formats of expected and enabled events and of the ftrace system.

        `symbols` says whether kallsyms (5 MB) is wanted; None: where an event prints addresses by name.
        """
        texts, read = self._read_texts or (self._general_texts(), frozenset())
        self._read_texts = None
        texts.clock, texts.page_bytes = self.clock, buffer.subbuffer_bytes(self.path)
        self._add_formats(texts, [one for one in self._enabled if one not in read])
        if texts.needs_symbols([name for _system, name in self._enabled]) if symbols is None else symbols:
            texts.kallsyms = cmdlines.kallsyms()
        return texts

    def read_texts(self, tracepoints: Iterable[Tracepoint]) -> SchemaTexts:
        """What the whole tracefs says of these events already, kept for texts(): while the instance is being made, say."""
        texts, names = self._general_texts(), dict.fromkeys((one.system, one.name) for one in tracepoints)
        texts.clock = self.clock
        self._add_formats(texts, names)
        self._read_texts = texts, frozenset(names)
        return texts

    def _general_texts(self) -> SchemaTexts:
        root, uname, first = self.tracefs.root, os.uname(), self._first
        texts = SchemaTexts(
            header_page=(first and first.header_page) or buffer.header_page(root),
            header_event=(first and first.header_event) or buffer.header_event(root),
            printk_formats=cmdlines.printk_formats(root),
            cmdlines=cmdlines.saved(root),
            uname=f"{uname.sysname} {uname.release} {uname.machine}",
            big_endian=sys.byteorder == "big",
        )
        for _name, text in events.system_formats(root, FTRACE):
            texts.add(FTRACE, text)
        texts.types = _running_types
        return texts

    def _add_formats(self, texts: SchemaTexts, names: Iterable[tuple[str, str]]) -> None:
        for system, name in names:
            if system != FTRACE:
                texts.add(system, events.format_bytes(self.tracefs.root, system, name))


def _running_types() -> bytes:
    from ftracepy.symbols import btf

    return btf.running()
