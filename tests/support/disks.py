"""Disks of a test's own: a lab guest's NVMe ones, told by their serial numbers, elsewhere a loop device."""

from __future__ import annotations

import fcntl
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MB = 1 << 20
_BLKPG, _ADD, _DELETE = 0x1269, 1, 2  # include/uapi/linux/blkpg.h


@dataclass(frozen=True, slots=True)
class Stat:
    """/sys/block/NAME/stat: what the kernel itself counted."""

    reads: int
    reads_merged: int
    sectors_read: int
    read_ms: int
    writes: int
    writes_merged: int
    sectors_written: int
    write_ms: int


def stat(name: str) -> Stat:
    return Stat(*(int(word) for word in Path(f"/sys/block/{name}/stat").read_text().split()[:8]))


def done(name: str, before: Stat) -> Stat:
    """What was done since."""
    after = stat(name)
    return Stat(*(getattr(after, one) - getattr(before, one) for one in Stat.__slots__))


def nvme(serial: str) -> str | None:
    """The lab's disk of that serial number."""
    for place in Path("/sys/class/block").glob("nvme*n1"):
        if (place / "device/serial").read_text().strip() == serial:
            return place.name
    return None


@contextmanager
def own(folder: Path) -> Iterator[str | None]:
    """A disk of 16 MB and more that nobody else uses; None where there is none to be had."""
    if (name := nvme("disk")) is not None:
        yield name
        return
    file = folder / "disk"
    with file.open("wb") as out:
        out.truncate(16 * _MB)
    made = subprocess.run(["losetup", "-f", "--show", str(file)], capture_output=True, text=True, check=False)
    name = made.stdout.strip().removeprefix("/dev/")
    try:
        yield name or None
    finally:
        if name:
            subprocess.run(["losetup", "-d", f"/dev/{name}"], check=True)


@contextmanager
def partition(name: str, number: int, start_bytes: int, size_bytes: int) -> Iterator[str]:
    """A partition of the disk, known to the kernel alone."""
    with open(f"/dev/{name}", "rb") as disk:
        fcntl.ioctl(disk, _BLKPG, *_arguments(_ADD, number, start_bytes, size_bytes))
        try:
            yield f"{name}p{number}"
        finally:
            fcntl.ioctl(disk, _BLKPG, *_arguments(_DELETE, number, 0, 0))


def _arguments(operation: int, number: int, start_bytes: int, size_bytes: int) -> tuple[bytes]:
    import ctypes

    part = ctypes.create_string_buffer(struct.pack("@qqi64s64s4x", start_bytes, size_bytes, number, b"", b""))
    _KEPT.append(part)
    return (struct.pack("@iiiP", operation, 0, len(part), ctypes.addressof(part)),)


_KEPT: list[object] = []  # what an ioctl points at
