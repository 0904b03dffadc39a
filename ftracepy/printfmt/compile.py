"""An event's format to the program that prints its text, in either style; plain fields where only its kernel could make it."""

from __future__ import annotations

from ftracepy.printfmt.emit import Emitter
from ftracepy.printfmt.fallback import kernel_fields, library_fields
from ftracepy.printfmt.nodes import PrintFmtFault
from ftracepy.printfmt.numbers import DYNAMIC
from ftracepy.printfmt.parser import parse
from ftracepy.printfmt.plugins import plugin
from ftracepy.printfmt.program import MAX_STACK, Pool, Program
from ftracepy.printfmt.raw import raw_fields
from ftracepy.printfmt.special import special
from ftracepy.printfmt.target import Style, Target, target_of
from ftracepy.printfmt.texts import Code
from ftracepy.schema import EventFormat, FieldKind, Schema

_DYNAMIC = frozenset({FieldKind.DATA_LOC, FieldKind.REL_LOC})


def compile(format: EventFormat, schema: Schema, style: Style = "kernel") -> Program:
    """The program for `format`; never raises: what cannot be evaluated becomes the style's text of plain fields."""
    return compile_for(format, target_of(schema, style))


def compile_for(format: EventFormat, target: Target) -> Program:
    pool = Pool()
    fields = {one.name: one for one in (*format.common, *format.fields)}
    fields |= {DYNAMIC + one.name: one for one in format.fields if one.kind in _DYNAMIC}
    emitter = Emitter(fields, pool, target, format.print_fmt)
    if target.form == "raw" and target.exact:
        return _fallback(format, target)
    try:
        code = _by_form(format, target, emitter, pool)
        if code is None:
            code = emitter.compile(parse(format.print_fmt, target.long_bytes, target.exact))
        return pool.program(_checked(code))
    except (PrintFmtFault, RecursionError):  # a chain of a thousand operators nests as deep, without a parenthesis
        return _fallback(format, target)


def _by_form(format: EventFormat, target: Target, emitter: Emitter, pool: Pool) -> Code | None:
    """The instructions that are not made from the print fmt alone."""
    if target.form == "raw":
        return raw_fields(format, emitter, pool)
    made = plugin(format, emitter, pool) if target.form == "latency" and not target.exact else None
    return special(format, target, emitter, pool) if made is None else made


def _fallback(format: EventFormat, target: Target) -> Program:
    pool = Pool()
    fields = kernel_fields if target.exact else library_fields
    return pool.program(fields(format, target, pool))


def _checked(code: Code) -> Code:
    """An expression deeper than the machines' stack is not worth a bigger stack."""
    pushes = sum(one.op in range(1, 6) or one.op in range(32, 35) for one in code)
    if pushes >= MAX_STACK and _deepest(code) >= MAX_STACK:
        raise PrintFmtFault("an expression too deep")
    return code


def _deepest(code: Code) -> int:
    from ftracepy._fastparse.twin_run import stack_effect

    depth = most = 0
    for one in code:
        depth = max(0, depth + stack_effect(one.op))
        most = max(most, depth)
    return most
