"""What a guest needs compiled: the C decoder for another processor, and the small programs that live tests probe.

A guest has no compiler, so this machine's, or a cross compiler, makes them; what cannot be made is left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.debian import run

PROGRAMS = "programs"
_COMPILERS = {"amd64": ("x86_64", "x86_64-linux-gnu-gcc"), "arm64": ("aarch64", "aarch64-linux-gnu-gcc")}
_FOLDER = "ftracepy/_fastparse"
# Of the stable ABI, so headers of this machine's Python serve: both are 64-bit and little-endian.
_OPTIONS = ("-shared", "-fPIC", "-std=c11", "-O2", "-fvisibility=hidden", "-DPy_LIMITED_API=0x030B0000", "-DFP_HAVE_TEXT=1")


def compiler(architecture: str) -> str | None:
    """The program that compiles C for it; None where it is not installed."""
    machine, name = _COMPILERS[architecture]
    wanted = "gcc" if machine == os.uname().machine else name
    if shutil.which(wanted) is None:
        return None
    return wanted


def decoder(root: Path, stage: Path, architecture: str) -> str | None:
    """Its name below `stage`, made anew if a source is newer; None, and a word on stderr, without a compiler for it."""
    name = f"{_FOLDER}/_core.abi3.so"
    if (gcc := compiler(architecture)) is None:
        print(f"lab: no compiler for {architecture} here, so the guest decodes by the Python twin", file=sys.stderr)
        (stage / name).unlink(missing_ok=True)
        return None
    folder = root / _FOLDER
    sources = sorted([*folder.glob("*.c"), *folder.glob("core/*.c")])
    newest = max(path.stat().st_mtime for path in (*sources, *folder.glob("**/*.h")))
    if not (stage / name).exists() or (stage / name).stat().st_mtime < newest:
        python = [str(root / ".venv/bin/python"), "-c", "import sysconfig; print(sysconfig.get_path('include'))"]
        places = [f"-I{place}" for place in (folder, folder / "core", run(python).strip())]
        run([gcc, *_OPTIONS, *places, "-o", str(stage / name), *map(str, sources)])
    return name


def programs(root: Path, stage: Path, architecture: str) -> Iterator[str]:
    """The names, below `stage`, of the programs that live tests probe; made anew if what they are made from is newer."""
    source = root / "tests/support/programs.py"
    if (gcc := compiler(architecture)) is None or not source.exists():
        return
    folder, made = stage / PROGRAMS, stage / PROGRAMS / ".made"
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        _compile_all(folder, gcc)
        made.touch()
    yield PROGRAMS
    yield from (f"{PROGRAMS}/{path.name}" for path in folder.iterdir() if path.name[0] != "." and path.suffix != ".c")


def _compile_all(folder: Path, gcc: str) -> None:
    from tests.support.programs import FRAMES, PROBED

    for name, (flags, source) in PROBED.items():
        code, path = folder / f"{name}.c", folder / name
        path.unlink(missing_ok=True)
        code.write_text(source)
        # Some are of one processor alone.
        subprocess.run([gcc, *FRAMES, *flags, "-o", path, code], capture_output=True)
