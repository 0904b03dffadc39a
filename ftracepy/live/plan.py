"""What to enable so that this kernel grants a tool's wishes: events, own probes, helper threads, and the ways chosen.

Own probe events, by which analysis/ recognises texts (system = "ftracepy_<run>"):

path_kernel   hit in the kernel, once per file name looked up for an open, between the call's entry and exit:
              `path` string, the kernel's own copy, as passed; `flags` s32, how it is opened
path_entry    hit with openat's entry event; path_entry_NAME with that of another call (each needs a name of its own):
              `path` string read from the caller's memory, `dfd` s32
path_site     hit in the caller, some instructions before it makes the call:
              `nr` u32, `dfd` s32 (-100: AT_FDCWD), `path` u64[32], 256 bytes from the pointer passed on
exec_site     the same for execve and execveat:
              `nr` u32, `path` u64[32], `argv` u64[24] the pointers, `arg0` … `arg7` u64[16], 128 bytes of each argument
argv_loader   hit at the first instruction of a dynamic loader, after an exec that worked:
              `argc` s64, `block0` … `block3` u64[64], 2048 bytes of memory from argv[0] on
argv_kernel   hit in the kernel when the new program is set up, before it runs:
              `start` u64, `end` u64 of the argument block, or `argc` s64; `block0` … `block3` u64[64], its first 2048 bytes

Word arrays are raw memory; `symbols.words` cuts them into strings. They are there because the kernel bounds no
string: a uprobe's strings that sum to more than a page raise a kernel warning and the hit is lost (seen on 6.18),
or overrun a kernel buffer (before commit 373b9338c972), and any user may pass such strings.
Several places may share one event name; the fields are then the same. A site's hit precedes its sys_enter on the
same thread, more than one may (the last counts), and one whose `nr` is not that of the thread's next sys_enter means nothing.

PATH facts (fanotify) come in the order of the opens, after them. Opens of the same file by the same thread that
follow each other before the queue is read are told once, at the place of the first; so of one thread's opens up to a
CAUGHT_UP: as many facts as opens, they pair in order; one fact, it is the path of all; otherwise a fact is certain only for
an open whose text ends like it. Facts of one thread with the same `when_ns` came by two queues: their order is not
known. A body without a leading "/" is a last component: the folder was gone already. `when_ns` is not before the moment when
it was opened; a NUL in the body is followed by the time, in decimal, since when that can have been.
From a SILENT fact on no open is told, until TELLS: those that end after the one's `when_ns`, or begin before the other's, have
no path from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from ftracepy.probes import Tracepoint, Way, Wish
from ftracepy.sidefacts import SideFact
from ftracepy.values import dataclass, field, replace

if TYPE_CHECKING:
    from ftracepy.errors import FtracepyError
    from ftracepy.tracefs import Tracefs

Mark = Callable[[SideFact], None]


def direct(mark: Mark) -> int:
    """The descriptor that facts may be written to past `mark`, packed, one a write; -1: there is none, or not yet."""
    fd: Callable[[], int] | None = getattr(mark, "fd", None)
    return fd() if fd else -1


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events are wanted: everybody's, one process with all its threads (new ones too), or one thread."""

    pid: int | None = None
    tid: int | None = None


EVERYBODY = Scope()


@dataclass(frozen=True, slots=True)
class ProbeDef:
    """One probe of ours. `kind` is the kernel's letter (p, r, e, t, f), `file` the tracefs file that takes it.

    `filter` and `stack` are those of its event, as probes.Tracepoint has them. `explain` puts a refusal, of the probe or of
    its event, into the words of who asked for it.
    """

    kind: str
    event: str
    place: str
    args: tuple[str, ...] = ()
    file: Literal["kprobe_events", "uprobe_events", "dynamic_events"] = "uprobe_events"
    filter: str = ""
    stack: bool = False
    explain: Callable[[FtracepyError], FtracepyError] | None = field(default=None, compare=False, repr=False)

    def text(self, group: str) -> str:
        """The line to write, the event put into `group`."""
        return " ".join((f"{self.kind}:{group}/{self.event}", self.place, *self.args))


class Aide(Protocol):
    """A helper thread that learns facts outside the ring buffer and writes them into it."""

    name: str

    def start(self, mark: Mark) -> None:
        """Begin; on return facts flow through `mark` (which any thread may call). Raises FtracepyError if it cannot."""

    def catch_up(self) -> None:
        """Report everything that has happened before this call, ended by a CAUGHT_UP fact; returns when done."""

    def stop(self) -> None:
        """Catch up and end the thread; safe to call twice, or when start failed."""


@runtime_checkable
class Restricted(Protocol):
    """An aide that watches by itself, and so has to be told whom."""

    def only(self, pids: Sequence[int]) -> None:
        """Watch these threads and what they start alone; called before `start`."""


@dataclass(frozen=True, slots=True)
class Tracer:
    """A tracer of the kernel's own (current_tracer), and which functions it is to hook.

    `only`, `without`, `roots` are what goes into set_ftrace_filter, set_ftrace_notrace and set_graph_function, in the
    kernel's own glob syntax. `options` are the tracer's switches; `globals_` files that stand only at the top level and
    hold for everybody, with what they are to say. With `top_level` it runs there, for no instance can have it.
    """

    name: Literal["function", "function_graph"]
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    options: tuple[tuple[str, bool], ...] = ()
    globals_: tuple[tuple[str, str], ...] = ()
    top_level: bool = False


@dataclass(slots=True)
class Plan:
    """All that a live source sets up. Order: probes defined, aides started, probes enabled, events enabled.

    `pids` are the threads to write to set_event_pid (() = everybody), with event-fork if `follow_forks`. With
    `everywhere` no event is left out for the thread it happens in, be it our own: interrupts choose no thread.
    `settings` are files of the instance and what to write to them. Own probe events are enabled once per distinct
    name. `notices` are for the user, at once. `formats` are events of which only the format is wanted; `symbols` says
    that addresses in its events are to be shown by name. `facts` are written behind the HEADER, stamped then.
    `tracer` is started last.
    """

    events: list[Tracepoint] = field(default_factory=list)
    formats: list[Tracepoint] = field(default_factory=list)
    uprobes: list[ProbeDef] = field(default_factory=list)
    kprobes: list[ProbeDef] = field(default_factory=list)
    aides: list[Aide] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    pids: tuple[int, ...] = ()
    follow_forks: bool = False
    everywhere: bool = False
    symbols: bool = False
    facts: list[SideFact] = field(default_factory=list)
    tracer: Tracer | None = None

    def only(self, pid: int) -> Plan:
        """The same for one process and all that it starts, which no Scope says."""
        for aide in self.aides:
            if isinstance(aide, Restricted):
                aide.only([pid])
        return replace(self, pids=(pid,), follow_forks=True)

    @property
    def probes(self) -> list[ProbeDef]:
        """Every probe of ours, whatever file takes it."""
        return [*self.kprobes, *self.uprobes]


def plan(wishes: Sequence[Wish], tracefs: Tracefs, *, scope: Scope = EVERYBODY) -> Plan:
    """Decide how this kernel grants `wishes`, best way first, each way tried once per boot before it is believed.

    Raises KernelCannot where no event of a wish exists here, UsageFault where the scope's process does not.
    """
    from ftracepy.live.ways import grant

    return grant.grant(wishes, tracefs, scope)
