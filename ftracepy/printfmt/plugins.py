"""What trace-cmd's plugins make of some events, which `report -l` shows: other print fmts for the same fields."""

from __future__ import annotations

import re

from ftracepy.printfmt.emit import Emitter
from ftracepy.printfmt.fallback import reference
from ftracepy.printfmt.nodes import PrintFmtFault
from ftracepy.printfmt.numbers import load
from ftracepy.printfmt.parser import parse
from ftracepy.printfmt.program import ALT, Instruction, Op, Pool
from ftracepy.printfmt.special import repeat_delta
from ftracepy.printfmt.texts import Code
from ftracepy.schema import EventFormat, FieldKind
from ftracepy.symbols.kallsyms import BACKWARDS

_ROW = re.compile(r'\{\s*(0x[0-9a-f]+|\d+)\s*,\s*"(\w)"\s*\}')
_STATES = '{ 1, "S" }, { 2, "D" }, { 4, "T" }, { 8, "t" }, { 16, "X" }, { 32, "Z" }, { 64, "P" }, { 128, "I" }'
_REASONS = '{ 0, "flush on task switch" }, { 1, "remote shootdown" }, { 2, "local shootdown" }, { 3, "local mm shootdown" }'
_KNOWN_REASON = f'REC->reason < 4 ? __print_symbolic(REC->reason, {_REASONS}) : ""'
_WAKEUP = "REC->comm, REC->pid, REC->prio"
_PRINT_FMTS = {
    "tlb_flush": f'"pages=%ld reason=%s (%d)", REC->pages, {_KNOWN_REASON}, REC->reason',
}
# What stands before and after the function's name.
_TIMERS = {
    "hrtimer_start": (
        '"hrtimer=0x%llx function=", REC->hrtimer', '" expires=%llu softexpires=%llu", REC->expires, REC->softexpires',
    ),
    "hrtimer_expire_entry": ('"hrtimer=0x%llx now=%llu function=", REC->hrtimer, REC->now', '""'),
}  # fmt: skip
_WITH_CALL_SITE = frozenset({"kmalloc", "kmalloc_node", "kfree", "kmem_cache_alloc", "kmem_cache_alloc_node", "kmem_cache_free"})
_FUTEX_FLAGS = 'REC->op & 128 ? "|FUTEX_PRIVATE_FLAG" : "", REC->op & 256 ? "|FUTEX_CLOCK_REALTIME" : ""'
_FUTEX_ARGS = {
    "h": ("val=0x%08llx", "val"), "v": ("val=%llu", "val"), "t": ("utime=0x%08llx", "utime"), "2": ("val2=%llu", "utime"),
    "a": ("uaddr2=0x%08llx", "uaddr2"), "3": ("val3=0x%08llx", "val3"),
}  # fmt: skip
# Which arguments an operation has (man 2 futex), by the letters above; the place is the operation's number.
_FUTEX_OPS = (
    ("WAIT", "ht"), ("WAKE", "v"), ("FD", "v"), ("REQUEUE", "v2a"), ("CMP_REQUEUE", "v2a3"), ("WAKE_OP", "v2a3"),
    ("LOCK_PI", "t"), ("UNLOCK_PI", ""), ("TRYLOCK_PI", ""), ("WAIT_BITSET", "ht3"), ("WAKE_BITSET", "v3"),
    ("WAIT_REQUEUE_PI", "hta3"), ("CMP_REQUEUE_PI", "v2a3"),
)  # fmt: skip


def plugin(format: EventFormat, emitter: Emitter, pool: Pool) -> Code | None:
    """The event's instructions where a plugin makes its text; None where its print fmt does, as where a field is missing."""
    try:
        return _own(format, emitter, pool) if format.system == "ftrace" else _changed(format, emitter)
    except PrintFmtFault:
        return None


