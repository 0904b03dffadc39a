"""Events whose text the kernel does not make from their `print fmt`: syscalls, markers, stacks, functions, probes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ftracepy.printfmt.conversions import Spec
from ftracepy.printfmt.ctypes_ import INT
from ftracepy.printfmt.emit import Emitter
from ftracepy.printfmt.fallback import reference
from ftracepy.printfmt.nodes import PrintFmt
from ftracepy.printfmt.numbers import Expr, load
from ftracepy.printfmt.parser import parse
from ftracepy.printfmt.program import ALT, REL, ZERO, Instruction, Op, Pool
from ftracepy.printfmt.target import Target
from ftracepy.printfmt.texts import Code
from ftracepy.printfmt.tracers import event_time, tracer_event
from ftracepy.schema import EventFormat, Field, FieldKind
from ftracepy.symbols.kallsyms import BARE

_SMALL_DECIMAL = ord("A")
_WIDE_ACTIONS = (6, 19)  # struct blk_io_trace2
_PROBE_ARG = re.compile(rb" (?P<name>\w+)=")


def special(format: EventFormat, target: Target, emitter: Emitter, pool: Pool) -> Code | None:
    """The event's instructions, or None where its print fmt is the answer."""
    if format.system == "ftrace":
        return _own_event(format, target, emitter, pool)
    if not target.exact:
        return None
    if format.system == "syscalls" and format.name.startswith(("sys_enter_", "sys_exit_")):
        if format.name in {"sys_enter_open", "sys_enter_openat"} and "__print_flags(REC->flags" in format.print_fmt:
            return _open(format, emitter, pool)
        return _syscall(format, target, emitter, pool)
    if format.system == "synthetic":
        return emitter.compile(parse(format.print_fmt.replace(", ", " ", format.print_fmt.partition('",')[0].count(", "))))
    if format.field("__probe_ip") or format.field("__probe_func"):
        return _probe(format, target, emitter, pool)
    watched = target.watched(format.system, format.name)
    if watched or (format.fields and format.print_fmt.startswith(f'" {format.fields[0].name}=')):
        return [*pool.text(f"({watched})".encode() if watched else b""), *_probe_values(format, emitter, pool)]
    return None


def _traced(field: Field, target: Target, pool: Pool) -> Code:
    """A function's name as the kernel's own tracers show it (trace_output.c, seq_print_ip_sym)."""
    if not target.exact:
        return [*load(field).code, Instruction(Op.SYMBOL)]
    code = [*load(field).code, Instruction(Op.SYMBOL, flags=ALT, b=2 if "sym-offset" in target.options else BARE)]
    if "sym-addr" not in target.options:
        return code
    number = Instruction(Op.FIELD_NUMBER, field.size, ZERO, width=2 * field.size, a=field.offset, b=ord("x"))
    return [*code, *pool.text(b" <"), number, *pool.text(b">")]


def _caller(parent: Field, target: Target, pool: Pool) -> Code:
    return [] if "noprint-parent" in target.options else [*pool.text(b" <-"), *_traced(parent, target, pool)]


def repeat_delta(emitter: Emitter) -> Code:
    """How long before the event its function was called last (trace.h, FUNC_REPEATS_GET_DELTA_TS)."""
    text = '"%llu", (u64)REC->top_delta_ts << 32 | (u32)REC->bottom_delta_ts'
    return list(emitter.numbers.compile(parse(text).args[0]).code)


def _stack(caller: Field, target: Target) -> Code:
    shape = ("sym-offset" in target.options) + 2 * ("sym-addr" in target.options)
    return [Instruction(Op.STACK, caller.element_bytes, a=caller.offset, v=shape)]


def _writer(ip: Field, target: Target, pool: Pool) -> Code:
    return [] if target.bare else [*_traced(ip, target, pool), *pool.text(b": ")]


