"""kprobe_events, uprobe_events and dynamic_events: adding, listing and removing probes, one line at a time.

The kernel rewrites a probe's text (0x10 becomes sixteen digits), so a probe is known by group and name alone.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Literal

from ftracepy.errors import KernelCannot
from ftracepy.tracefs import error_log, files
from ftracepy.values import dataclass

ProbeFile = Literal["kprobe_events", "uprobe_events", "dynamic_events"]
FILES: tuple[ProbeFile, ...] = ("kprobe_events", "uprobe_events", "dynamic_events")
_CONFIG: dict[str, str] = {
    "kprobe_events": "CONFIG_KPROBE_EVENTS=y",
    "uprobe_events": "CONFIG_UPROBE_EVENTS=y",
    "dynamic_events": "CONFIG_DYNAMIC_EVENTS (4.20 or newer)",
}
_LINE = r"^(?P<kind>\w)\d*:(?P<group>[^/\s]+)/(?P<name>\S+)\s*(?P<rest>.*)$"


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe as the kernel lists it."""

    file: ProbeFile
    kind: str
    group: str
    name: str
    rest: str


def add(root: Path, file: ProbeFile, definition: str, what: str = "") -> None:
    """Define one probe. Raises KernelCannot without the file, else FtracepyError with the kernel's words and caret."""
    what = what or f"cannot probe {_place(definition)!r}"
    path = root / file
    if not path.exists():
        raise KernelCannot(what, why=f"this kernel's tracefs has no {file}", hint=f"a kernel with {_CONFIG[file]}")
    try:
        files.write_raw(path, definition, flags=os.O_APPEND)
    except OSError as error:
        entry = error_log.answer_to(root, definition)
        raise files.fault(what, path, error, text=definition, kernel=entry.text() if entry else "") from None


def _place(definition: str) -> str:
    words = definition.split()
    return words[1] if len(words) > 1 else definition


def remove(root: Path, file: ProbeFile, group: str, name: str) -> None:
    """Remove every probe that shares group/name; one that is gone already is no fault. Raises FtracepyError (EBUSY: in use)."""
    try:
        files.write_raw(root / file, f"-:{group}/{name}", flags=os.O_APPEND)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return
        raise files.fault(f"cannot remove the probe {group}/{name}", root / file, error, text=f"-:{group}/{name}") from None


def listed(root: Path, file: ProbeFile) -> list[Probe]:
    """Every probe in `file`, whoever made it; [] where the file is missing or may not be read."""
    text = files.try_read(root / file) or ""
    matches = (re.match(_LINE, line) for line in text.splitlines())
    return [Probe(file, match["kind"], match["group"], match["name"], match["rest"]) for match in matches if match]


def in_group(root: Path, group: str) -> list[Probe]:
    """The probes of one group, each once (dynamic_events lists kprobes and uprobes too)."""
    found: dict[str, Probe] = {}
    for file in FILES:
        for probe in listed(root, file):
            if probe.group == group:
                found.setdefault(probe.name, probe)
    return list(found.values())


def supported(root: Path, file: ProbeFile) -> bool:
    """Whether the file is there at all; whether it takes a given probe only trying tells."""
    return (root / file).exists()