def _changed(format: EventFormat, emitter: Emitter) -> Code | None:
    if format.name in _TIMERS and (function := format.field("function")):
        before, after = (emitter.compile(parse(text)) for text in _TIMERS[format.name])
        return [*before, *load(function).code, Instruction(Op.SYMBOL, b=BACKWARDS), *after]
    if format.name in _PRINT_FMTS:
        return emitter.compile(parse(_PRINT_FMTS[format.name]))
    if format.name == "sched_switch":
        names = [*_learned(format, "prev_pid", "prev_comm"), *_learned(format, "next_pid", "next_comm")]
        return [*names, *emitter.compile(parse(_switch(format.print_fmt)))]
    if format.name in {"sched_wakeup", "sched_wakeup_new"}:
        success = (" success=%d", "REC->success, ") if format.field("success") else ("", "")
        shown = parse(f'"%s:%d [%d]{success[0]} CPU:%03d", {_WAKEUP}, {success[1]}REC->target_cpu')
        return [*_learned(format, "pid", "comm"), *emitter.compile(shown)]
    if format.name == "sys_enter_futex":
        return _futex(format, emitter)
    if format.name in _WITH_CALL_SITE:
        site = emitter.compile(parse('"(%pS) ", REC->call_site'))
        return [*site, *emitter.compile(parse(format.print_fmt, exact=False))]
    if format.system == "jbd2" and "jiffies_to_msecs(" in format.print_fmt:
        return emitter.compile(parse(format.print_fmt.replace("jiffies_to_msecs(", "("), exact=False))
    return None


def _learned(format: EventFormat, pid: str, comm: str) -> Code:
    """The library takes a task's name from these events where the recording's list has none."""
    number, name = format.field(pid), format.field(comm)
    if not number or not name or name.count is None or name.kind != FieldKind.FIXED:
        return []
    return [*load(number).code, Instruction(Op.LEARN_COMM, a=name.offset, b=name.size)]


def _futex(format: EventFormat, emitter: Emitter) -> Code:
    """The operation by name, and of the arguments those that it has."""
    code = emitter.compile(parse(format.print_fmt, exact=False))
    for number, (name, shown) in reversed([*enumerate(_FUTEX_OPS)]):
        template = "".join(f" {_FUTEX_ARGS[letter][0]}" for letter in shown)
        arguments = "".join(f", REC->{_FUTEX_ARGS[letter][1]}" for letter in shown)
        known = parse(f'"op=FUTEX_{name}%s%s uaddr=0x%08llx{template}", {_FUTEX_FLAGS}, REC->uaddr{arguments}')
        chosen = emitter.numbers.compile(parse(f'"%d", (REC->op & ~384) == {number}').args[0])
        code = emitter.texts.choice(chosen, emitter.compile(known), code)
    return code


def _switch(print_fmt: str) -> str:
    """Who leaves the CPU, in which of the states that the event itself names, and who comes."""
    rows = dict(_ROW.findall(print_fmt)) or dict(_ROW.findall(_STATES))
    state = f"REC->prev_state & {sum(int(value, 0) for value in rows)}"
    names = ", ".join(f'{{ {value}, "{name}" }}' for value, name in rows.items())
    shown = f'{state} ? __print_flags({state}, "|", {names}) : "R"'
    before, after = (f"REC->{who}_comm, REC->{who}_pid, REC->{who}_prio" for who in ("prev", "next"))
    return f'"%s:%d [%d] %s ==> %s:%d [%d]", {before}, {shown}, {after}'


def _own(format: EventFormat, emitter: Emitter, pool: Pool) -> Code | None:
    """The tracers' events: functions indented below their callers, stacks with addresses, raw bytes in hex."""
    fields = {one.name: one for one in format.fields}
    match format.name, fields:
        case "function", {"ip": ip, "parent_ip": parent}:
            indent = [*load(parent).code, *load(ip).code, Instruction(Op.CALL_INDENT)]
            return [*indent, *load(ip).code, Instruction(Op.SYMBOL), Instruction(Op.ARGUMENTS)]
        case "func_repeats", {"ip": ip, "parent_ip": parent, "count": _}:
            indent = [*load(parent).code, *load(ip).code, Instruction(Op.CALL_INDENT)]
            times = emitter.compile(parse('" (count: %lld  last_ts: ", REC->count'))
            name = [*load(ip).code, Instruction(Op.SYMBOL)]
            return [*indent, *name, *times, *repeat_delta(emitter), Instruction(Op.LAST_TIME), *pool.text(b")")]
        case "kernel_stack", {"caller": caller}:
            return [*pool.text(b"<stack trace >"), Instruction(Op.STACK, caller.element_bytes, a=caller.offset, b=2)]
        case "raw_data", {"id": number, "buf": buf}:
            identity = emitter.compile(parse('"# %x", REC->id')) if number else []
            return [*identity, *reference(buf), Instruction(Op.HEX, flags=ALT, b=ord(" "))]
    return None
