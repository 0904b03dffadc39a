"""A live source for wishes: tracefs found, this kernel's ways planned, a command held back until tracing is on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ftracepy import live, tracefs
from ftracepy.live.plan import Plan, Scope, plan
from ftracepy.values import dataclass, field

if TYPE_CHECKING:
    from ftracepy.live import LiveSource
    from ftracepy.pipeline.children import Child
    from ftracepy.pipeline.requests import Stop
    from ftracepy.probes import Wish
    from ftracepy.tracefs import Tracefs


@dataclass(frozen=True, slots=True)
class Setting:
    """How to watch: whose events, on what clock, in how large a buffer; `header` goes into the HEADER fact."""

    header: dict[str, object]
    scope: Scope = field(default_factory=Scope)
    clock: str = "mono"
    buffer_kb: int | None = None
    symbols: bool | None = False
    command: tuple[str, ...] = ()
    only_command: bool = False
    command_to_stderr: bool = False
    duration_s: float | None = None
    facts: bool = True


def find(root: str | None, say: Callable[[str], None]) -> Tracefs:
    """The tracefs to work on; mounted, and said so, where root can mount it."""
    return tracefs.find(root, say=say)


def open_live(
    where: Tracefs, wishes: Sequence[Wish], setting: Setting, stop: Stop, say: Callable[[str], None], undo: ExitStack
) -> LiveSource:
    """Enter the source; then let the command run, if there is one, its end asking `stop`. `undo` ends both.

    Raises FtracepyError for what the kernel cannot, does not allow, or for a command that cannot be run.
    """
    child = undo.enter_context(_held(setting)) if setting.command else None

    def chosen() -> Plan:
        all_ = plan(wishes, where, scope=setting.scope)
        if not child or not setting.only_command:
            return all_
        if all_.everywhere:
            say("some of these events happen in whatever task runs then: they are shown of all")
        return all_.only(child.pid)

    source = undo.enter_context(
        live.open(
            chosen,
            tracefs=where,
            clock=setting.clock,
            buffer_kb=setting.buffer_kb,
            header=setting.header,
            facts=setting.facts,
            symbols=setting.symbols,
            duration_s=setting.duration_s,
            say=say,
        )
    )
    stop.on_ask(source.stop)
    if child:
        child.go(stop.ask)
    return source


def _held(setting: Setting) -> Child:
    from ftracepy.pipeline.children import Child

    return Child(setting.command, to_stderr=setting.command_to_stderr)
