"""list: what this kernel has to trace, and what is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import click

from ftracepy.cli import complete, functions
from ftracepy.cli.outputs import say, show


@click.command("list")
@click.argument("kind", type=click.Choice(["events", "tools", "functions", "probes", "instances"]))
@click.argument("pattern", default="", shell_complete=complete.listed)
@click.option("-v", "--verbose", is_flag=True, help="an event's fields and print fmt as well")
@click.option("--tracefs", metavar="ROOT", type=click.Path(), help="another tracefs root ($FTRACEPY_TRACEFS)")
def command(kind: str, pattern: str, verbose: bool, tracefs: str | None) -> int:
    """List events, tools, functions, probes or instances, one a line.

    PATTERN may hold * and ?; without them, every name that contains it is listed. Exit code 1 means that
    nothing matched.
    """
    wanted = pattern if any(mark in pattern for mark in "*?[") else f"*{pattern}*"
    found = False
    for name, more in _LISTS[kind](wanted, verbose, tracefs):
        found = True
        show(f"{name:<24} {more}" if more and not more.startswith("\n") else name)
        for line in more.splitlines()[1:]:
            show(line)
    if not found:
        say(f"no {kind} match '{pattern}'" if pattern else f"there are no {kind}")
    return 0 if found else 1


Listed = Iterator[tuple[str, str]]


def _events(wanted: str, verbose: bool, tracefs: str | None) -> Listed:
    from ftracepy.tracefs import events

    root = _root(tracefs)
    for system, name in events.names(root):
        if _matches(f"{system}:{name}", wanted):
            yield f"{system}:{name}", _fields(root, system, name) if verbose else ""


def _matches(event: str, wanted: str) -> bool:
    """A pattern without a colon means the event's own name, or the whole of SYSTEM:EVENT."""
    return fnmatchcase(event, wanted) or (":" not in wanted and fnmatchcase(event.partition(":")[2], wanted))


def _fields(root: Path, system: str, name: str) -> str:
    from ftracepy.schema import parse_event_format
    from ftracepy.tracefs import events

    text = events.format_bytes(root, system, name).decode("utf-8", "backslashreplace")
    form = parse_event_format(text, system)
    fields = [f"    {field.offset:>4} {field.size:>4}  {field.type} {field.name}" for field in form.fields]
    return "\n".join(["", *fields, f"    print fmt: {form.print_fmt}"])


def _tools(wanted: str, verbose: bool, tracefs: str | None) -> Listed:
    from ftracepy.tools import kit

    yield from ((name, kit.summary(name)) for name in kit.names() if fnmatchcase(name, wanted))


def _functions(wanted: str, verbose: bool, tracefs: str | None) -> Listed:
    """What the function tracer can hook; on a kernel without it, every symbol that is code."""
    if not (found := functions.hookable(_root(tracefs))):
        say("this kernel has no function tracer; these are the code symbols of /proc/kallsyms")
        found = list(functions.symbols())
    yield from ((name, module) for name, module in found if fnmatchcase(name, wanted))


def _probes(wanted: str, verbose: bool, tracefs: str | None) -> Listed:
    from ftracepy.tracefs import probes

    root, seen = _root(tracefs), set()
    for file in probes.FILES:
        for probe in probes.listed(root, file):
            name = f"{probe.group}:{probe.name}"
            if fnmatchcase(name, wanted) and (name, probe.rest) not in seen:
                seen.add((name, probe.rest))
                yield name, f"{probe.kind} {probe.rest}"


def _instances(wanted: str, verbose: bool, tracefs: str | None) -> Listed:
    from ftracepy.tracefs import instances

    yield from ((name, "") for name in instances.names(_root(tracefs)) if fnmatchcase(name, wanted))


def _root(given: str | None) -> Path:
    from ftracepy import tracefs

    return tracefs.find(given, say=say).root


_LISTS: dict[str, Callable[[str, bool, str | None], Listed]] = {
    "events": _events,
    "tools": _tools,
    "functions": _functions,
    "probes": _probes,
    "instances": _instances,
}
