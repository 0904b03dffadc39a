"""What trace-cmd's plugins make of some events, which `report -l` shows: other print fmts for the same fields."""

from __future__ import annotations

import re

from ftracepy.printfmt.emit import Emitter
from ftracepy.printfmt.fallback import reference
from ftracepy.printfmt.nodes import PrintFmtFault
from ftracepy.printfmt.numbers import load
from ftracepy.printfmt.parser import parse
from ftracepy.printfmt.program import Instruction, Op, Pool
from ftracepy.printfmt.texts import Code
from ftracepy.schema import EventFormat

_ROW = re.compile(r'\{\s*(0x[0-9a-f]+|\d+)\s*,\s*"(\w)"\s*\}')
_STATES = '{ 1, "S" }, { 2, "D" }, { 4, "T" }, { 8, "t" }, { 16, "X" }, { 32, "Z" }, { 64, "P" }, { 128, "I" }'
_REASONS = '{ 0, "flush on task switch" }, { 1, "remote shootdown" }, { 2, "local shootdown" }, { 3, "local mm shootdown" }'
_KNOWN_REASON = f'REC->reason < 4 ? __print_symbolic(REC->reason, {_REASONS}) : ""'
_WAKEUP = "REC->comm, REC->pid, REC->prio"
_PRINT_FMTS = {
    "hrtimer_start": '"hrtimer=%p function=%ps/0x0 expires=%llu softexpires=%llu", REC->hrtimer, REC->function,'
    " REC->expires, REC->softexpires",
    "hrtimer_expire_entry": '"hrtimer=%p now=%llu function=%ps/0x0", REC->hrtimer, REC->now, REC->function',
    "tlb_flush": f'"pages=%ld reason=%s (%d)", REC->pages, {_KNOWN_REASON}, REC->reason',
}
_WITH_CALL_SITE = frozenset({"kmalloc", "kmalloc_node", "kfree", "kmem_cache_alloc", "kmem_cache_alloc_node", "kmem_cache_free"})


def plugin(format: EventFormat, emitter: Emitter, pool: Pool) -> Code | None:
    """The event's instructions where a plugin makes its text; None where its print fmt does, as where a field is missing."""
    try:
        return _own(format, emitter, pool) if format.system == "ftrace" else _changed(format, emitter)
    except PrintFmtFault:
        return None


def _changed(format: EventFormat, emitter: Emitter) -> Code | None:
    if format.name in _PRINT_FMTS:
        return emitter.compile(parse(_PRINT_FMTS[format.name]))
    if format.name == "sched_switch":
        return emitter.compile(parse(_switch(format.print_fmt)))
    if format.name in {"sched_wakeup", "sched_wakeup_new"}:
        success = (" success=%d", "REC->success, ") if format.field("success") else ("", "")
        return emitter.compile(parse(f'"%s:%d [%d]{success[0]} CPU:%03d", {_WAKEUP}, {success[1]}REC->target_cpu'))
    if format.name in _WITH_CALL_SITE:
        site = emitter.compile(parse('"(%pS) ", REC->call_site'))
        return [*site, *emitter.compile(parse(format.print_fmt, exact=False))]
    if format.system == "jbd2" and "jiffies_to_msecs(" in format.print_fmt:
        return emitter.compile(parse(format.print_fmt.replace("jiffies_to_msecs(", "("), exact=False))
    return None


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
            return [*load(parent).code, *load(ip).code, Instruction(Op.CALL_INDENT), *load(ip).code, Instruction(Op.SYMBOL)]
        case "kernel_stack", {"caller": caller}:
            return [*pool.text(b"<stack trace >"), Instruction(Op.STACK, caller.element_bytes, a=caller.offset, b=2)]
        case "raw_data", {"id": number, "buf": buf}:
            identity = emitter.compile(parse('"# %x ", REC->id')) if number else []
            return [*identity, *reference(buf), Instruction(Op.HEX, b=ord(" "))]
    return None
