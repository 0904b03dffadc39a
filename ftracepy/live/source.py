"""The live source: carries out a plan on this kernel, reads what comes, and undoes it all.

Order of a start: instance, probes, capture thread, aides, HEADER fact, task events, snapshot of tasks, own probes,
all other events. Order of an end: aides catch up, recording off, buffers drained, counts read, all undone.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from _thread import allocate_lock  # threading takes a millisecond to load
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ftracepy.errors import FtracepyError, KernelCannot
from ftracepy.live import ahead
from ftracepy.live.capture import Capture
from ftracepy.live.instance import Instance
from ftracepy.live.meanwhile import Meanwhile
from ftracepy.live.plan import Plan, ProbeDef
from ftracepy.live.room import DEFAULT_BUFFER_KB
from ftracepy.live.undo import UndoStack
from ftracepy.probes import Tracepoint
from ftracepy.schema import Schema
from ftracepy.schematexts import SchemaAhead, SchemaTexts
from ftracepy.sidefacts import Kind, SideFact, pack
from ftracepy.source import CpuStats, Health, Round
from ftracepy.tracefs import Tracefs, options
from ftracepy.values import as_dict, replace

T = TypeVar("T")
_START_TICK_S = 0.002
_TASK_EVENTS = frozenset({"sched_process_fork", "sched_process_exec", "sched_process_exit", "task_newtask", "task_rename"})


def open(
    plan: Plan | Callable[[], Plan],
    *,
    tracefs: Tracefs,
    clock: str = "mono",
    buffer_kb: int | None = None,
    header: Mapping[str, object] | None = None,
    facts: bool = True,
    symbols: bool | None = False,
    duration_s: float | None = None,
    say: Callable[[str], None] | None = None,
) -> LiveSource:
    """A live source for `plan`, or for the plan that it returns when it is called while the kernel makes the instance.

    Nothing is done to the kernel before the source is entered.
    `buffer_kb` is for each CPU (default: 8 MB, less where memory is short; room.AS_MADE: what the kernel makes it with);
    `header` is added to the HEADER fact; `facts` False leaves HEADER and task snapshot out; `symbols` says whether the texts
    hold kallsyms (None: where an event prints addresses by name); `duration_s` ends it by itself; `say` hears notices as they
    come.
    Entering raises FtracepyError kinds.
    """
    return LiveSource(plan, tracefs, clock, buffer_kb, dict(header or {}), facts, symbols, duration_s, say)


class LiveSource:
    """Fulfils source.Source. `plan`, `schema` and `cpus` are there once it is entered."""

    plan: Plan
    schema: Schema
    cpus: list[int]

    def __init__(
        self,
        plan: Plan | Callable[[], Plan],
        tracefs: Tracefs,
        clock: str,
        buffer_kb: int | None,
        header: dict[str, object],
        facts: bool,
        symbols: bool | None,
        duration_s: float | None,
        say: Callable[[str], None] | None,
    ) -> None:
        self._given = plan
        self._wanted = tracefs, clock, buffer_kb
        self.instance: Instance
        self._ask_read = self._ask_write = -1
        self._asked = False
        self._header, self._facts, self._symbols, self._say = header, facts, symbols, say
        self._duration_s = duration_s
        self._started = False  # no Event: an interrupt within its set() would leave its lock taken
        self._notices: list[str] = []
        self._stats: list[CpuStats] | None = None
        self._early: list[SideFact] | None = []
        self._mark_lock = allocate_lock()
        self._stack = UndoStack()

    def __enter__(self) -> LiveSource:
        try:
            self._enter()
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        return self

    def _enter(self) -> None:
        self._stack.close_at_exit()
        making = self._stack.enter_context(ahead.take(*self._wanted))
        making.start()
        self.plan = self._given if isinstance(self._given, Plan) else self._given()
        early_schema = SchemaAhead(making.instance.read_texts([*self.plan.formats, *self.plan.events]))
        self.instance = making.finish()
        if self.plan.tracer and self.plan.tracer.top_level:
            self._take_top_level()
        self._begin(early_schema)

    def __exit__(self, *exc: object) -> None:
        self._stack.__exit__(*exc)  # type: ignore[arg-type]

    def _take_top_level(self) -> None:
        """The private instance goes again: whatever this run reads must come from one buffer."""
        from ftracepy.live.toplevel import TopLevel

        self._stack.pop_all().close()
        self._stack.close_at_exit()
        one = self.instance
        self.instance = TopLevel(one.tracefs, clock=one.clock, buffer_kb=one.buffer_kb)
        self._stack.enter_context(self.instance)

    def _begin(self, early_schema: SchemaAhead) -> None:
        for text in (*self.plan.notices, *self.instance.notices):
            self._notice(text)
        for probe in self.plan.probes:
            _explained(probe, self.instance.add_probe, probe)
        for tracepoint in (*self.plan.formats, *self.plan.events, *self._own_events()):
            self.instance.expect(tracepoint)
        self._texts = self.instance.texts(symbols=self.plan.symbols or self._symbols)
        self.schema = early_schema.schema(self._texts)
        self.cpus = self.instance.cpus()
        self._online = _online_cpus()
        if self.plan.tracer:
            from ftracepy.live import tracer

            tracer.prepare(self.instance, self.plan.tracer)
        self._start_threads()
        self._restrict()
        self._write_header()
        self._enable()
        self._started = True

    def _first_probes(self) -> list[ProbeDef]:
        """One for each event."""
        return list({probe.event: probe for probe in self.plan.probes}.values())

    def _own_events(self) -> list[Tracepoint]:
        return [Tracepoint(self.instance.group, one.event, one.filter, stack=one.stack) for one in self._first_probes()]

    def _start_threads(self) -> None:
        page_bytes, instance = self.schema.page.size_bytes, self.instance
        self._capture = Capture(instance.path, self.cpus, page_bytes, instance.clock, instance.buffer_kb or DEFAULT_BUFFER_KB)
        self._stack.callback(self._close_capture)
        self._capture.start()
        self._ask_read, self._ask_write = os.pipe2(os.O_CLOEXEC)
        self._closer = Meanwhile(self._close_when_asked)
        self._stack.callback(self._end_closer)
        self._closer.start()
        if self._asked:
            self.stop()
        for aide in self.plan.aides:
            aide.start(_Marker(self))

    def _restrict(self) -> None:
        for name, text in self.plan.settings.items():
            self.instance.set_setting(name, text)
        if self.plan.everywhere:
            return
        if self.plan.pids:
            self.instance.only(self.plan.pids, follow_forks=self.plan.follow_forks)
        else:
            self.instance.leave_out_own()

    def _write_header(self) -> None:
        """HEADER goes in front of what the aides have said until now."""
        if self._facts:
            now = self.instance.now()
            self._require_recording(self._write(SideFact(Kind.HEADER, 0, now, json.dumps(self._header_body(now)).encode())))
            for fact in self.plan.facts:
                self._write(replace(fact, when_ns=self.instance.now()))
        with self._mark_lock:
            early, self._early = self._early or [], None
        for fact in early:
            self._write(fact)

    def _header_body(self, now: int) -> dict[str, object]:
        name = os.uname()
        return {
            "version": 1,
            "tool": "",
            "ways": [as_dict(way) for way in self.plan.ways],
            "uname": f"{name.sysname} {name.release} {name.machine}",
            "argv": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
            "own": sorted(int(tid) for tid in os.listdir("/proc/self/task")),
            "epoch_ns": time.time_ns() - now,
            "clock": self.instance.clock,
            **self._header,
        }

    def _require_recording(self, written: bool) -> None:
        """The first record shows whether this buffer takes anything at all, whatever others have switched off."""
        if not written and self.instance.can_mark:
            on = options.is_tracing(self.instance.path)
            why = "its tracing_on is 0" if on is False else "trace_marker_raw is refused although tracing_on is 1"
            raise KernelCannot("the private trace buffer records nothing", why=why, hint="ftracepy doctor")

    def _enable(self) -> None:
        """Task events before the snapshot, so that no task falls between the two."""
        first = [one for one in self.plan.events if one.name in _TASK_EVENTS]
        for tracepoint in first:
            self.instance.enable(tracepoint)
        if self._facts:
            self._write_snapshot()
        for probe, tracepoint in zip(self._first_probes(), self._own_events(), strict=True):
            _explained(probe, self.instance.enable, tracepoint)
        for tracepoint in (one for one in self.plan.events if one not in first):
            self.instance.enable(tracepoint)
        if self.plan.tracer:
            from ftracepy.live import tracer

            tracer.begin(self.instance, self.plan.tracer, self.plan.pids, follow_forks=self.plan.follow_forks)

    def _write_snapshot(self) -> None:
        from ftracepy.system.proc import snapshot
        from ftracepy.system.tasklines import pack_tasks

        for body in pack_tasks(snapshot()):
            self._write(SideFact(Kind.TASKS, 0, self.instance.now(), body))

    @property
    def watched(self) -> list[Tracepoint]:
        """The events that are switched on, those of our own probes too, with their filters."""
        return [*self.plan.events, *self._own_events()]

    def mark(self, fact: SideFact) -> None:
        """Write a side fact into the trace; any thread may."""
        if self._early is not None:
            with self._mark_lock:
                if self._early is not None:
                    self._early.append(fact)
                    return
        self._write(fact)

    def marker_fd(self) -> int:
        """Where facts may be written by others than `mark`: nowhere (-1) before HEADER."""
        return self.instance.marker_fd if self._early is None else -1

    def _write(self, fact: SideFact) -> bool:
        done = [self.instance.mark_raw(piece) for piece in pack(fact)]
        return all(done)

    def texts(self, *, fresh: bool = False) -> SchemaTexts:
        """The texts its pages are read by; `fresh` reads the names of tasks again, for what came since the start."""
        if fresh:
            self._texts.cmdlines = self.instance.texts(symbols=False).cmdlines
        return self._texts

    def rounds(self) -> Iterator[Round]:
        for round_ in self._capture.rounds():
            if round_.last:
                self._stats = self._read_stats()
                self._tell_of_hotplug()
            while self._capture.faults:
                self._notice(self._capture.faults.pop(0))
            yield round_

    def _tell_of_hotplug(self) -> None:
        """Buffers outlive their CPUs and every possible CPU is read, so coming and going loses nothing, but explains gaps."""
        if (now := _online_cpus()) != self._online:
            self._notice(f"CPUs online were {self._online} at the start and {now} at the end; events of both are here")

    def stop(self) -> None:
        """End soon; what is buffered still comes. Only a write to a pipe, so any thread or signal handler may ask."""
        self._asked = True
        with suppress(OSError):  # not begun (then _begin looks at _asked), or over
            os.write(self._ask_write, b"x")

    def _close_when_asked(self) -> None:
        if self._duration_s is not None:
            while not self._started:
                time.sleep(_START_TICK_S)
        select.select([self._ask_read], [], [], self._duration_s)
        try:
            for aide in self.plan.aides:
                self._try(aide.stop)
        finally:
            self._capture.finish(bounded=not self._try(self.instance.stop_recording))

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except FtracepyError as error:
            self._notice("; ".join(error.lines()))
            return False
        return True

    def _end_closer(self) -> None:
        self._started = True
        self.stop()
        self._closer.wait()
        fds = (self._ask_read, self._ask_write)
        self._ask_write = -1
        for fd in fds:
            os.close(fd)
        self._closer.finish()

    def _close_capture(self) -> None:
        self._capture.close()
        if self._stats is None:
            self._stats = self._read_stats()

    def _read_stats(self) -> list[CpuStats]:
        try:
            return self.instance.stats()
        except FtracepyError as error:
            self._notice(f"the kernel's counts cannot be read, losses are not known: {error.kernel}")
            return []

    def health(self) -> Health:
        """The kernel's counts now; after the end, as they were then: delivered + lost + still buffered = all there was."""
        return Health(self._read_stats() if self._stats is None else self._stats, list(self._notices))

    def fill(self, counts: Sequence[CpuStats]) -> float | None:
        """How full the fullest CPU's buffer is by its counts of this moment, from 0 to 1; None once the source has ended."""
        return self.instance.fill(counts) if self._stats is None else None

    def _notice(self, text: str) -> None:
        """Said at once, or kept for whoever asks how it went."""
        if self._say:
            self._say(text)
        else:
            self._notices.append(text)


class _Marker:
    """What aides get: the source's `mark`, and a way past it for those with thousands of facts a second."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source

    def __call__(self, fact: SideFact) -> None:
        self._source.mark(fact)

    def fd(self) -> int:
        return self._source.marker_fd()


def _explained(probe: ProbeDef, action: Callable[[T], None], value: T) -> None:
    """Do what the kernel may refuse; a refusal is told in the words of who asked for the probe."""
    try:
        action(value)
    except FtracepyError as error:
        raise (probe.explain(error) if probe.explain else error) from None


def _online_cpus() -> str:
    try:
        return Path("/sys/devices/system/cpu/online").read_text().strip()
    except OSError:
        return "unknown"
