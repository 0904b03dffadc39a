"""A parsed `print fmt` to instructions: each conversion with its argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ftracepy.printfmt.conversions import STARRED, Spec, split
from ftracepy.printfmt.ctypes_ import CType, wrap
from ftracepy.printfmt.known import known_values
from ftracepy.printfmt.nodes import Node, PrintFmt, PrintFmtFault
from ftracepy.printfmt.numbers import Expr, Numbers, Unresolved
from ftracepy.printfmt.program import LEFT, SIGNED, STAR, Instruction, Op, Pool
from ftracepy.printfmt.target import Target
from ftracepy.printfmt.texts import Code, Texts
from ftracepy.schema import Field

_SIGNED = frozenset("di")
_NUMBERS = frozenset("diuxXoc")


class Emitter:
    """Compiles the conversions of one event."""

    def __init__(self, fields: Mapping[str, Field], pool: Pool, target: Target, print_fmt: str = "") -> None:
        self._pool = pool
        self._target = target
        self.numbers = Numbers(fields, target, known_values(print_fmt))
        self.texts = Texts(self.numbers, pool, target.exact, self.compile)

    def compile(self, parsed: PrintFmt) -> Code:
        """Instructions for the whole of `parsed`; raises PrintFmtFault where an argument is missing or cannot be made."""
        args = list(parsed.args)
        code: Code = []
        for part in split(parsed.template, self._target.long_bytes):
            code += self._pool.text(part) if isinstance(part, bytes) else self.conversion(part, args)
        return code

    def conversion(self, spec: Spec, args: list[Node]) -> Code:
        """Instructions for one conversion, which takes its arguments off the front of `args`."""
        stars = [self.numbers.compile(self._take(args)) for given in (spec.width, spec.precision) if given == STARRED]
        node = self._take(args)
        if spec.conv == "p" and spec.pointer[:1] in {"h", "b"}:
            star = list(stars[0].code) if stars else []
            return self.texts.pointer(spec.pointer, node, spec.width, star)
        setup = self._registers(spec, stars)
        if spec.conv in _NUMBERS:
            return [*setup, *self._number_of(node, spec)]
        if spec.conv == "s":
            return self._framed(setup, self.texts.compile(node), spec)
        if spec.conv == "p":
            return self._framed(setup, self.texts.pointer(spec.pointer, node, spec.width, []), spec)
        raise PrintFmtFault(f"%{spec.conv} is no conversion of a print fmt")

    def _number_of(self, node: Node, spec: Spec) -> Code:
        """What only the running kernel knew (jiffies) becomes a question mark."""
        try:
            value = self.numbers.compile(node)
        except Unresolved:
            return self._pool.text(b"?".ljust(max(spec.width, 0)) if spec.flags & LEFT else b"?".rjust(max(spec.width, 0)))
        return self.number(value, spec)

    def _take(self, args: list[Node]) -> Node:
        if not args:
            raise PrintFmtFault("fewer arguments than conversions")
        return args.pop(0)

    def _registers(self, spec: Spec, stars: Sequence[Expr]) -> Code:
        code: Code = []
        given = [op for op, value in ((Op.WIDTH, spec.width), (Op.PRECISION, spec.precision)) if value == STARRED]
        for op, star in zip(given, stars, strict=True):
            code += [*star.code, Instruction(op)]
        return code

    def _framed(self, setup: Code, text: Code, spec: Spec) -> Code:
        if not spec.width and spec.precision == -1:
            return text
        starred = STAR if setup else 0
        width, precision = max(spec.width, -1), max(spec.precision, -1)
        closing = Instruction(Op.CLOSE, flags=spec.flags | starred, width=max(width, 0), precision=precision)
        return [Instruction(Op.OPEN), *setup, *text, closing] if starred else [Instruction(Op.OPEN), *text, closing]

    def number(self, value: Expr, spec: Spec) -> Code:
        """Instructions that print `value`: a load and its printing become one instruction where the bits allow."""
        starred = spec.width == STARRED or spec.precision == STARRED
        flags = spec.flags | (STAR if starred else 0)
        conv = "d" if spec.conv == "i" else spec.conv
        shape = {"width": max(spec.width, 0), "precision": max(spec.precision, -1), "b": ord(conv)}
        if value.constant is not None and not starred:
            return self._pool.text(self._constant(wrap(value.constant, CType(spec.size, conv == "d")), conv, spec))
        fused = self._fused(value, spec.size, conv) if not starred else None
        if fused:
            return [fused._replace(op=Op.FIELD_NUMBER, flags=fused.flags | flags, **shape)]
        signed = SIGNED if conv == "d" else 0
        return [*value.code, Instruction(Op.NUMBER, spec.size, flags | signed, **shape)]

    def _fused(self, value: Expr, size: int, conv: str) -> Instruction | None:
        """The load alone, adjusted so that what it loads is what the conversion shows."""
        if len(value.code) != 1 or value.code[0].op != Op.LOAD:
            return None
        load = value.code[0]
        if size <= load.size:
            at = load.a + (load.size - size if self._target.big_endian else 0)
            return load._replace(size=size, a=at, flags=SIGNED if conv == "d" else 0)
        if load.flags & SIGNED and conv != "d" and size != 8:
            return None
        return load

    def _constant(self, value: int, conv: str, spec: Spec) -> bytes:
        from ftracepy._fastparse.twin_run import format_number

        return format_number(value, conv, spec.flags, max(spec.width, 0), max(spec.precision, -1), self._target.exact)
