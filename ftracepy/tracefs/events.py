"""events/: which events there are, their formats, switching them on, and their filters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from ftracepy.errors import KernelCannot
from ftracepy.tracefs import files


def exists(root: Path, system: str, name: str) -> bool:
    return (root / "events" / system / name / "id").exists() or (root / "events" / system / name / "format").exists()


def names(root: Path) -> list[tuple[str, str]]:
    """Every (system, event) that can be enabled, as available_events lists them."""
    pairs = (line.partition(":") for line in files.read_text(root / "available_events").splitlines())
    return sorted((system, name) for system, colon, name in pairs if colon)


def matching(root: Path, pattern: str) -> list[tuple[str, str]]:
    """The events that `SYSTEM:EVENT` means, both parts being shell patterns; a bare SYSTEM means all its events."""
    system, _, name = pattern.partition(":")
    if not any(mark in pattern for mark in "*?[") and name:
        return [(system, name)] if exists(root, system, name) else []
    return [pair for pair in names(root) if fnmatchcase(pair[0], system) and fnmatchcase(pair[1], name or "*")]


def format_bytes(root: Path, system: str, name: str) -> bytes:
    """The event's `format` text. Raises KernelCannot where this kernel has no such event."""
    if not (path := root / "events" / system / name / "format").exists():
        raise no_such_event(system, name)
    return files.read_bytes(path, f"cannot read the format of {system}:{name}")


def system_formats(root: Path, system: str) -> Iterator[tuple[str, bytes]]:
    """(name, format text) of every event of one system."""
    try:
        entries = sorted(entry.name for entry in os.scandir(root / "events" / system) if entry.is_dir())
    except OSError as error:
        raise files.fault(f"cannot list the events of {system}", root / "events" / system, error) from None
    for name in entries:
        yield name, files.read_bytes(root / "events" / system / name / "format")


def event_id(root: Path, system: str, name: str) -> int | None:
    """What common_type holds for this event; None where there is no such event."""
    text = files.try_read(root / "events" / system / name / "id")
    return int(text) if text and text.strip().isdigit() else None


def set_enabled(root: Path, system: str, name: str, on: bool = True) -> None:
    """Switch one event on or off; `name` "*" means the whole system. Raises KernelCannot where there is no such event."""
    folder = root / "events" / system
    path = (folder if name == "*" else folder / name) / "enable"
    if not path.exists():
        raise no_such_event(system, name)
    files.write(path, "1" if on else "0", f"cannot {'enable' if on else 'disable'} the event {system}:{name}")


def is_enabled(root: Path, system: str, name: str) -> bool:
    """Whether the event is on; "1*" (a trigger holds it) counts, soft-disabled "0*" does not."""
    return (files.try_read(root / "events" / system / name / "enable") or "").startswith("1")


def enabled(root: Path) -> list[str]:
    """SYSTEM:EVENT of every event that is on, as set_event lists them."""
    return [line for line in (files.try_read(root / "set_event") or "").splitlines() if ":" in line]


def set_filter(root: Path, system: str, name: str, expression: str) -> None:
    """Give an event a filter ("" removes it). Raises FtracepyError with the kernel's parse error and caret."""
    path = root / "events" / system / name / "filter"
    if not path.exists():
        raise no_such_event(system, name)
    what = f"cannot filter {system}:{name} by {expression!r}"
    try:
        files.write_raw(path, expression or "0")
    except OSError as error:
        said = filter_error(path)
        _clear(path)
        hint = f"ftracepy list events -v {system}:{name} shows its fields" if said else ""
        raise files.fault(what, path, error, text=expression, kernel=said, hint=hint) from None


def filter_error(path: Path) -> str:
    """The kernel's words after a refused filter, message first: it leaves them in the filter file itself."""
    expression, _, message = (files.try_read(path) or "").partition("parse_error:")
    lines = [line for line in expression.splitlines() if line.strip()]
    return "\n".join([message.strip(), *(f"  {line}" for line in lines)]) if message else ""


def add_trigger(root: Path, system: str, name: str, trigger: str) -> None:
    """Have an event do something more at each hit. Raises KernelCannot (no triggers here) or FtracepyError (refused)."""
    path = root / "events" / system / name / "trigger"
    files.write(path, trigger, f"cannot set the trigger {trigger!r} on {system}:{name}")


def remove_trigger(root: Path, system: str, name: str, trigger: str) -> None:
    """Take a trigger back that was set with the same text. Raises FtracepyError."""
    path = root / "events" / system / name / "trigger"
    files.write(path, f"!{trigger}", f"cannot remove the trigger {trigger!r} of {system}:{name}")


def _clear(path: Path) -> None:
    """A refused filter's text stays until the next write; the event then has no filter."""
    try:
        files.write_raw(path, "0")
    except OSError:
        return


def no_such_event(system: str, name: str) -> KernelCannot:
    return KernelCannot(
        f"this kernel has no event {system}:{name}",
        why=_MISSING.get(system, ""),
        hint=f"ftracepy list events '*{name.strip('*')}*'",
    )


_MISSING = {
    "syscalls": "either CONFIG_FTRACE_SYSCALLS is off, or this architecture has no such system call",
    "raw_syscalls": "CONFIG_HAVE_SYSCALL_TRACEPOINTS is missing on this architecture",
}


def first_existing(root: Path, candidates: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The first of several names that this kernel has: events are renamed between versions."""
    return next((pair for pair in candidates if exists(root, *pair)), None)
