"""What a front end asks for, as plain values, and how it asks a run to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from ftracepy.values import dataclass, field

if TYPE_CHECKING:
    from ftracepy.tools.kit import AnyTool, Filters


@dataclass(frozen=True, slots=True)
class Common:
    """What every tool understands, beside its own options. `command` runs while the tool watches; its end ends the run.

    `only_command` leaves other processes out.
    """

    replay: str | None = None
    strict: bool = False
    tracefs_root: str | None = None
    buffer_kb: int | None = None
    command: tuple[str, ...] = ()
    only_command: bool = False


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """`events` are SYSTEM:EVENT or SYSTEM:EVENT/FILTER/ (globs allowed), `tools` tools with the options they are recorded for.

    `only_command` leaves other processes out.
    """

    output: str
    events: tuple[str, ...] = ()
    tools: tuple[tuple[AnyTool, Filters], ...] = ()
    buffer_kb: int | None = None
    clock: str = "mono"
    pid: int | None = None
    command: tuple[str, ...] = ()
    only_command: bool = False
    duration_s: float | None = None
    compression: Literal["none", "zstd", "zlib"] = "none"
    tracefs_root: str | None = None
    progress: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """Which events of a recording to show, and how; of `others` together with it. Times are seconds as shown."""

    path: str
    cpus: frozenset[int] = frozenset()
    events: tuple[str, ...] = ()
    pids: frozenset[int] = frozenset()
    since_s: float | None = None
    until_s: float | None = None
    format: Literal["text", "json", "csv"] = "text"
    style: Literal["kernel", "trace-cmd"] = "kernel"
    form: Literal["text", "raw", "latency"] = "text"
    ns: bool = False
    instance: str | None = None
    strict: bool = False
    follow: bool = False
    others: tuple[str, ...] = ()
    btf: str | None = None
    user_files: bool = False


@dataclass(slots=True)
class Stop:
    """Asks a run to end: set by signals and by the end of a command. Safe in a signal handler.

    `signum` is the first signal that asked (0: none did).
    """

    signum: int = 0
    asked: bool = False
    _actions: list[Callable[[], None]] = field(default_factory=list)

    def ask(self, signum: int = 0) -> None:
        if signum and not self.signum:
            self.signum = signum
        self.asked = True
        for action in self._actions:
            action()

    def on_ask(self, action: Callable[[], None]) -> None:
        """Do `action` when asked, at once where that has happened already."""
        self._actions.append(action)
        if self.asked:
            action()
