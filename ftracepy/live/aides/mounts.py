"""Which file systems are mounted, in every mount namespace there is, and the paths by which to reach them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ftracepy.values import dataclass

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system: `path` reaches it from here, `whole` says that its own root is what is mounted.

    `prefix` is the part of `path` that reaches the mount namespace, "" for our own.
    """

    device: str
    path: str
    kind: str
    whole: bool = True
    prefix: str = ""


def mounted(proc: Path = Path("/proc")) -> list[Mount]:
    """Each file system once, own namespace first, whole ones before parts of them."""
    found: dict[str, Mount] = {}
    for folder, prefix in _namespaces(proc):
        for mount in _mounts(folder, prefix):
            if mount.device not in found or (mount.whole and not found[mount.device].whole):
                found[mount.device] = mount
    return list(found.values())


def _namespaces(proc: Path) -> Iterator[tuple[Path, str]]:
    """(folder in /proc, path prefix) of one process of each mount namespace."""
    own = _link(proc / "self/ns/mnt")
    seen = {own}
    yield proc / "self", ""
    for name in os.listdir(proc):
        if name.isdigit() and (namespace := _link(proc / name / "ns/mnt")) and namespace not in seen:
            seen.add(namespace)
            yield proc / name, f"{proc}/{name}/root"


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _mounts(folder: Path, prefix: str) -> Iterator[Mount]:
    """Parse mountinfo (proc_pid_mountinfo(5)); later lines hide earlier ones at the same place."""
    try:
        lines = (folder / "mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return
    by_place: dict[str, Mount] = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) > 4:
            place = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
            by_place.pop(place, None)
            by_place[place] = Mount(fields[2], prefix + place, after.partition(" ")[0], fields[3] == "/", prefix)
    yield from by_place.values()
