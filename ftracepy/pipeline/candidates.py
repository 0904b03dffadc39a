"""What can be probed on this kernel: its events and functions by name, and what is known of each."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from ftracepy import tracefs
from ftracepy.errors import FtracepyError
from ftracepy.schema import FormatFault, parse_event_format
from ftracepy.tracefs import events, functions
from ftracepy.values import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing to probe: `name` is SYSTEM:EVENT, or the function's name."""

    kind: Literal["event", "function"]
    name: str


def candidates(tracefs_root: str | None = None) -> list[Candidate]:
    """All events, then all functions, in order of their names. Raises FtracepyError where there is no tracefs to read."""
    root = tracefs.find(tracefs_root).root
    found = [Candidate("event", f"{system}:{name}") for system, name in events.names(root)]
    with suppress(FtracepyError):  # a kernel whose functions may not be hooked
        found += [Candidate("function", name) for name in sorted({one.name for one in functions.available(root)})]
    return found


def fields_of(event: str, tracefs_root: str | None = None) -> list[tuple[str, str]]:
    """(name, type) of an event's own fields. Raises FtracepyError where there is no such event."""
    system, _, name = event.partition(":")
    text = events.format_bytes(tracefs.find(tracefs_root).root, system, name)
    try:
        parsed = parse_event_format(text.decode("utf-8", "backslashreplace"), system, 8)
    except FormatFault as fault:
        raise FtracepyError(f"cannot read the format of {event}", why=str(fault)) from None
    return [(one.name, one.type) for one in parsed.fields]
