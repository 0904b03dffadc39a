"""Everything in a tracefs that somebody could have set, as one dict, to be compared before and after.

Left out: data (trace pipes, counts, logs, names of tasks), what root itself may not read, and what belongs to
runs of ftracepy by other processes, which come and go on a busy machine.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from ftracepy.live.owner import PREFIX, owner_of

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

    Of ftracepy's own runs, those of the processes `runs_of` are seen. Thousands of files, on emulated processors too:
    hence no pathlib and no look at texts that cannot speak of a run.
    """
    return dict(_walk(os.fspath(root), "", frozenset(runs_of)))


def _walk(root: str, folder: str, runs_of: frozenset[int]) -> Iterator[tuple[str, str]]:
    with os.scandir(f"{root}/{folder}") as found:
        entries = [(entry.name, entry.is_dir()) for entry in found if entry.name not in _DATA]
    for entry, is_folder in entries:
        if _is_of_another(entry, runs_of):
            continue
        if is_folder:
            yield f"{folder}{entry}/", ""
            yield from _walk(root, f"{folder}{entry}/", runs_of)
        else:
            yield folder + entry, _text(f"{root}/{folder}{entry}", runs_of)


def _text(path: str, runs_of: frozenset[int]) -> str:
    try:
        text = _read(path).decode(errors="backslashreplace")
    except OSError as error:
        return f"({error.strerror})"
    if PREFIX not in text:
        return text
    return "".join(line for line in text.splitlines(keepends=True) if not _is_of_another(_group(line), runs_of))


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        whole = b""
        while piece := os.read(fd, 1 << 16):
            whole += piece
        return whole
    finally:
        os.close(fd)


def _group(line: str) -> str:
    """The event system a line speaks of: `p:GROUP/event …` of probe files, `GROUP:event` of event lists."""
    first = line.split(" ")[0]
    return first.partition(":")[2].partition("/")[0] if "/" in first else first.partition(":")[0]


def _is_of_another(name: str, runs_of: frozenset[int]) -> bool:
    owner = owner_of(name) if PREFIX in name else None
    return owner is not None and owner.pid not in runs_of


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What changed, one line each; [] where nothing did."""
    names = sorted(before.keys() | after.keys())
    return [f"{name}: {before.get(name)!r} -> {after.get(name)!r}" for name in names if before.get(name) != after.get(name)]
