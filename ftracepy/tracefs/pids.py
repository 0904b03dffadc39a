"""set_event_pid and set_event_notrace_pid: whose events an instance takes.

Both hold thread ids as the first pid namespace counts them. With the option event-fork, children of listed
threads (new threads too) are added to BOTH lists, and those that exit leave them (kernel: trace_events.c,
event_filter_pid_sched_process_fork).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ftracepy.tracefs import files, options

ONLY, NOT = "set_event_pid", "set_event_notrace_pid"


def get(root: Path, file: str) -> list[int]:
    """The listed threads; [] where the list is empty, missing or may not be read."""
    return [int(word) for word in (files.try_read(root / file) or "").split() if word.isdigit()]


def add_only(root: Path, tids: Iterable[int]) -> None:
    """From now on take events of these threads too, and of no thread that is not listed."""
    _add(root, ONLY, tids, "cannot restrict tracing to these processes")


def add_not(root: Path, tids: Iterable[int]) -> bool:
    """Take no events of these threads; False before 5.7, which has no such list."""
    if not (root / NOT).exists():
        return False
    _add(root, NOT, tids, "cannot leave our own threads out")
    return True


def _add(root: Path, file: str, tids: Iterable[int], what: str) -> None:
    text = " ".join(str(tid) for tid in tids)
    if text:
        files.append(root / file, text, what)


def clear(root: Path, file: str) -> None:
    files.truncate(root / file)


def follow_forks(root: Path, on: bool = True) -> None:
    """Let children of listed threads be listed too; function-fork is the function tracer's own switch."""
    options.set_option(root, "event-fork", on)
    if options.exists(root, "function-fork"):
        options.set_option(root, "function-fork", on)