def _own_event(format: EventFormat, target: Target, emitter: Emitter, pool: Pool) -> Code | None:
    """The tracers' events: kernel/trace/trace_output.c prints them with functions of their own."""
    kernel = ALT if target.exact else 0
    fields = {one.name: one for one in format.fields}
    match format.name, fields:
        case "bprint", {"ip": ip, "fmt": fmt, "buf": buf}:
            body = Instruction(Op.BPRINT, fmt.size, kernel, a=fmt.offset, b=buf.offset)
            return [*_writer(ip, target, pool), body]
        case "bputs", {"ip": ip, "str": text}:
            return [*_writer(ip, target, pool), *load(text).code, Instruction(Op.STRING_POINTER)]
        case "print", {"buf": buf} if target.exact and target.tracer == "mmiotrace":
            return [*pool.text(b"MARK "), *event_time(), *pool.text(b" "), Instruction(Op.STRING_REST, a=buf.offset)]
        case "print", {"ip": ip, "buf": buf} if target.exact:
            return [*_writer(ip, target, pool), Instruction(Op.STRING_REST, a=buf.offset)]
        case "raw_data", {"id": number, "buf": buf} if target.exact:
            identity = Instruction(Op.FIELD_NUMBER, 4, a=number.offset, b=ord("x"))
            hexa = [*reference(buf), Instruction(Op.HEX, flags=ALT, b=ord(" "))]
            return [*pool.text(b"# "), identity, *pool.text(b" buf:"), *hexa]
        case "blktrace", _ if target.exact:
            how = ("verbose" in target.options) + 2 * ("blk_classic" in target.options) + 4 * (target.release >= _WIDE_ACTIONS)
            return [Instruction(Op.BLOCK, b=how)]
        case "func_repeats", {"ip": ip, "parent_ip": parent, "count": _} if target.exact:
            times = emitter.compile(parse('" (repeats: %u, last_ts:", REC->count'))
            head = [*_traced(ip, target, pool), *_caller(parent, target, pool), *times]
            return [*head, *pool.text(b" "), *repeat_delta(emitter), Instruction(Op.LAST_TIME), *pool.text(b")")]
        case "function", {"ip": ip, "parent_ip": parent} if target.exact:
            return [*_traced(ip, target, pool), Instruction(Op.ARGUMENTS), *_caller(parent, target, pool)]
        case "kernel_stack", {"caller": caller} if target.exact:
            return [*pool.text(b"<stack trace>"), *_stack(caller, target)]
        case "user_stack", {"caller": caller} if target.exact:
            objects = fields.get("tgid") if "sym-userobj" in target.options else None
            shape = 2 * ("sym-addr" in target.options) + (4 + (objects.offset << 8) if objects else 0)
            return [*pool.text(b"<user stack trace>"), Instruction(Op.STACK, caller.element_bytes, a=caller.offset, b=1, v=shape)]
    return tracer_event(format, target, emitter, pool) if target.exact else None


def _syscall(format: EventFormat, target: Target, emitter: Emitter, pool: Pool) -> Code:
    """sys_NAME(arg: value, …) and sys_NAME -> 0xvalue (kernel/trace/trace_syscalls.c)."""
    fields = [one for one in format.fields if not one.name.startswith("__")]
    if format.name.startswith("sys_exit_"):
        result = format.field("ret")
        name = "sys_" + format.name.removeprefix("sys_exit_")
        return [*pool.text(f"{name} -> 0x".encode()), *_argument(result, ord("x"))] if result else []
    conv = _SMALL_DECIMAL if target.release >= (6, 16) else ord("x")
    code = pool.text(f"sys_{format.name.removeprefix('sys_enter_')}(".encode())
    for number, field in enumerate(fields):
        code += pool.text(f"{', ' if number else ''}{field.name}: ".encode())
        code += _argument(field, conv)
        if value := format.field(f"__{field.name}_val"):
            code += _user_value(value, format.print_fmt, fields[number + 1 : number + 2], emitter, pool)
    return [*code, *pool.text(b")")]


def _open(format: EventFormat, emitter: Emitter, pool: Pool) -> Code:
    """open and openat of 7.x: numbers in decimal, flags by name, a mode only where a file may be made (O_CREAT, O_TMPFILE)."""
    whole = parse(format.print_fmt)
    template, _, mode = whole.template.replace(b"0x%08lx", b"%lu").partition(b", mode: ")
    makes = parse('"%d", REC->flags & 0x410040').args[0]
    with_mode = PrintFmt(template + b", mode: " + mode, whole.args)
    both = (emitter.compile(with_mode), emitter.compile(PrintFmt(template, whole.args[:-1])))
    name = pool.text(f"sys_{format.name.removeprefix('sys_enter_')}(".encode())
    return [*name, *emitter.texts.choice(emitter.numbers.compile(makes), *both), *pool.text(b")")]


def _argument(field: Field, conv: int) -> Code:
    return [Instruction(Op.FIELD_NUMBER, field.size, a=field.offset, b=conv)]


