"""Kernel images by name, fetched once and kept."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from lab import build
from lab.debian import Apt, LabFault, locked, newest, unpack

MATRIX = ("5.10", "6.1", "6.12", "newest", "nobpf", "tracepoints", "arm64-6.12")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One image; `package` is Debian's name of it, `config` how it was built, where that is known."""

    name: str
    architecture: str
    package: str
    image: Path

    @property
    def config(self) -> Path | None:
        beside = self.image.with_name(self.image.name.replace("vmlinuz-", "config-"))
        return beside if beside.exists() and beside != self.image else None


def split(name: str) -> tuple[str, str]:
    """(Debian's word for the processor, the rest): "arm64-6.1" is ("arm64", "6.1")."""
    return ("arm64", name.removeprefix("arm64-")) if name.startswith("arm64-") else ("amd64", name)


def get(name: str, apt: Apt, cache: Path, *, update: bool = False) -> Kernel:
    """The kernel `name` ("6.1", "newest", "nobpf", "arm64-6.1", or a path of an image), where `apt` is for its processor.

    Raises LabFault where there is none.
    """
    if "/" in name:
        if not Path(name).is_file():
            raise LabFault(f"there is no {name}")
        return Kernel(name, apt.architecture, Path(name).name, Path(name))
    full, (_, name) = name, split(name)
    is_own = name in build.FRAGMENTS
    if is_own and apt.architecture != "amd64":
        raise LabFault(f"{name} is built for amd64 only\n  try     scripts/lab {name}")
    folder = cache / f"kernel-{apt.architecture}-{name}{f'-{build.key(name)}' if is_own else ''}"
    with locked(cache, folder.name):
        kept = sorted(folder.glob("vmlinuz-*"))
        if not kept or update:
            kept = [build.build(name, apt, folder) if is_own else _fetch(name, apt, folder)]
    version = kept[-1].name.removeprefix("vmlinuz-")
    return Kernel(full, apt.architecture, f"{version}-{name}" if is_own else version, kept[-1])


def _fetch(name: str, apt: Apt, folder: Path) -> Path:
    if not apt.is_ready:
        apt.update()
    package = newest(apt.kernels(), name, apt.architecture)
    print(f"lab: fetching {package}", file=sys.stderr)
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for part in (package, *apt.exact_dependencies(package, "linux-binary-", "linux-base-")):
        deb = apt.fetch(part)
        unpack(deb, draft)
        deb.unlink()
    found = list(draft.glob("boot/vmlinuz-*")) + list(draft.glob("usr/lib/modules/*/vmlinuz"))
    if not found:
        raise LabFault(f"{package} and what it depends on hold no kernel image")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    image = folder / ("vmlinuz-" + package.removeprefix("linux-image-").removesuffix("-unsigned"))
    found[0].rename(image)
    for config in (*draft.glob("boot/config-*"), *draft.glob("usr/lib/modules/*/config")):
        config.rename(image.with_name(image.name.replace("vmlinuz-", "config-")))
    shutil.rmtree(draft)
    return image
