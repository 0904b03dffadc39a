"""Plain fields in place of a text that cannot be made: as the kernel's option `fields` shows them, or trace-cmd's library."""

from __future__ import annotations

from ftracepy.printfmt.program import ALT, REL, SIGNED, ZERO, Instruction, Op, Pool
from ftracepy.printfmt.target import Target
from ftracepy.printfmt.texts import Code
from ftracepy.schema import EventFormat, Field, FieldKind
from ftracepy.symbols.kallsyms import PLACE
from ftracepy.values import replace

_WITH_SYMBOLS = (6, 16)  # the option `fields` names symbols since
_TEXTS_AS_ASCII = (6, 19)  # and texts as far as they are ASCII
_TEXTS = ("char", "u8", "s8")  # arrays that trace-cmd shows as text where they can be


def reference(field: Field) -> list[Instruction]:
    """Push a reference to the bytes of an array field."""
    match field.kind:
        case FieldKind.FIXED:
            return [Instruction(Op.REF, a=field.offset, b=field.size)]
        case FieldKind.REST:
            return [Instruction(Op.REF_REST, a=field.offset)]
    return [Instruction(Op.REF_LOC, flags=REL if field.kind == FieldKind.REL_LOC else 0, a=field.offset)]


def _number(field: Field, conv: str, size: int, flags: int = 0) -> Instruction:
    signed = SIGNED if field.signed or conv == "d" else 0
    return Instruction(Op.FIELD_NUMBER, size, signed | flags, a=field.offset, b=ord(conv))


def library_fields(format: EventFormat, target: Target, pool: Pool) -> Code:
    """[FAILED TO PARSE] name=value …: longs and pointers in hex, arrays as bytes, text where it is printable."""
    code: Code = [] if target.form == "raw" else pool.text(b"[FAILED TO PARSE]")
    for field in format.fields:
        code += pool.text(f" {field.name}=".encode())
        code += library_field(field, pool)
    return code


def library_field(field: Field, pool: Pool) -> Code:
    text = any(name in field.type for name in _TEXTS)
    if field.kind == FieldKind.REST:
        return [Instruction(Op.STRING_REST, a=field.offset)] if text else pool.text(b"ARRAY[]" if "[" in field.type else b"0")
    if field.kind != FieldKind.FIXED or field.count is not None:
        return [*reference(field), Instruction(Op.RAW_FIELD, b=3 if text and not field.is_string else text)]
    if field.size not in {1, 2, 4, 8}:
        return [*reference(field), Instruction(Op.RAW_FIELD)] if field.size else pool.text(b"0")
    is_long = "long" in field.type.split() and (not field.signed or field.size == 4)
    if "*" in field.type or is_long:
        plain = Instruction(Op.FIELD_NUMBER, field.size, 0, a=field.offset, b=ord("x"))
        return [*pool.text(b"0x"), plain]
    conv = "d" if field.signed else "u"
    return [_number(field, conv, field.size)._replace(width={2: 2}.get(field.size, 0) if field.signed else 0)]


def kernel_fields(format: EventFormat, target: Target, pool: Pool) -> Code:
    """name=0xhex (decimal) …, in the order of the format, names of own fields only.

    In the raw form exactly what the option shows (trace_output.c, print_fields), else arrays with their values.
    """
    code: Code = []
    for field in format.fields:
        code += pool.text(f"{' ' if code else ''}{field.name}=".encode())
        code += _strict_field(field, target, pool) if target.form == "raw" else _kernel_field(field, pool)
    return code


def _strict_field(field: Field, target: Target, pool: Pool) -> Code:
    """Bytes of dynamic arrays, fixed ones only where they are as wide as a number; pointers to text with what is known of it."""
    if field.type in {"char *", "const char *"} and field.size == target.long_bytes:
        value = [Instruction(Op.LOAD, field.size, a=field.offset), Instruction(Op.STRING_POINTER, b=1)]
        hexa = _number(field, "x", field.size)._replace(flags=ZERO, width=2 * field.size)
        return [*pool.text(b"(0x"), hexa, *value, *pool.text(b")")]
    if not field.is_string and field.kind == FieldKind.FIXED and field.size in {1, 2, 4, 8}:
        return _strict_number(replace(field, count=None, signed=False), target, pool)
    if not field.is_string and field.kind == FieldKind.FIXED:
        return pool.text(b"<INVALID-SIZE>")
    if not field.is_string and field.kind in {FieldKind.DATA_LOC, FieldKind.REL_LOC}:
        return [*reference(field), Instruction(Op.HEX, b=ord(","))]
    if field.is_string and target.release >= _TEXTS_AS_ASCII:
        return [*reference(field), Instruction(Op.RAW_FIELD, b=5)]
    return _kernel_field(field, pool)


def _strict_number(field: Field, target: Target, pool: Pool) -> Code:
    """A byte also as the character it is (lib/ctype.c: Latin-1), two bytes without a sign."""
    if field.size == 2:
        hexa, decimal = (_number(field, conv, 2) for conv in "xu")
        return [*pool.text(b"0x"), hexa, *pool.text(b" ("), decimal, *pool.text(b")")]
    if field.size == target.long_bytes and target.release >= _WITH_SYMBOLS:
        place = [Instruction(Op.LOAD, field.size, a=field.offset), Instruction(Op.SYMBOL, flags=ALT, b=PLACE)]
        return [*place, *pool.text(b" ("), _number(field, "d", field.size), *pool.text(b")")]
    if field.size != 1:
        return _kernel_field(field, pool)
    value = Instruction(Op.LOAD, 1, a=field.offset)
    ascii_, latin = (
        [value, Instruction(Op.CONST, v=first), Instruction(Op.SUB, 8), Instruction(Op.CONST, v=count), Instruction(Op.LT, 8)]
        for first, count in ((32, 95), (160, 96))
    )
    character = [*pool.text(b"'"), _number(field, "c", 1), *pool.text(b"'")]
    shown = [*ascii_, *latin, Instruction(Op.EITHER), Instruction(Op.JUMP_ZERO, a=len(character)), *character]
    return [*shown, *_kernel_field(field, pool)]


def _kernel_field(field: Field, pool: Pool) -> Code:
    if field.is_string:
        return [*reference(field), Instruction(Op.STRING_REF)]
    if field.kind != FieldKind.FIXED or field.count is not None or field.size not in {1, 2, 4, 8}:
        element = field.element_bytes if field.element_bytes in {1, 2, 4, 8} else 1
        count = Instruction(Op.CONST, v=1 << 20)
        return [*reference(field), count, Instruction(Op.ARRAY, element)]
    if field.size == 1:
        return [*pool.text(b"("), _number(field, "d" if field.signed else "u", 1), *pool.text(b")")]
    hexa = Instruction(Op.FIELD_NUMBER, field.size, 0, a=field.offset, b=ord("x"))
    return [*pool.text(b"0x"), hexa, *pool.text(b" ("), _number(field, "d", field.size), *pool.text(b")")]