def _user_value(value: Field, print_fmt: str, size: Sequence[Field], emitter: Emitter, pool: Pool) -> Code:
    """What a new kernel copied from user space: text, or bytes in hex and as far as they can be shown.

    `size`: the argument behind the buffer, which says how many bytes there were.
    """
    if value.kind not in {FieldKind.DATA_LOC, FieldKind.REL_LOC}:
        return []
    if f"__get_str({value.name})" in print_fmt:
        return [*pool.text(b' "'), Instruction(Op.STRING_LOC, flags=_rel(value), a=value.offset), *pool.text(b'"')]
    hexa = [*reference(value), Instruction(Op.HEX, b=ord(":"))]
    whole = [*hexa, *pool.text(b")"), *reference(value), Instruction(Op.RAW_FIELD, b=2)]
    if not size:
        return [*pool.text(b" ("), *whole]
    cut = [*hexa, *pool.text(b", ...)"), *reference(value), Instruction(Op.RAW_FIELD, b=4)]
    copied = Instruction(Op.DYN_LEN, flags=_rel(value), a=value.offset)
    more = Expr((copied, *load(size[0]).code, Instruction(Op.LT, 8)), INT)
    return [*pool.text(b" ("), *emitter.texts.choice(more, cut, whole)]


def _rel(field: Field) -> int:
    return REL if field.kind == FieldKind.REL_LOC else 0


def _probe(format: EventFormat, target: Target, emitter: Emitter, pool: Pool) -> Code:
    """(place) name=value …; a return probe shows (return address <- function), the reverse of its print fmt's order."""
    code = pool.text(b"(")
    function, back, place = (format.field(f"__probe_{name}") for name in ("func", "ret_ip", "ip"))
    if function and back:
        code += [*_place(back, 2), *pool.text(b" <- "), *_place(function, 0)]
    elif place:
        code += _place(place, 2)
    return [*code, *pool.text(b")"), *_probe_values(format, emitter, pool)]


def _probe_values(format: EventFormat, emitter: Emitter, pool: Pool) -> Code:
    code: Code = []
    specs = _probe_specs(format.print_fmt)
    for field in (one for one in format.fields if not one.name.startswith("__probe_")):
        code += pool.text(f" {field.name}=".encode())
        code += _probe_value(field, specs.get(field.name, b""), emitter, pool)
    return code


def _place(field: Field, shape: int) -> Code:
    return [*load(field).code, Instruction(Op.SYMBOL, flags=ALT, b=shape)]


def _probe_specs(print_fmt: str) -> dict[str, bytes]:
    """The conversion text of each argument: what stands between its name and the next."""
    template = print_fmt.partition('"')[2].rpartition('"')[0].encode()
    parts = _PROBE_ARG.split(template)
    return {parts[at].decode(): parts[at + 1] for at in range(1, len(parts) - 1, 2)}


def _probe_value(field: Field, shown: bytes, emitter: Emitter, pool: Pool) -> Code:
    if field.kind in {FieldKind.DATA_LOC, FieldKind.REL_LOC} and field.is_string:
        return _quoted(field, pool)
    if field.count is not None:
        return _probe_array(field, shown, emitter, pool)
    if b"%pS" in shown or b"%ps" in shown:
        return _place(field, 2)
    if b"%c" in shown:
        return [*pool.text(b"'"), *_argument(field, ord("c")), *pool.text(b"'")]
    if b"x" in shown.partition(b"%")[0] + shown.partition(b"%")[2][:4]:
        return [*pool.text(b"0x"), Instruction(Op.FIELD_NUMBER, field.size, a=field.offset, b=ord("x"))]
    spec = Spec("d" if field.signed else "u", size=field.size)
    return emitter.number(load(field), spec)


def _quoted(field: Field, pool: Pool) -> Code:
    """A string, or as many as the field has location words."""
    words = [Instruction(Op.QUOTED_LOC, flags=_rel(field), a=at) for at in range(field.offset, field.offset + field.size, 4)]
    if len(words) == 1:
        return words
    code = [*pool.text(b"{"), words[0]]
    for word in words[1:64]:
        code += [*pool.text(b","), word]
    return [*code, *pool.text(b"}")]


def _probe_array(field: Field, shown: bytes, emitter: Emitter, pool: Pool) -> Code:
    size, count = field.element_bytes, field.count or 0
    code = pool.text(b"{")
    for index in range(min(count, 64)):
        one = Field(field.name, field.type, field.offset + index * size, size, field.signed, FieldKind.FIXED, size, None)
        code += pool.text(b"," if index else b"")
        code += _probe_value(one, shown, emitter, pool)
    return [*code, *pool.text(b"}")]
