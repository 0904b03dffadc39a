"""Grants events by pattern: those that are there, without those that lack a field of the filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.live.owner import PREFIX
from ftracepy.probes import Tracepoint, Tracepoints
from ftracepy.probespec import filters
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
    near = get_close_matches(name.strip("*"), {name for _, name in known}, n=1) or get_close_matches(
        system, {system for system, _ in known}, n=1
    )
    unknown.hint = f"ftracepy tpoint -l '*{near[0] if near else ''}*'"
    return unknown


def _with_fields(granting: Granting, wish: Tracepoints, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A filter that one event of a pattern cannot take would end the run of all; of one asked for by name it should."""
    wanted = set(filters.compared(wish.filter))
    if len(found) == 1 or not wanted:
        return found
    kept = [one for one in found if wanted <= _fields(granting, *one)]
    if not kept:
        hint = f"ftracepy tpoint -l '{wish.pattern}' shows the fields"
        raise KernelCannot(f"no event of {wish.pattern} has {' and '.join(sorted(wanted))}", hint=hint)
    if left := [":".join(one) for one in found if one not in kept]:
        more = f" and {len(left) - _NAMED_MOST} more" if len(left) > _NAMED_MOST else ""
        granting.plan.notices.append(f"left out, for they lack a field of the filter: {', '.join(left[:_NAMED_MOST])}{more}")
    return kept


def _fields(granting: Granting, system: str, name: str) -> set[str]:
    form = parse_event_format(events.format_bytes(granting.tracefs.root, system, name), system)
    return {one.name for one in form.fields}
