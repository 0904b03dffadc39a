"""Grants events by pattern: those that are there, without those that lack a field of the filter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.live.owner import PREFIX
from ftracepy.probes import Tracepoint, Tracepoints
from ftracepy.probespec import filters, pointing
from ftracepy.schema import parse_event_format
from ftracepy.tracefs import events

if TYPE_CHECKING:
    from ftracepy.live.ways.grant import Granting

_NAMED_MOST = 5


def grant(granting: Granting, wish: Tracepoints) -> None:
    """Raises UsageFault without a pattern, KernelCannot where no event matches it."""
    if not wish.pattern:
        raise UsageFault("which tracepoint?", hint="ftracepy tpoint -l 'sched:*' lists those of sched, -l alone all")
    root = granting.tracefs.root
    # Another run's probes are not for us: one that somebody else has switched on cannot be removed.
    found = [one for one in events.names(root) if wish.takes(*one) and not one[0].startswith(PREFIX)]
    if not found:
        raise _unknown(granting, wish.pattern)
    if wish.only_formats:
        granting.plan.formats += [Tracepoint(*one) for one in found]
        return
    granting.add(Tracepoint(*one, wish.filter, stack=wish.stack) for one in _with_fields(granting, wish, found))


def _unknown(granting: Granting, pattern: str) -> FtracepyError:
    from difflib import get_close_matches

    system, _, name = pattern.rpartition(":")
    unknown = events.no_such_event(system or "*", name)
    known = events.names(granting.tracefs.root)
    bare, names = name.strip("*"), {name for _, name in known}
    near = get_close_matches(bare, names, n=1) or get_close_matches(system, {system for system, _ in known}, n=1)
    meant = bare if bare and any(bare in one for one in names) else near[0] if near else ""
    unknown.hint = f"ftracepy tpoint -l '*{meant}*'" if meant else "ftracepy tpoint -l lists all"
    return unknown


def _with_fields(granting: Granting, wish: Tracepoints, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A filter that one event of a pattern cannot take would end the run of all; of one asked for by name it should.

    There the kernel says so, but for events that are watched for names of tasks, with all their hits.
    """
    from ftracepy.live.ways.grant import TASK_EVENTS

    wanted = set(filters.compared(wish.filter))
    by_name = len(found) == 1 and Tracepoint(*found[0]) not in TASK_EVENTS
    if by_name or not wanted:
        return found
    kept = [one for one in found if wanted <= _fields(granting, *one)]
    if not kept:
        raise _no_field(granting, wish, wanted, found)
    if left := [":".join(one) for one in found if one not in kept]:
        more = f" and {len(left) - _NAMED_MOST} more" if len(left) > _NAMED_MOST else ""
        granting.plan.notices.append(f"left out, for they lack a field of the filter: {', '.join(left[:_NAMED_MOST])}{more}")
    return kept


def _no_field(granting: Granting, wish: Tracepoints, wanted: set[str], found: list[tuple[str, str]]) -> FtracepyError:
    if len(found) > 1:
        hint = f"ftracepy tpoint -l '{wish.pattern}' shows the fields"
        return KernelCannot(f"no event of {wish.pattern} has {' and '.join(sorted(wanted))}", hint=hint)
    known = _fields(granting, *found[0])
    missing = next(name for name in filters.compared(wish.filter) if name not in known)
    at = re.search(rf"\b{missing}\b", wish.filter)
    words = pointing.caret("Field not found", wish.filter, at.start() if at else 0)
    hint = f"its fields: {', '.join(sorted(known))}, and comm, cpu and common_pid as of every event"
    return FtracepyError(f"cannot filter {':'.join(found[0])} by {wish.filter!r}", kernel=words, hint=hint)


def _fields(granting: Granting, system: str, name: str) -> set[str]:
    form = parse_event_format(events.format_bytes(granting.tracefs.root, system, name), system)
    return {one.name for one in form.fields}
