'''What to enable so that this kernel grants a tool's wishes: events, own probes, helper threads, and the ways chosen.

Own probe events, by which analysis/ recognises texts (system = "ftracepy_<run>"):

| event         | hit                                                  | fields |
|---------------|------------------------------------------------------|--------|
| `path_kernel` | in the kernel, once per file name looked up for open | `path` string: the kernel's own copy, as passed |
| `path_entry`  | with the syscall's entry event                       | `path` string: read from the caller's memory; `dfd` s32 |
| `path_site`   | in the caller, a few instructions before the syscall | `nr` u32, `path` u64[32]: 256 bytes from the pointer passed |
| `exec_site`   | as path_site, for execve and execveat                | `nr` u32, `path` u64[32], `argv` u64[24]: the pointers, `arg0`..`arg7` u64[16]: 128 bytes each |
| `argv_loader` | first instruction of a dynamic loader after an exec  | `argc` s64, `block0`..`block3` u64[64]: 2048 bytes from argv[0] on |
| `argv_kernel` | in the kernel, when the new program is set up        | `start` u64, `end` u64 (addresses of the block), `block0`..`block3` u64[64] |

Word arrays hold raw memory, not text: `symbols.words` cuts them into strings. They are used where the kernel
has no bounded way to read a string: a uprobe's strings of more than a page in sum overrun a kernel buffer
(kernel before 373b9338c972) or raise a WARN (since), and any user may pass such strings.
Several probes may share one event name (one place each); the fields are then the same.
`path_site` and `exec_site` hits precede their sys_enter on the same thread; a hit whose `nr` is not that of the
next sys_enter of its thread is to be ignored.
'''

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from ftracepy.probes import Tracepoint, Way, Wish
from ftracepy.sidefacts import SideFact

if TYPE_CHECKING:
    from ftracepy.tracefs import Tracefs

Mark = Callable[[SideFact], None]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events are wanted: everybody's, one process with all its threads (new ones too), or one thread."""

    pid: int | None = None
    tid: int | None = None


@dataclass(frozen=True, slots=True)
class ProbeDef:
    """One probe of ours. `kind` is the kernel's letter (p, r, e, t, f), `file` the tracefs file that takes it."""

    kind: str
    event: str
    place: str
    args: tuple[str, ...] = ()
    file: Literal["kprobe_events", "uprobe_events", "dynamic_events"] = "uprobe_events"

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


@dataclass(slots=True)
class Plan:
    """All that a live source sets up. Order: probes defined, aides started, probes enabled, events enabled.

    `pids` are the threads to write to set_event_pid (() = everybody), with event-fork if `follow_forks`.
    Own probe events are enabled once per distinct name. `notices` are for the user, at once.
    """

    events: list[Tracepoint] = field(default_factory=list)
    uprobes: list[ProbeDef] = field(default_factory=list)
    kprobes: list[ProbeDef] = field(default_factory=list)
    aides: list[Aide] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    pids: tuple[int, ...] = ()
    follow_forks: bool = False

    @property
    def probes(self) -> list[ProbeDef]:
        """Every probe of ours, whatever file takes it."""
        return [*self.kprobes, *self.uprobes]


def plan(wishes: Sequence[Wish], tracefs: Tracefs, *, scope: Scope = Scope()) -> Plan:
    """Decide how this kernel grants `wishes`, best way first, each way tried once per boot before it is believed.

    Raises KernelCannot where no event of a wish exists here.
    """
    from ftracepy.live.ways import grant

    return grant.grant(wishes, tracefs, scope)
