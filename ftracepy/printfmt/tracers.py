"""The text of latency and memory tracers' own events in kernel style, which functions make and not their print fmt.

kernel/trace/trace_output.c (hwlat, osnoise, timerlat), trace_branch.c, trace_mmiotrace.c.
"""

from __future__ import annotations

from ftracepy.printfmt.emit import Emitter
from ftracepy.printfmt.parser import parse
from ftracepy.printfmt.program import LEFT, Instruction, Op, Pool
from ftracepy.printfmt.target import Target
from ftracepy.printfmt.texts import Code
from ftracepy.schema import EventFormat

_RATIO = "(REC->runtime - REC->noise) * 10000000 / REC->runtime"
_PRINT_FMTS = {
    "osnoise": (
        f'"%llu %10llu %3llu.%05llu %7llu %6u %6u %6u %6u %6u", REC->runtime, REC->noise, {_RATIO} / 100000, {_RATIO} % 100000, '
        "REC->max_sample, REC->hw_count, REC->nmi_count, REC->irq_count, REC->softirq_count, REC->thread_count"
    ),
    "timerlat": (
        '"#%-5u context %6s timer_latency %9llu ns", REC->seqnum, '
        '__print_symbolic(REC->context, { 0, "irq" }, { 1, "thread" }, { 2, "user-ret" }), REC->timer_latency'
    ),
    "branch": '"[%s] %s:%s:%d", REC->correct ? "  ok  " : " MISS ", REC->func, REC->file, REC->line',
}
_HWLAT = '"#%-5u inner/outer(us): %4llu/%-5llu ts:%lld.%09ld'
_HWLAT_ARGS = "REC->seqnum, REC->duration, REC->outer_duration, REC->tv_sec, REC->tv_nsec"
_OWN_SCHED_CLOCK = (
    "x86_64",
    "i386",
    "i486",
    "i586",
    "i686",
    "s390x",
    "ppc64",
    "ppc64le",
    "ppc",
)  # the others' cannot be read in an NMI

# What stands before the time, and behind it, by operation.
_MMIO = {
    "mmiotrace_rw": (
        (1, '"R %d ", REC->width', '" %d 0x%llx 0x%lx 0x%lx 0", REC->map_id, REC->phys, REC->value, REC->pc'),
        (2, '"W %d ", REC->width', '" %d 0x%llx 0x%lx 0x%lx 0", REC->map_id, REC->phys, REC->value, REC->pc'),
        (5, '"UNKNOWN "', '" %d 0x%llx %02lx,%02lx,%02lx 0x%lx 0", REC->map_id, REC->phys, '
                          "REC->value >> 16 & 0xff, REC->value >> 8 & 0xff, REC->value & 0xff, REC->pc"),
    ),
    "mmiotrace_map": (
        (3, '"MAP "', '" %d 0x%llx 0x%lx 0x%lx 0x0 0", REC->map_id, REC->phys, REC->virt, REC->len'),
        (4, '"UNMAP "', '" %d 0x0 0", REC->map_id'),
    ),
}  # fmt: skip

TRACERS_OWN = frozenset({*_PRINT_FMTS, *_MMIO, "hwlat"})  # events by name


def tracer_event(format: EventFormat, target: Target, emitter: Emitter, pool: Pool) -> Code | None:
    """The instructions of such an event; None for any other."""
    if format.name in _PRINT_FMTS:
        return emitter.compile(parse(_PRINT_FMTS[format.name]))
    if format.name == "hwlat":
        return _hwlat(format, target, emitter)
    if format.name in _MMIO:
        return _mmio(format, emitter, pool)
    return None


def _hwlat(format: EventFormat, target: Target, emitter: Emitter) -> Code:
    """Its own NMIs are told where there were any."""
    template, args = (_HWLAT + " count:%d", _HWLAT_ARGS + ", REC->count") if format.field("count") else (_HWLAT, _HWLAT_ARGS)
    code = emitter.compile(parse(f'{template}", {args}'))
    if not format.field("nmi_count"):
        return code
    total = '" nmi-total:%llu nmi-count:%u", REC->nmi_total_ts, REC->nmi_count'
    nmis = parse(total if target.arch in ("", *_OWN_SCHED_CLOCK) else '" nmi-count:%u", REC->nmi_count')
    some = emitter.numbers.compile(parse('"%u", REC->nmi_count').args[0])
    return [*code, *emitter.texts.choice(some, emitter.compile(nmis), [])]


def _mmio(format: EventFormat, emitter: Emitter, pool: Pool) -> Code:
    code = pool.text(b"rw what?" if format.name == "mmiotrace_rw" else b"map what?")
    for opcode, before, after in reversed(_MMIO[format.name]):
        this = emitter.numbers.compile(parse(f'"%d", REC->opcode == {opcode}').args[0])
        code = emitter.texts.choice(this, [*emitter.compile(parse(before)), *event_time(), *emitter.compile(parse(after))], code)
    return code


def event_time() -> Code:
    """The event's time, seconds and microseconds, without spaces in front."""
    return [Instruction(Op.CONST, v=0), Instruction(Op.LAST_TIME, flags=LEFT)]
