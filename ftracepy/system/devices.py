"""Block devices by the numbers that events name them by, and device lines: what a DEVICES side fact holds of each.

A line is `number name disk start sectors`; numbers are the kernel's own dev_t (major << 20 | minor), sectors have
512 bytes. Of a partition `disk` is the device it lies on, from its sector `start`; a disk is its own, from sector 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ftracepy.values import dataclass

_MINOR_BITS = 20
_ROOT = Path("/sys/dev/block")


@dataclass(frozen=True, slots=True)
class Device:
    """One disk or partition."""

    number: int
    name: str
    disk: int
    start: int = 0
    sectors: int = 0


def number(text: str) -> int | None:
    """The dev_t of MAJOR,MINOR or MAJOR:MINOR; None where `text` is neither."""
    major, _, minor = text.replace(":", ",").partition(",")
    return int(major) << _MINOR_BITS | int(minor) if major.isdecimal() and minor.isdecimal() else None


def shown(dev: int) -> str:
    """MAJOR,MINOR."""
    return f"{dev >> _MINOR_BITS},{dev & (1 << _MINOR_BITS) - 1}"


def read(root: Path = _ROOT) -> list[Device]:
    """The devices there are now; those that vanish meanwhile are left out."""
    found = []
    for text in sorted(os.listdir(root)) if root.is_dir() else ():
        try:
            found.append(_device(root / text, text))
        except (OSError, ValueError):
            continue
    return found


def _device(folder: Path, text: str) -> Device:
    """The kernel writes the / in a name as ! there."""
    path = Path(os.path.realpath(folder))
    dev, name, sectors = number(text) or 0, path.name.replace("!", "/"), int((path / "size").read_text())
    if not (path / "partition").exists():
        return Device(dev, name, dev, 0, sectors)
    return Device(dev, name, number((path.parent / "dev").read_text().strip()) or 0, int((path / "start").read_text()), sectors)


def find(asked: str, known: Iterable[Device]) -> Device | None:
    """The device of this name (with /dev/ or without) or these numbers."""
    name, dev = asked.removeprefix("/dev/"), number(asked)
    return next((one for one in known if one.name == name or one.number == dev), None)


def pack(devices: Iterable[Device]) -> bytes:
    """The body of a DEVICES fact."""
    lines = (f"{one.number} {one.name} {one.disk} {one.start} {one.sectors}\n" for one in devices)
    return "".join(lines).encode("utf-8", "surrogateescape")


def unpack(body: bytes) -> list[Device]:
    """The devices of a fact; what is no device line is left out."""
    return [one for line in body.decode("utf-8", "backslashreplace").splitlines() if (one := _of_line(line)) is not None]


def _of_line(line: str) -> Device | None:
    try:
        dev, name, disk, start, sectors = line.split(" ")
        return Device(int(dev), name, int(disk), int(start), int(sectors))
    except ValueError:
        return None
