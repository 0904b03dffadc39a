"""argv of every new program, read in the kernel when the program is set up and has not run yet.

Either a tracepoint probe on sched_process_exec with the kernel's own BTF names (6.12 and newer), or a kprobe on
proc_exec_connector with offsets we read from BTF, or, without BTF, one on start_thread, whose third argument is the new
program's stack, which begins with argc and argv (fs/binfmt_elf.c; on arm64 it is inlined). All run after the new memory is
in place.
"""

from __future__ import annotations

from ftracepy.errors import KernelCannot
from ftracepy.live.plan import ProbeDef
from ftracepy.live.ways import canary
from ftracepy.live.ways.candidate import Candidate
from ftracepy.live.ways.verdicts import Verdicts
from ftracepy.probes import Way
from ftracepy.tracefs import Tracefs, probes

WHAT = "argv of new programs"
BLOCKS, BLOCK_WORDS = 4, 64
_MISSES = f"bytes beyond {BLOCKS * BLOCK_WORDS * 8}"
_MEMBERS = (("task_struct", "mm"), ("mm_struct", "arg_start"), ("mm_struct", "arg_end"))


def by_tracepoint(tracefs: Tracefs) -> Candidate:
    """Raises KernelCannot without dynamic_events; whether it takes tracepoint probes, the trial tells."""
    if not probes.supported(tracefs.root, "dynamic_events"):
        why, hint = "tracefs has no dynamic_events", "a kernel with CONFIG_FPROBE_EVENTS=y"
        raise KernelCannot("no tracepoint probes", why=why, hint=hint)
    args = ("start=p->mm->arg_start:x64", "end=p->mm->arg_end:x64", *_blocks("p->mm->arg_start"))
    probe = ProbeDef("t", "argv_kernel", "sched_process_exec", args, "dynamic_events")
    return _candidate("argv_kernel/t", "tracepoint probe on sched_process_exec", probe)


def by_kprobe(tracefs: Tracefs, verdicts: Verdicts) -> Candidate:
    """Raises KernelCannot without kprobes or BTF."""
    if not probes.supported(tracefs.root, "kprobe_events"):
        raise KernelCannot("no kprobes", why="tracefs has no kprobe_events", hint="a kernel with CONFIG_KPROBE_EVENTS=y")
    mm, start, end = verdicts.get("btf/argv", _offsets)
    memory = f"+{mm}($arg1)"
    args = (f"start=+{start}({memory}):x64", f"end=+{end}({memory}):x64", *_blocks(f"+{start}({memory})"))
    probe = ProbeDef("p", "argv_kernel", "proc_exec_connector", args, "kprobe_events")
    return _candidate("argv_kernel/p", "kprobe on proc_exec_connector", probe)


def at_start(tracefs: Tracefs) -> Candidate:
    """Raises KernelCannot without kprobes."""
    if not probes.supported(tracefs.root, "kprobe_events"):
        raise KernelCannot("no kprobes", why="tracefs has no kprobe_events", hint="a kernel with CONFIG_KPROBE_EVENTS=y")
    probe = ProbeDef("p", "argv_kernel", "start_thread", ("argc=+0($arg3):s64", *_blocks("+8($arg3)")), "kprobe_events")
    return _candidate("argv_kernel/s", "kprobe on start_thread", probe, f"32-bit programs, {_MISSES}")


def _offsets() -> list[int]:
    from ftracepy.symbols import btf

    return btf.member_offsets(_MEMBERS)


def _blocks(pointer: str) -> tuple[str, ...]:
    step = BLOCK_WORDS * 8
    return tuple(f"block{at}=+{at * step}({pointer}):x64[{BLOCK_WORDS}]" for at in range(BLOCKS))


def _candidate(key: str, how: str, probe: ProbeDef, misses: str = _MISSES) -> Candidate:
    return Candidate(key, Way(WHAT, how, "kernel-copy", misses), kprobes=(probe,), proof=canary.run_program)
