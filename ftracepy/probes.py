"""What to trace, as plain values: a tool states wishes, live/plan.py decides how this kernel grants them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from ftracepy.values import dataclass


@dataclass(frozen=True, slots=True)
class Tracepoint:
    """One event of the kernel's own, `filter` in the kernel's filter language ("" = every hit).

    One that is `optional` is left out where this kernel does not have it; with `stack` the kernel's stack of each hit
    follows it as an ftrace:kernel_stack event of the same thread. One that is not `scoped` happens in the context of
    whoever runs then, an interrupt of ourselves for one: the run's events are then everybody's, and the tool chooses.
    """

    system: str
    name: str
    filter: str = ""
    optional: bool = False
    stack: bool = False
    scoped: bool = True


@dataclass(frozen=True, slots=True)
class Syscalls:
    """Entry and exit of system calls by name; no names means every system call.

    Names that this kernel does not have (`open` on arm64) are left out; `strings` are the
    arguments whose text is wanted, each by every system call of `names` that has it. With `absolute` the files that
    opens really opened are wanted from the root on, whatever name was passed.
    """

    names: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class Execs:
    """Program starts: sched_process_exec, the execve family's entry and exit, and the new argv.

    With `failed` the file of an attempt that fails is wanted as the kernel read it: that costs something at every open.
    """

    argv: bool = True
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Tasks:
    """Life of tasks (fork, new thread, exec, rename, exit) and a snapshot of those already there."""


@dataclass(frozen=True, slots=True)
class Cgroups:
    """The control group of each task that is there, as CGROUPS facts, and moves from one to another."""


@dataclass(frozen=True, slots=True)
class KernelCounts:
    """Hits counted in the kernel where it can, nothing recorded: totals come as COUNTS facts called `name`.

    Either hits of `event` (its filter holds) by the values of `keys`: number fields of the event, or common_pid, the
    thread; or hits of kernel `functions`, by name, those left out that this kernel does not have. Totals are told every
    `interval_s` and at the end; None: at the end alone. Where the kernel cannot count, the events are recorded instead,
    and analysis/kernelcounts.py counts them: it gives the same readings of both. With neither event nor functions it is
    a wish for replay alone, for whatever was counted.
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


@dataclass(frozen=True, slots=True)
class Functions:
    """Kernel functions by name, each of `patterns` (and `exclude`) a name, a glob, or MODULE:GLOB.

    `watch` is what is wanted of them: "calls", an event for each; "spans", the time from entry to return of these
    functions alone; "trees", the same with all they call (functions that `children` name, where it is not empty), `depth`
    levels of it at most; "counts", the number of calls, told every `interval_s` or at the end, `by_task` or all in one.
    `least_us` leaves shorter spans out, `irqs` False what runs in interrupts, `on_cpu` the time asleep. `args` and
    `returns` ask for arguments and return values, `stack` for the kernel's stack of each call, where they are to be had.
    """

    patterns: tuple[str, ...]
    watch: Literal["calls", "spans", "trees", "counts"]
    exclude: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    depth: int = 0
    least_us: int = 0
    irqs: bool = True
    on_cpu: bool = False
    args: bool = False
    returns: bool = False
    stack: bool = False
    by_task: bool = False
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class Blocks:
    """Life of block requests: made, merged, given to the driver, put back, completed; names of devices as a DEVICES fact.

    With `bios` the bios of those devices instead that make no requests of them (device-mapper, md, zram). Of `device`
    (a name, or MAJOR,MINOR) alone, where one is given. None of it is scoped.
    """

    bios: bool = False
    device: str | None = None


@dataclass(frozen=True, slots=True)
class KernelProbe:
    """Hits of kernel functions at the places that `definition` means (probespec/definition.py has its words).

    `filter` may name an enum's values; with `stack` the kernel's stack follows each hit. `btf` is a file to take types from
    instead of the running kernel. Each event's KERNEL_PROBE fact tells what its fields are.
    """

    definition: str
    filter: str = ""
    stack: bool = False
    btf: str | None = None


@dataclass(frozen=True, slots=True)
class UserProbe:
    """Hits of user code at the places that `definition` means (symbols/definition.py has its words), with `filter`.

    With `stack` the user's stack of each hit follows it as an ftrace:user_stack event, and MAPS facts tell what lies at its
    addresses; each event's USER_PROBE fact tells what it is. `force` leaves out the checks that are only advice.
    """

    definition: str
    filter: str = ""
    stack: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class PageCache:
    """What is read through the page cache and what is added to it; its size as MEMORY facts every `interval_s` and at the end."""

    interval_s: float


@dataclass(frozen=True, slots=True)
class LossProbes:
    """What tells TCP's tail loss probes from other segments sent again: marks around them, or the stack of each segment."""


Wish = (
    PageCache
    | Blocks
    | Tracepoint
    | Tracepoints
    | Syscalls
    | Execs
    | Tasks
    | Cgroups
    | KernelCounts
    | Functions
    | KernelProbe
    | UserProbe
    | LossProbes
)


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
