"""argv of dynamically linked programs: a uprobe on the loader's first instruction, where the stack holds argc and argv.

The kernel lays the arguments one behind the other from arg_start = argv[0] on (fs/binfmt_elf.c,
create_elf_tables), so one read from there gets them all. It is the kernel's copy in memory that is the new program's
alone, before the first instruction of it: no thread of the caller can change it any more.
"""

from __future__ import annotations

import os

from ftracepy.errors import KernelCannot
from ftracepy.live.plan import ProbeDef
from ftracepy.live.ways import canary, libraries
from ftracepy.live.ways.candidate import Candidate
from ftracepy.live.ways.verdicts import Verdicts
from ftracepy.probes import Way
from ftracepy.symbols import elf
from ftracepy.tracefs import Tracefs, probes

BLOCKS, BLOCK_WORDS = 4, 64
_STACK = {"x86_64": "%sp", "aarch64": "%sp", "riscv64": "%sp"}
_MISSES = (
    f"static and 32-bit programs (one that calls a loader itself shows what it likes), bytes beyond {BLOCKS * BLOCK_WORDS * 8}"
)


def candidate(tracefs: Tracefs, verdicts: Verdicts) -> Candidate:
    """Raises KernelCannot without uprobes, on an architecture not known here, or where there is no loader."""
    if not probes.supported(tracefs.root, "uprobe_events"):
        raise KernelCannot("no uprobes", why="tracefs has no uprobe_events", hint="a kernel with CONFIG_UPROBE_EVENTS=y")
    if not (stack := _STACK.get(os.uname().machine)):
        raise KernelCannot("the stack of a new program is not known here", why=f"machine {os.uname().machine}")
    found = [(one.path, _entry(one, verdicts)) for one in libraries.found() if "/ld" in one.path]
    chosen = tuple(_probe(path, offset, stack) for path, offset in found if offset)
    if not chosen:
        raise KernelCannot("no dynamic loader was found", why="none at the usual places and none mapped by a running program")
    way = Way("argv of new programs", "uprobe on the dynamic loader", "kernel-copy", _MISSES)
    places = ",".join(probe.place for probe in chosen)
    return Candidate(f"argv_loader/{places}", way, uprobes=chosen, proof=canary.run_program)


def _entry(library: libraries.Library, verdicts: Verdicts) -> int:
    offset = verdicts.get(f"entry/{library.key}", lambda: _entry_offset(library.path))
    return int(offset)


def _entry_offset(path: str) -> int:
    try:
        loader = elf.read(path)
        return loader.file_offset(loader.entry) if loader.is_64 and loader.entry else 0
    except elf.ElfFault:
        return 0


def _probe(path: str, offset: int, stack: str) -> ProbeDef:
    step = BLOCK_WORDS * 8
    blocks = (f"block{at}=+{at * step}(+8({stack})):x64[{BLOCK_WORDS}]" for at in range(BLOCKS))
    return ProbeDef("p", "argv_loader", f"{path}:{offset:#x}", (f"argc=+0({stack}):s64", *blocks))
