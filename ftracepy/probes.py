"""What to trace, as plain values: a tool states wishes, live/plan.py decides how this kernel grants them."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Tracepoint:
    """One event of the kernel's own, `filter` in the kernel's filter language ("" = every hit).

    One that is `optional` is left out where this kernel does not have it; with `stack` the kernel's stack of each hit
    follows it as an ftrace:kernel_stack event of the same thread.
    """

    system: str
    name: str
    filter: str = ""
    optional: bool = False
    stack: bool = False


@dataclass(frozen=True, slots=True)
class Syscalls:
    """Entry and exit of system calls by name; no names means every system call.

    Names that this kernel does not have (`open` on arm64) are left out; `strings` are the
    arguments whose text is wanted, each by every system call of `names` that has it.
    """

    names: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Execs:
    """Program starts: sched_process_exec, the execve family's entry and exit, and the new argv."""

    argv: bool = True


@dataclass(frozen=True, slots=True)
class Tasks:
    """Life of tasks (fork, new thread, exec, rename, exit) and a snapshot of those already there."""


@dataclass(frozen=True, slots=True)
class KernelCounts:
    """Hits counted in the kernel where it can, nothing recorded: totals come as COUNTS facts called `name`.

    Either hits of `event` (its filter holds) by the values of `keys`: number fields of the event, or common_pid, the
    thread; or hits of kernel `functions`, by name, those left out that this kernel does not have. Totals are told every
    `interval_s` and at the end; None: at the end alone. Where the kernel cannot count, the events are recorded instead,
    and analysis/kernelcounts.py counts them: it gives the same readings of both.
    """

    name: str
    event: Tracepoint | None = None
    keys: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class Tracepoints:
    """Every event that `pattern` names (see `names`), with `filter` and `stack` as a Tracepoint has them.

    Events that lack a field of the filter are left out where the pattern holds * ? or [. `only_formats` asks for what
    describes the events, not for their hits.
    """

    pattern: str
    filter: str = ""
    stack: bool = False
    only_formats: bool = False

    def takes(self, system: str, name: str) -> bool:
        """Whether the pattern names this event."""
        return names(self.pattern, system, name)


def names(pattern: str, system: str, name: str) -> bool:
    """Whether `SYSTEM:EVENT`, both parts shell patterns, names the event; without a colon it is a system or an event."""
    left, colon, right = pattern.partition(":")
    if colon:
        return fnmatchcase(system, left) and fnmatchcase(name, right or "*")
    return fnmatchcase(system, left) or fnmatchcase(name, left)


Wish = Tracepoint | Tracepoints | Syscalls | Execs | Tasks | KernelCounts


@dataclass(frozen=True, slots=True)
class Way:
    """How one wish is granted here: shown in the header of a run and by `doctor`.

    `what` is the thing wanted ("path of opens"), `how` the way chosen ("fanotify"),
    `provenance` one of kernel-copy, user@enter, proc-after, none; `misses` says in one clause what
    this way cannot see ("" = nothing).
    """

    what: str
    how: str
    provenance: str
    misses: str = ""
