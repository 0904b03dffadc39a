"""Every field by name, as `trace-cmd report -R` shows it: in the conversion that the print fmt has for it, else plainly."""

from __future__ import annotations

from typing import NamedTuple

from ftracepy.printfmt.conversions import STARRED, Spec, split
from ftracepy.printfmt.emit import Emitter
from ftracepy.printfmt.fallback import library_field
from ftracepy.printfmt.nodes import Cast, Node, PrintFmtFault
from ftracepy.printfmt.nodes import Field as FieldNode
from ftracepy.printfmt.parser import parse
from ftracepy.printfmt.program import Instruction, Op, Pool
from ftracepy.printfmt.texts import Code
from ftracepy.schema import EventFormat, Field, FieldKind
from ftracepy.symbols.kallsyms import OR_NOTHING

_SYMBOLS = frozenset("FfSs")


class _Shown(NamedTuple):
    """A conversion, its arguments (those of * first), and whether the text before it ends in 0x."""

    spec: Spec
    args: list[Node]
    after_0x: bool

    @property
    def field(self) -> str:
        """The field that is shown, where nothing but casts stands around it."""
        node = self.args[-1]
        while isinstance(node, Cast):
            node = node.operand
        return node.name if isinstance(node, FieldNode) else ""


def raw_fields(format: EventFormat, emitter: Emitter, pool: Pool) -> Code:
    """name=value of each field; raises PrintFmtFault where the print fmt cannot be read: then none is shown its way."""
    shown, more = ([], False) if format.name == "bprint" else _conversions(format)
    emitter.compile(parse(format.print_fmt, emitter.numbers.long_bytes, exact=False))
    code: Code = []
    at: int | None = (
        0  # the library looks on from what it found last, round about; after a conversion that ends the template not at all
    )
    for field in format.fields:
        code += pool.text(f" {field.name}=".encode())
        found = _find(shown, field, at) if at is not None else None
        code += library_field(field, pool) if found is None else _shown(shown[found], emitter, pool)
        if found is not None:
            at = None if found + 1 == len(shown) and not more else found + 1
    return code


def _find(shown: list[_Shown], field: Field, start: int) -> int | None:
    if not _is_number(field):
        return None
    order = (*range(start, len(shown)), *range(start))
    return next((at for at in order if shown[at].field == field.name), None)


def _is_number(field: Field) -> bool:
    return field.kind == FieldKind.FIXED and field.count is None


def _conversions(format: EventFormat) -> tuple[list[_Shown], bool]:
    """The conversions, and whether text stands behind the last one."""
    parsed = parse(format.print_fmt, exact=False)
    args, before = list(parsed.args), b""
    done: list[_Shown] = []
    for part in split(parsed.template):
        if isinstance(part, Spec):
            needed = 1 + (part.width == STARRED) + (part.precision == STARRED)
            if len(args) < needed:
                raise PrintFmtFault("fewer arguments than conversions")
            done.append(_Shown(part, args[:needed], before.endswith(b"0x")))
            del args[:needed]
        before = part if isinstance(part, bytes) else b""
    return done, bool(before)


def _shown(one: _Shown, emitter: Emitter, pool: Pool) -> Code:
    prefix = pool.text(b"0x") if one.after_0x else []
    kind = one.spec.pointer[:1]
    if one.spec.conv != "p" or kind not in _SYMBOLS:
        return [*prefix, *emitter.conversion(one.spec, list(one.args))]
    value = emitter.numbers.compile(one.args[-1])
    name = Instruction(Op.SYMBOL, b=OR_NOTHING | (kind in "FS"))
    number = emitter.number(value, Spec("x", size=8))
    return [*prefix, *value.code, name, *pool.text(b" (0x"), *number, *pool.text(b")")]
