"""Small C programs, compiled in the test in every shape that a linker gives them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CALLS = 101
SOURCE = f"""\
#include <stdio.h>
#include <unistd.h>

static __attribute__((noinline)) long twice(long n) {{ __asm__ volatile(""); return 2 * n; }}

__attribute__((noinline)) long work(long n, const char *text)
{{
	__asm__ volatile("");
	return n * 3 + (text ? text[0] : 0);
}}

__attribute__((noinline)) long outer(long n)
{{
	return work(n, n % 2 ? "odd" : "even") + 1;
}}

int main(int argc, char **argv)
{{
	long total = twice(argc);
	for (long i = 0; i < {CALLS}; i++)
		total += outer(i);
	work(-1, argc > 1 ? argv[1] : NULL);
	printf("%ld\\n", total);
	return 0;
}}
"""
FRAMES = ("-g", "-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls")
SHAPES: dict[str, tuple[str, ...]] = {
    "pie": ("-pie", "-fPIE"),
    "fixed": ("-no-pie",),
    "stripped": ("-rdynamic", "-s"),
    "static": ("-static",),
    # One segment for headers, constants and code, far from address 0: offsets and addresses differ by much.
    "far": ("-no-pie", "-Wl,-z,noseparate-code", "-Wl,-Ttext-segment=0x40000000"),
}


def compiled(folder: Path, name: str, *flags: str, source: str = SOURCE) -> Path:
    """The program `name`; skips the test where there is no compiler.

    A guest of the lab has none: $FTRACEPY_PROGRAMS names a folder of programs compiled before. Where there is a compiler,
    programs are left there too.
    """
    path, code = folder / name, folder / f"{name}.c"
    kept = os.environ.get("FTRACEPY_PROGRAMS", "")
    if shutil.which("gcc") is None:
        if not os.path.exists(os.path.join(kept, name)):
            pytest.skip("no C compiler")
        code.write_text(source)
        return Path(shutil.copy(os.path.join(kept, name), path))
    code.write_text(source)
    done = subprocess.run(["gcc", *FRAMES, *flags, "-o", path, code], capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        pytest.skip(f"gcc {' '.join(flags)}: {done.stderr[:200]}")
    if kept:
        shutil.copy(path, kept)
    return path
