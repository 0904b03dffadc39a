"""Kernels that no distribution has, built once from Debian's source: without bpf(2), and with nothing but tracepoints."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lab.debian import Apt, LabFault, locked, run, unpack

FRAGMENTS = {"nobpf": ("nobpf.config",), "tracepoints": ("nobpf.config", "tracepoints.config")}
# Kprobes without modules need Linux 6.10 or newer.
_SOURCE = "linux-source-6.12"
# Most of the source by number and size; how to configure it stays.
_NOT_BUILT = (
    "*.rst", "*.yaml", "*.dts", "*.dtsi", "*/tools/testing/*", "*/tools/perf/*", "*/drivers/gpu/*.[ch]", "*/sound/*.[ch]",
    "*/drivers/net/ethernet/*.[ch]", "*/drivers/net/wireless/*.[ch]", "*/drivers/media/*.[ch]", "*/drivers/staging/*.[ch]",
)  # fmt: skip
_NEEDED = {"make": "make", "gcc": "gcc", "flex": "flex", "bison": "bison", "bc": "bc", "xz": "xz-utils"}
_HERE = Path(__file__).parent


def key(name: str) -> str:
    """Changes when what the kernel is built with does."""
    lines = [line for line in _wanted(name).splitlines() if "CONFIG_" in line]
    return hashlib.sha256("\n".join([_SOURCE, *lines]).encode()).hexdigest()[:12]


def _wanted(name: str) -> str:
    return "".join((_HERE / part).read_text() for part in FRAGMENTS[name])


def build(name: str, apt: Apt, folder: Path) -> Path:
    """The image of the kernel `name`, put into `folder` with its configuration. Raises LabFault where it cannot be built."""
    missing = [package for program, package in _NEEDED.items() if shutil.which(program) is None]
    missing += [] if Path("/usr/include/gelf.h").exists() else ["libelf-dev"]
    if missing:
        raise LabFault(
            f"cannot build a kernel: not installed here: {' '.join(missing)}\n  try     apt-get install {' '.join(missing)}"
        )
    print(f"lab: building the kernel {name!r} from {_SOURCE}, once", file=sys.stderr)
    with locked(folder.parent, "build"):
        tree = _source(apt, folder.parent / "build")
        out = folder.parent / "build" / name
        out.mkdir(exist_ok=True)
        make = ["make", "-s", "-C", str(tree), f"O={out}"]
        _configure(make, out, _wanted(name))
        run([*make, f"-j{os.cpu_count() or 1}", "bzImage"])
        release = run([*make, "kernelrelease"]).strip()
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / ".config", folder / f"config-{release}")
        image = folder / f"vmlinuz-{release}"
        shutil.copy(out / "arch/x86/boot/bzImage", image)
        shutil.rmtree(out)
    return image


def _source(apt: Apt, place: Path) -> Path:
    """The unpacked source; kept, for it serves both kernels."""
    tree = place / _SOURCE
    if not tree.exists():
        shutil.rmtree(place, ignore_errors=True)
        if not apt.is_ready:
            apt.update()
        deb = apt.fetch(_SOURCE)
        unpack(deb, place / "package", "./usr/src/*.tar.xz")
        deb.unlink()
        (packed,) = place.glob("package/usr/src/*.tar.xz")
        run(["tar", "-xf", str(packed), "-C", str(place / "package"), *(f"--exclude={name}" for name in _NOT_BUILT)])
        (draft,) = place.glob("package/linux-source-*/")
        draft.rename(tree)  # so that one cut short is never taken for whole
        shutil.rmtree(place / "package")
    return tree


def _configure(make: list[str], out: Path, wanted: str) -> None:
    run([*make, "tinyconfig"])
    with (out / ".config").open("a") as config:
        config.write(wanted)
    # The last of several settings of one option counts; make says so of each on stderr.
    subprocess.run([*make, "olddefconfig"], capture_output=True, check=True)
    known = dict(re.findall(r"^(CONFIG_\w+)=(\S+)", (out / ".config").read_text(), re.MULTILINE))
    ruled_out = set(re.findall(r"^# (CONFIG_\w+) is not set", wanted, re.MULTILINE))
    asked = set(re.findall(r"^(CONFIG_\w+)=", wanted, re.MULTILINE)) - ruled_out
    lacking = (asked - known.keys()) | (ruled_out & known.keys())
    if lacking:
        raise LabFault(f"Debian's source cannot be configured so: {' '.join(sorted(lacking))}")
