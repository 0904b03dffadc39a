"""From what a user names, events and tools, to wishes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ftracepy.errors import UsageFault
from ftracepy.probes import Cgroups, Tasks, Tracepoint

if TYPE_CHECKING:
    from ftracepy.probes import Wish
    from ftracepy.tools.kit import AnyTool, Filters
    from ftracepy.tracefs import Tracefs


def wished(events: Sequence[str], tools: Sequence[tuple[AnyTool, Filters]], where: Tracefs) -> Iterator[Wish]:
    """The wishes of events named as SYSTEM:EVENT/FILTER/ and of tools. Raises KernelCannot (no such event) or UsageFault."""
    for text in events:
        yield from _tracepoints(text, where)
    for tool, options in tools:
        yield from tool.wishes(options)
    if tools:
        yield Tasks()
        yield Cgroups()


def _tracepoints(text: str, where: Tracefs) -> Iterator[Tracepoint]:
    """SYSTEM:EVENT, EVENT or SYSTEM, with globs, and /FILTER/ at the end."""
    from ftracepy.tracefs import events

    name, _, filter_ = text.partition("/")
    if filter_ and not filter_.endswith("/"):
        raise UsageFault(f"the filter of '{text}' has no closing slash", hint=f"-e '{name}/{filter_}/'")
    found = events.matching(where.root, name)
    if not found:
        system, _, event = name.rpartition(":")
        raise events.no_such_event(system, event)
    for system, event in found:
        yield Tracepoint(system, event, filter_.removesuffix("/"))
