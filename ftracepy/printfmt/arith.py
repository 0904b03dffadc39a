"""64-bit arithmetic as the programs do it: one meaning for constant folding and for the Python twin."""

from __future__ import annotations

from collections.abc import Sequence

from ftracepy.printfmt.program import Op

MASK = (1 << 64) - 1


def signed64(value: int) -> int:
    """The low 64 bits of `value`, as a signed number."""
    value &= MASK
    return value - (1 << 64) if value >> 63 else value


def _divided(left: int, right: int) -> tuple[int, int]:
    """Quotient toward zero and remainder, as in C; a division by zero gives zeros."""
    if right == 0:
        return 0, 0
    quotient = abs(left) // abs(right)
    quotient = -quotient if (left < 0) != (right < 0) else quotient
    return quotient, left - quotient * right


def calculate(op: int, signed: bool, operands: Sequence[int]) -> int:
    """Apply `op`; operands and result are taken modulo 2**64."""
    view = signed64 if signed else lambda value: value & MASK
    if len(operands) == 1:
        value = operands[0] & MASK
        return {Op.NEG: -value, Op.INVERT: ~value, Op.NOT: int(not value)}[Op(op)]
    left, right = view(operands[0]), view(operands[1])
    match op:
        case Op.ADD:
            return left + right
        case Op.SUB:
            return left - right
        case Op.MUL:
            return left * right
        case Op.DIV:
            return _divided(left, right)[0]
        case Op.MOD:
            return _divided(left, right)[1]
        case Op.AND:
            return left & right
        case Op.OR:
            return left | right
        case Op.XOR:
            return left ^ right
        case Op.SHL:
            return left << right if 0 <= right < 64 else 0
        case Op.SHR:
            return left >> right if 0 <= right < 64 else 0
        case Op.LT:
            return int(left < right)
        case Op.LE:
            return int(left <= right)
        case Op.GT:
            return int(left > right)
        case Op.GE:
            return int(left >= right)
        case Op.EQ:
            return int(left == right)
        case Op.NE:
            return int(left != right)
        case Op.BOTH:
            return int(bool(left) and bool(right))
        case _:
            return int(bool(left) or bool(right))
