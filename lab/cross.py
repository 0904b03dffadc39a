"""The C decoder for guests of another processor, made here by a cross compiler; without one they use its Python twin."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from lab.debian import run

_COMPILERS = {"arm64": "aarch64-linux-gnu-gcc"}
_FOLDER = "ftracepy/_fastparse"
# Of the stable ABI, so headers of this machine's Python serve: both are 64-bit and little-endian.
_OPTIONS = ("-shared", "-fPIC", "-std=c11", "-O2", "-fvisibility=hidden", "-DPy_LIMITED_API=0x030B0000", "-DFP_HAVE_TEXT=1")


def decoder(root: Path, stage: Path, architecture: str) -> str | None:
    """Its name below `stage`, made anew if a source is newer; None, and a word on stderr, without a compiler for it."""
    name = f"{_FOLDER}/_core.abi3.so"
    compiler = _COMPILERS[architecture]
    if shutil.which(compiler) is None:
        print(f"lab: no {compiler} here, so the guest decodes by the Python twin", file=sys.stderr)
        (stage / name).unlink(missing_ok=True)
        return None
    folder = root / _FOLDER
    sources = sorted([*folder.glob("*.c"), *folder.glob("core/*.c")])
    newest = max(path.stat().st_mtime for path in (*sources, *folder.glob("**/*.h")))
    if not (stage / name).exists() or (stage / name).stat().st_mtime < newest:
        python = [str(root / ".venv/bin/python"), "-c", "import sysconfig; print(sysconfig.get_path('include'))"]
        places = [f"-I{place}" for place in (folder, folder / "core", run(python).strip())]
        run([compiler, *_OPTIONS, *places, "-o", str(stage / name), *map(str, sources)])
    return name
