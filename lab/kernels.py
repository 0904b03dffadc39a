"""Kernel images by name, fetched once and kept."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.debian import Apt, LabFault, newest, unpack

MATRIX = ("5.10", "6.1", "6.12", "newest")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One image; `package` is Debian's name of it."""

    name: str
    package: str
    image: Path


def get(name: str, apt: Apt, cache: Path, *, update: bool = False) -> Kernel:
    """The kernel `name` ("6.1", "newest", or a path of an image). Raises LabFault where there is none."""
    if "/" in name:
        if not Path(name).is_file():
            raise LabFault(f"there is no {name}")
        return Kernel(name, Path(name).name, Path(name))
    folder = cache / f"kernel-{apt.architecture}-{name}"
    kept = sorted(folder.glob("vmlinuz-*"))
    if not kept or update:
        kept = [_fetch(name, apt, folder)]
    return Kernel(name, kept[-1].name.removeprefix("vmlinuz-"), kept[-1])


def _fetch(name: str, apt: Apt, folder: Path) -> Path:
    if not apt.is_ready:
        apt.update()
    package = newest(apt.kernels(), name, apt.architecture)
    print(f"lab: fetching {package}", file=sys.stderr)
    deb = apt.fetch(package)
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    unpack(deb, draft, "./boot/vmlinuz-*", "./boot/config-*")
    deb.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    (draft / "boot").rename(folder)
    shutil.rmtree(draft)
    return next(folder.glob("vmlinuz-*"))
