"""From wishes to a plan: which events, and for each text that is wanted the best way that proved itself."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Sequence

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.live.plan import Plan, Scope
from ftracepy.live.ways.candidate import Candidate
from ftracepy.live.ways.trials import Offer, Trials
from ftracepy.live.ways.verdicts import Verdicts
from ftracepy.probes import (
    Blocks,
    Cgroups,
    Execs,
    Functions,
    KernelCounts,
    KernelProbe,
    LossProbes,
    PageCache,
    Syscalls,
    Tasks,
    Tracepoint,
    Tracepoints,
    UserProbe,
    Way,
    Wish,
)
from ftracepy.tracefs import Tracefs, events
from ftracepy.values import replace

OPENS = ("open", "openat", "openat2", "creat")
_PATH_ARGUMENTS = frozenset({"filename", "pathname", "path"})
_EXEC_EVENT = Tracepoint("sched", "sched_process_exec")
_EXEC_CALLS = ("execve", "execveat")
# Wishes that few tools have: each is granted by `grant(granting, wish)` of a module of its own, loaded when needed.
_GRANTED_BY: dict[type[Wish], str] = {
    Functions: "functions",
    Blocks: "blocks",
    Cgroups: "cgroups",
    PageCache: "pagecache",
    KernelCounts: "kernelcounts",
    KernelProbe: "kernelprobe",
    LossProbes: "lossprobes",
    Tracepoints: "tracepoints",
    UserProbe: "userprobe",
}
TASK_EVENTS = (
    Tracepoint("sched", "sched_process_fork"),
    Tracepoint("task", "task_newtask"),
    Tracepoint("task", "task_rename"),
    _EXEC_EVENT,
    Tracepoint("sched", "sched_process_exit"),
)
# raw_syscalls is one event of one shape for entry and one for exit: two files to enable instead of 700, all calls in one
# column to count, and 32-bit calls are in it too; a hit costs the same as that of all syscalls:* events (both measured).
_EVERY_CALL = (Tracepoint("raw_syscalls", "sys_enter"), Tracepoint("raw_syscalls", "sys_exit"))


def grant(wishes: Sequence[Wish], tracefs: Tracefs, scope: Scope) -> Plan:
    """See plan.plan."""
    granting = Granting(tracefs, scope, Verdicts())
    for wish in wishes:
        granting.wish(wish)
    granting.verdicts.save()
    return granting.plan


class Granting:
    """The making of one plan."""

    def __init__(self, tracefs: Tracefs, scope: Scope, verdicts: Verdicts) -> None:
        self.tracefs, self.scope, self.verdicts = tracefs, scope, verdicts
        self.trials = Trials(tracefs, verdicts)
        self.plan = Plan()
        self._taken: set[str] = set()
        self._restrict()

    def _restrict(self) -> None:
        """New threads are followed with the children; a tool leaves out those of other processes afterwards."""
        tid, pid = self.scope.tid, self.scope.pid
        try:
            if tid is not None:
                os.stat(f"/proc/{tid}")
                self.plan.pids = (tid,)
            elif pid is not None:
                self.plan.pids = tuple(sorted(int(name) for name in os.listdir(f"/proc/{pid}/task")))
                self.plan.follow_forks = True
        except OSError:
            what = f"there is no thread {tid}" if tid is not None else f"there is no process {pid}"
            raise UsageFault(what, hint="ps -eLo pid,tid,comm lists them") from None

    def wish(self, wish: Wish) -> None:
        if isinstance(wish, Tracepoint):
            self._tracepoint(wish)
        elif isinstance(wish, Syscalls):
            self._syscalls(wish)
        elif isinstance(wish, Execs):
            self._execs(wish)
        elif isinstance(wish, Tasks):
            self.add(one for one in TASK_EVENTS if self._exists(one))
        else:
            module = importlib.import_module(f"ftracepy.live.ways.{_GRANTED_BY[type(wish)]}")
            module.grant(self, wish)

    def _exists(self, event: Tracepoint) -> bool:
        return events.exists(self.tracefs.root, event.system, event.name)

    def _tracepoint(self, wish: Tracepoint) -> None:
        if not wish.optional or self._exists(wish):
            self._require(wish)

    def _require(self, event: Tracepoint) -> None:
        if not self._exists(event):
            raise events.no_such_event(event.system, event.name)
        self.add([event])

    def add(self, found: Iterable[Tracepoint]) -> None:
        """An event that is there already is asked for twice: it comes with what both want."""
        for one in found:
            self.plan.everywhere = self.plan.everywhere or not one.scoped
            places = {(event.system, event.name): place for place, event in enumerate(self.plan.events)}
            place = places.get((one.system, one.name))
            if place is None:
                self.plan.events.append(one)
            else:
                self.plan.events[place] = _both(self.plan.events[place], one)

    def _syscalls(self, wish: Syscalls) -> None:
        if not wish.names:
            for event in _EVERY_CALL:
                self._require(event)
            return
        known = self._calls(wish.names)
        if not known:
            raise KernelCannot(
                f"this kernel has no events for {', '.join(wish.names)}",
                why="either CONFIG_FTRACE_SYSCALLS is off, or this architecture has no such system calls",
                hint="ftracepy list events 'syscalls:*'",
            )
        if wanted := set(wish.strings):
            self._texts(wanted, known, absolute=wish.absolute)

    def _calls(self, names: Iterable[str]) -> list[str]:
        """Enable entry and exit of those system calls that exist here; returns their names."""
        pairs = {name: [Tracepoint("syscalls", f"sys_{side}_{name}") for side in ("enter", "exit")] for name in names}
        known = [name for name, pair in pairs.items() if all(map(self._exists, pair))]
        self.add(event for name in known for event in pairs[name])
        return known

    def _texts(self, arguments: set[str], syscalls: Sequence[str], *, absolute: bool) -> None:
        from ftracepy.live.ways import path_field

        opens = [name for name in syscalls if name in OPENS]
        if opens and arguments & _PATH_ARGUMENTS:
            self._open_paths(opens, absolute=absolute)
        for name in syscalls:
            missing = [one for one in sorted(arguments) if not path_field.carries_text(self.tracefs, name, one)]
            if name not in opens:
                self.plan.ways.extend(Way(f"{one} of {name}", "not read here", "none", "the text") for one in missing)

    def _open_paths(self, syscalls: Sequence[str], *, absolute: bool) -> None:
        from ftracepy.live.ways import folders, path_eprobe, path_fanotify, path_field, path_kprobe, sites

        found = self.trials.first(
            lambda: path_kprobe.candidates(self.tracefs),
            lambda: path_field.candidate(self.tracefs),
            lambda: path_eprobe.candidate(self.tracefs, syscalls),
        )
        ways = [found] if found else []
        if found is None or found.way.provenance != "kernel-copy" or absolute:
            ways += self._each(lambda: path_fanotify.candidate(self.scope))
        if found is None:
            ways += self._each(lambda: sites.opens(self.tracefs, self.verdicts))
        if absolute:
            ways += self._each(lambda: folders.candidate(self.tracefs))
        self._take(ways, Way("path of opens", "not read here", "none", "every path"))

    def _each(self, *offers: Offer) -> list[Candidate]:
        return [one for offer in offers if (one := self.trials.first(offer))]

    def _execs(self, wish: Execs) -> None:
        self._require(_EXEC_EVENT)
        self._calls(_EXEC_CALLS)
        if wish.failed:
            self._failed_execs()
        if not wish.argv:
            return
        from ftracepy.live.ways import argv_kernel, argv_loader, argv_proc, sites

        found = self.trials.first(
            lambda: argv_kernel.by_tracepoint(self.tracefs),
            lambda: argv_kernel.by_kprobe(self.tracefs, self.verdicts),
            lambda: argv_kernel.at_start(self.tracefs),
        )
        ways = [found] if found else self._each(lambda: argv_loader.candidate(self.tracefs, self.verdicts))
        ways += self._each(lambda: sites.execs(self.tracefs, self.verdicts))
        if not found:
            ways += self._each(lambda: argv_proc.candidate(self.tracefs, self.scope))
        self._take(ways, Way("argv of new programs", "not read here", "none", "all arguments"))

    def _failed_execs(self) -> None:
        """The kernel opens what it is to run as it opens any file."""
        from ftracepy.live.ways import path_kprobe

        if found := self.trials.first(lambda: path_kprobe.candidates(self.tracefs)):
            self._take([replace(found, way=replace(found.way, what="path of execs that fail"))], found.way)

    def _take(self, ways: Sequence[Candidate], nothing: Way) -> None:
        for one in ways:
            if one.key in self._taken:
                continue
            self._taken.add(one.key)
            self.plan.kprobes.extend(one.kprobes)
            self.plan.uprobes.extend(one.uprobes)
            self.add(one.events)
            self.plan.settings.update(one.settings)
            self.plan.aides.extend(make() for make in one.aides)
            self.plan.ways.append(one.way)
        if not ways:
            self.plan.ways.append(nothing)
            self.plan.notices.append(f"{nothing.what}: {nothing.how} ({_reasons(self.trials.refused)})")


def _both(one: Tracepoint, other: Tracepoint) -> Tracepoint:
    """Hits that either wants; two different filters cannot be joined without knowing their fields, so then there is none."""
    filter_ = one.filter if one.filter == other.filter else ""
    return replace(one, filter=filter_, stack=one.stack or other.stack)


def _reasons(refused: Sequence[FtracepyError]) -> str:
    return "; ".join(f"{error.what}: {error.why}" if error.why else error.what for error in refused)
