"""Names passed to open and exec calls, read in the caller just before it makes the call: uprobes in libc and the loader.

A uprobe may wait for memory that is not resident, so nothing faults; failed calls and devices are seen too. What
does not go through these libraries' own system call instructions is not seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ftracepy.errors import KernelCannot
from ftracepy.live.plan import ProbeDef
from ftracepy.live.ways import canary, libraries
from ftracepy.live.ways.candidate import Candidate
from ftracepy.live.ways.verdicts import Verdicts
from ftracepy.probes import Way
from ftracepy.symbols import elf, sites
from ftracepy.tracefs import Tracefs, probes

PATH_WORDS, ARGV_WORDS, ARGS, ARG_WORDS = 32, 24, 8, 16
_MISSES = "static and 32-bit programs, syscall(), text beyond {bytes} bytes"
_ARGUMENTS: dict[str, dict[str, int]] = {
    "open": {"path": 0},
    "creat": {"path": 0},
    "openat": {"path": 1, "dfd": 0},
    "openat2": {"path": 1, "dfd": 0},
    "execve": {"path": 0, "argv": 1},
    "execveat": {"path": 1, "argv": 2},
}
# include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl
_NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {"open": 2, "creat": 85, "openat": 257, "openat2": 437, "execve": 59, "execveat": 322},
    "aarch64": {"openat": 56, "openat2": 437, "execve": 221, "execveat": 281},
}
OPENS, EXECS = ("open", "openat", "openat2", "creat"), ("execve", "execveat")


def opens(tracefs: Tracefs, verdicts: Verdicts) -> Candidate:
    """The path passed to each open. Raises KernelCannot without uprobes or where no library's code is understood."""
    found = tuple(_path_probe(*site) for site in _sites(tracefs, verdicts, OPENS))
    misses = _MISSES.format(bytes=PATH_WORDS * 8)
    way = Way("path as passed to open", "uprobes in libc and the loader", "user@enter", misses)
    return Candidate("path_site/" + _digest(found), way, uprobes=found, proof=canary.open_missing)


def execs(tracefs: Tracefs, verdicts: Verdicts) -> Candidate:
    """Program and arguments passed to each exec, failed ones too. Raises KernelCannot as `opens` does."""
    found = tuple(_exec_probe(*site) for site in _sites(tracefs, verdicts, EXECS))
    misses = f"arguments after the {ARGS}th, {_MISSES.format(bytes=ARG_WORDS * 8)}"
    way = Way("argv as passed to exec", "uprobes in libc", "user@enter", misses)
    return Candidate("exec_site/" + _digest(found), way, uprobes=found, proof=canary.run_program)


def _digest(found: tuple[ProbeDef, ...]) -> str:
    import zlib

    return f"{zlib.crc32(repr(found).encode()):08x}"


def _sites(tracefs: Tracefs, verdicts: Verdicts, names: Iterable[str]) -> list[tuple[str, sites.Site]]:
    if not probes.supported(tracefs.root, "uprobe_events"):
        raise KernelCannot("no uprobes", why="tracefs has no uprobe_events", hint="a kernel with CONFIG_UPROBE_EVENTS=y")
    numbers = _NUMBERS.get(os.uname().machine, {})
    wanted = {numbers[name]: _ARGUMENTS[name] for name in names if name in numbers}
    found = [(library.path, site) for library in libraries.found() for site in _scanned(library, verdicts, wanted)]
    if not found:
        why = "no C library was found whose code is understood here"
        raise KernelCannot("no place to probe in libc", why=why, hint="x86-64 and arm64 with glibc are understood")
    return found


def _scanned(library: libraries.Library, verdicts: Verdicts, wanted: sites.Wanted) -> list[sites.Site]:
    key = f"sites/{','.join(map(str, sorted(wanted)))}/{library.key}"
    kept = verdicts.get(key, lambda: [[one.offset, one.nr, one.where] for one in _scan(library, wanted)])
    return [sites.Site(offset, nr, tuple((name, fetch) for name, fetch in where)) for offset, nr, where in kept]


def _scan(library: libraries.Library, wanted: sites.Wanted) -> list[sites.Site]:
    try:
        return sites.find(elf.read(library.path), wanted)
    except elf.ElfFault:
        return []


def _path_probe(path: str, site: sites.Site) -> ProbeDef:
    where = dict(site.where)
    dfd = where.get("dfd", "\\-100")
    args = (f"nr=\\{site.nr}:u32", f"dfd={dfd}:s32", f"path=+0({where['path']}):x64[{PATH_WORDS}]")
    return ProbeDef("p", "path_site", f"{path}:{site.offset:#x}", args)


def _exec_probe(path: str, site: sites.Site) -> ProbeDef:
    where = dict(site.where)
    argv = where["argv"]
    each = (f"arg{at}=+0(+{8 * at}({argv})):x64[{ARG_WORDS}]" for at in range(ARGS))
    path_arg = f"path=+0({where['path']}):x64[{PATH_WORDS}]"
    args = (f"nr=\\{site.nr}:u32", path_arg, f"argv=+0({argv}):x64[{ARGV_WORDS}]", *each)
    return ProbeDef("p", "exec_site", f"{path}:{site.offset:#x}", args)
