"""Granting PageCache: additions and dirtied pages by tracepoints; what is read by kprobes, else by tracepoints, else not at all.

Own probe events (system "ftracepy_<run>"):

cache_read, cache_splice   a read through the page cache begins: `pos` s64, where in the file
cache_read_end             it ends: `bytes` s64, or an error
cache_map                  a fault looks whether pages in the cache can be mapped without more ado
cache_fault_end            a fault has looked for its page: `ret` u32, VM_FAULT_* bits

`pos` of struct kiocb stands behind its first member, a pointer, on every kernel (include/linux/fs.h).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError
from ftracepy.live.aides.memory import MemoryAide
from ftracepy.live.plan import ProbeDef
from ftracepy.probes import PageCache, Tracepoint, Way
from ftracepy.tracefs import events, probes

if TYPE_CHECKING:
    from ftracepy.live.ways.grant import Granting
    from ftracepy.tracefs import Tracefs

WHAT = "what is read of the page cache"
# Returns of so many calls that sleep at the same time are seen (kprobes: maxactive).
_RETURNS = "r256"
_SPLICE = "filemap_splice_read"  # 6.5 and later; before, splicing went through the function that reads
_READS = ("filemap_read", "generic_file_buffered_read")  # since 5.12, before
_ENDS = ("read", "pread64", "readv", "preadv", "preadv2", "sendfile64", "splice")


def grant(granting: Granting, wish: PageCache) -> None:
    """Raises KernelCannot where this kernel has no event for additions."""
    for name in ("mm_filemap_add_to_page_cache", "mm_filemap_delete_from_page_cache"):
        granting.wish(Tracepoint("filemap", name))
    for name in ("writeback_dirty_folio", "writeback_dirty_page"):  # renamed in 5.18
        granting.wish(Tracepoint("writeback", name, optional=True))
    granting.plan.aides.append(MemoryAide(wish.interval_s))
    refused: list[FtracepyError] = []
    found = _probes(granting.tracefs, refused)
    if found:
        granting.plan.kprobes.extend(found)
        granting.plan.ways.append(Way(WHAT, f"kprobes on {found[0].place} and filemap_fault", "kernel-copy"))
    elif events.exists(granting.tracefs.root, "filemap", "mm_filemap_get_pages"):  # 6.12 and later
        _by_tracepoints(granting)
    else:
        why = refused[0].what if refused else "no kprobes, and no mm_filemap_get_pages before 6.12"
        granting.plan.ways.append(Way(WHAT, f"cannot be told here ({why})", "none", "HITS and RATIO"))


def _by_tracepoints(granting: Granting) -> None:
    for name in ("mm_filemap_get_pages", "mm_filemap_map_pages", "mm_filemap_fault"):
        granting.wish(Tracepoint("filemap", name, optional=True))
    for name in _ENDS:
        granting.wish(Tracepoint("syscalls", f"sys_exit_{name}", "ret > 0", optional=True))
    how = "mm_filemap_get_pages, and how much system calls then read"
    granting.plan.ways.append(Way(WHAT, how, "kernel-copy", "up to a page of each read that begins within one"))


def _probes(tracefs: Tracefs, refused: list[FtracepyError]) -> list[ProbeDef]:
    """Those that are needed and, where the kernel has it, the one for splicing; none where one that is needed is refused."""
    if not probes.supported(tracefs.root, "kprobe_events"):
        return []
    for function in _READS:
        needed = [*_read("cache_read", function, "pos=+8($arg1):s64"), *_faults()]
        if _taken(tracefs, needed, refused):
            spliced = _read("cache_splice", _SPLICE, "pos=+0($arg2):s64")
            return needed + (spliced if _taken(tracefs, spliced, []) else [])
    return []


def _read(event: str, function: str, pos: str) -> list[ProbeDef]:
    begin = ProbeDef("p", event, function, (pos,), "kprobe_events")
    return [begin, ProbeDef(_RETURNS, "cache_read_end", function, ("bytes=$retval:s64",), "kprobe_events")]


def _faults() -> list[ProbeDef]:
    return [
        ProbeDef("p", "cache_map", "filemap_map_pages", (), "kprobe_events"),
        ProbeDef(_RETURNS, "cache_fault_end", "filemap_fault", ("ret=$retval:u32",), "kprobe_events"),
    ]


def _taken(tracefs: Tracefs, wanted: list[ProbeDef], refused: list[FtracepyError]) -> bool:
    """Whether the kernel takes all of them, as a try shows."""
    from ftracepy.live.instance import Instance

    try:
        with Instance(tracefs, clock="local", buffer_kb=4) as instance:
            for probe in wanted:
                instance.add_probe(probe)
    except FtracepyError as error:
        refused.append(error)
        return False
    return True
