"""Everything in a tracefs that somebody could have set, as one dict, to be compared before and after.

Left out: data (trace pipes, counts, logs, names of tasks), what root itself may not read, and what belongs to
runs of ftracepy by other processes, which come and go on a busy machine.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from ftracepy.live.owner import owner_of

_DATA = frozenset(
    {
        "trace", "trace_pipe", "trace_pipe_raw", "snapshot", "snapshot_raw", "free_buffer", "stats", "README",
        "trace_marker", "trace_marker_raw", "saved_cmdlines", "saved_tgids", "error_log", "printk_formats",
        "available_filter_functions", "available_filter_functions_addrs", "enabled_functions", "touched_functions",
        "dyn_ftrace_total_info", "uprobe_profile", "kprobe_profile", "id", "format", "hist", "hist_debug", "inject",
    }
)  # fmt: skip


def snapshot(root: Path, runs_of: Collection[int] = ()) -> dict[str, str]:
    """Path below `root` -> text of every control file; a folder's entry says that it is there.

    Of ftracepy's own runs, those of the processes `runs_of` are seen.
    """
    return dict(_walk(root, root, frozenset(runs_of)))


def _walk(root: Path, folder: Path, runs_of: frozenset[int]) -> Iterator[tuple[str, str]]:
    for entry in sorted(os.listdir(folder)):
        path = folder / entry
        if entry in _DATA or _is_of_another(entry, runs_of):
            continue
        if path.is_dir():
            yield str(path.relative_to(root)) + "/", ""
            yield from _walk(root, path, runs_of)
        else:
            yield str(path.relative_to(root)), _text(path, runs_of)


def _text(path: Path, runs_of: frozenset[int]) -> str:
    try:
        lines = path.read_text(errors="backslashreplace").splitlines()
    except OSError as error:
        return f"({error.strerror})"
    return "\n".join(line for line in lines if not _is_of_another(_group(line), runs_of))


def _group(line: str) -> str:
    """The event system a line speaks of: `p:GROUP/event …` of probe files, `GROUP:event` of event lists."""
    first = line.split(" ")[0]
    return first.partition(":")[2].partition("/")[0] if "/" in first else first.partition(":")[0]


def _is_of_another(name: str, runs_of: frozenset[int]) -> bool:
    owner = owner_of(name)
    return owner is not None and owner.pid not in runs_of


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What changed, one line each; [] where nothing did."""
    names = sorted(before.keys() | after.keys())
    return [f"{name}: {before.get(name)!r} -> {after.get(name)!r}" for name in names if before.get(name) != after.get(name)]
