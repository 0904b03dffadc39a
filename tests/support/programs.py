"""Small C programs, compiled in the test in every shape that a linker gives them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

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
WAITING = """\
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) long inside(long n) { __asm__ volatile(""); return n + 7; }
int main(void)
{
	puts("ready");
	fflush(stdout);
	for (long n = 0;; n++) { inside(n % 1000); usleep(1000); }
}
"""
# Notes as sys/sdt.h writes them, of x86_64.
NOTED = """\
#include <stdio.h>
unsigned short mine_every_semaphore __attribute__((section(".probes")));
long counter;
int main(void)
{
	for (long at = 0; at < 83; at++) {
		int negative = -at;
		long large = at * 0x100000001L;
		unsigned char small = at;
		volatile long local = at + 1;
		counter = at * 3;
		if (mine_every_semaphore)
			__asm__ volatile(
				"990: nop\\n"
				".pushsection .note.stapsdt,\\"?\\",\\"note\\"\\n"
				".balign 4\\n .4byte 992f-991f,994f-993f,3\\n"
				"991: .asciz \\"stapsdt\\"\\n 992: .balign 4\\n"
				"993: .8byte 990b\\n .8byte _.stapsdt.base\\n .8byte mine_every_semaphore\\n"
				".asciz \\"mine\\"\\n .asciz \\"every\\"\\n"
				".asciz \\"-4@%k0 8@%1 4@$7 -4@$-9 1@%b2 8@%3 8@counter(%%rip)\\"\\n"
				"994: .balign 4\\n .popsection\\n"
				".ifndef _.stapsdt.base\\n"
				".pushsection .stapsdt.base,\\"aG\\",\\"progbits\\",.stapsdt.base,comdat\\n"
				".weak _.stapsdt.base\\n .hidden _.stapsdt.base\\n"
				"_.stapsdt.base: .space 1\\n .size _.stapsdt.base,1\\n .popsection\\n .endif\\n"
				: : "r"(negative), "r"(large), "q"(small), "m"(local) : "memory");
	}
	puts("done");
	return 0;
}
"""
ODD = 'int main(void) { return 0; }\n__asm__(".globl odd\\nodd: outsb\\n ret\\n");\n'
FRAMES = ("-g", "-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls")
SHAPES: dict[str, tuple[str, ...]] = {
    "pie": ("-pie", "-fPIE"),
    "fixed": ("-no-pie",),
    "stripped": ("-rdynamic", "-s"),
    "static": ("-static",),
    # One segment for headers, constants and code, far from address 0: offsets and addresses differ by much.
    "far": ("-no-pie", "-Wl,-z,noseparate-code", "-Wl,-Ttext-segment=0x40000000"),
}
# What live tests probe, as name -> (flags, source): compiled on the machine that starts a guest, for a guest has no compiler.
PROBED: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        **{name: (flags, SOURCE) for name, flags in SHAPES.items()},
        "waiting": (SHAPES["static"], WAITING),
        "noted": (("-O1",), NOTED),
        "odd": ((), ODD),
    }
)


def compiled(folder: Path, name: str, *flags: str, source: str = SOURCE) -> Path:
    """The program `name`; skips the test where there is no compiler.

    A guest of the lab has none: there $FTRACEPY_PROGRAMS names the folder with what is PROBED.
    """
    import pytest

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
    return path
