"""Programs for the format strings of binary printk (trace_printk): arguments are taken one after the other from the record.

How they are packed is lib/vsprintf.c's vbin_printf: chars and shorts aligned to their size, everything else to
4 bytes; %s and the pointers that must be looked through at once (%pI4, %pM …) are stored as text.
"""

from __future__ import annotations

from ftracepy.printfmt.conversions import STARRED, Spec, split
from ftracepy.printfmt.ctypes_ import CType
from ftracepy.printfmt.emit import Emitter
from ftracepy.printfmt.nodes import PrintFmtFault
from ftracepy.printfmt.numbers import Expr
from ftracepy.printfmt.program import ALT, SIGNED, STAR, Instruction, Op, Pool, Program
from ftracepy.printfmt.target import Target
from ftracepy.printfmt.texts import Code

_AS_POINTER = frozenset({"", "S", "s", "x", "K", "e", "F", "f"})


def compile_printk(template: bytes, target: Target) -> Program | None:
    """The program for one format string; None where it is not one."""
    pool = Pool()
    emitter = Emitter({}, pool, target)
    code: Code = []
    try:
        for part in split(template, target.long_bytes):
            code += pool.text(part) if isinstance(part, bytes) else _conversion(part, emitter, target)
    except PrintFmtFault:
        return None
    return pool.program(code)


def _next(size: int, signed: bool = False) -> Instruction:
    return Instruction(Op.NEXT, size, SIGNED if signed else 0)


def _conversion(spec: Spec, emitter: Emitter, target: Target) -> Code:
    code: Code = []
    for op, given in ((Op.WIDTH, spec.width), (Op.PRECISION, spec.precision)):
        if given == STARRED:
            code += [_next(4, True), Instruction(op)]
    if spec.conv in "diuxXo":
        value = Expr((_next(spec.size, spec.conv in "di"),), CType(spec.size, spec.conv in "di"))
        return [*code, *emitter.number(value, spec)]
    if spec.conv == "c":
        return [*code, *emitter.number(Expr((_next(1),), CType(1, False)), spec)]
    return _framed(spec, code, _text(spec, target))


def _text(spec: Spec, target: Target) -> Code:
    if spec.conv == "s" or (spec.conv == "p" and spec.pointer not in _AS_POINTER):
        return [Instruction(Op.NEXT_STRING)]
    if spec.conv != "p":
        raise PrintFmtFault(f"%{spec.conv} in a printk")
    kernel = ALT if target.exact else 0
    pointer = _next(target.long_bytes)
    if spec.pointer[:1] in {"S", "F"}:
        return [pointer, Instruction(Op.SYMBOL, flags=kernel, b=2 if target.exact else 1)]
    if spec.pointer[:1] in {"s", "f"}:
        return [pointer, Instruction(Op.SYMBOL, flags=kernel)]
    return [pointer, Instruction(Op.POINTER, target.long_bytes, kernel)]


def _framed(spec: Spec, setup: Code, text: Code) -> Code:
    if not spec.width and spec.precision == -1:
        return text
    flags = spec.flags | (STAR if setup else 0)
    closing = Instruction(Op.CLOSE, flags=flags, width=max(spec.width, 0), precision=max(spec.precision, -1))
    return [Instruction(Op.OPEN), *setup, *text, closing]
