"""Number-valued expressions to instructions, with constants folded.

The kernel evaluates a `print fmt` as the C it is: types, promotions, signs. trace-cmd's library evaluates it
in unsigned 64-bit numbers, fields zero-extended, and only casts written out narrow or sign-extend. `exact`
chooses between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from typing import NamedTuple

from ftracepy.printfmt.arith import calculate
from ftracepy.printfmt.ctypes_ import INT, S64, U64, UINT, CType, ctype, wrap
from ftracepy.printfmt.known import KNOWN_VALUES, SOFTIRQS
from ftracepy.printfmt.nodes import Binary, Call, Cast, Field, Index, Name, Node, Num, PrintFmtFault, SizeOf, Ternary, Unary
from ftracepy.printfmt.program import REL, SIGNED, Instruction, Op
from ftracepy.printfmt.target import Target
from ftracepy.schema import Field as RecordField
from ftracepy.schema import FieldKind

_OPS = {
    "+": Op.ADD, "-": Op.SUB, "*": Op.MUL, "/": Op.DIV, "%": Op.MOD, "&": Op.AND, "|": Op.OR, "^": Op.XOR, "<<": Op.SHL,
    ">>": Op.SHR, "<": Op.LT, "<=": Op.LE, ">": Op.GT, ">=": Op.GE, "==": Op.EQ, "!=": Op.NE, "&&": Op.BOTH, "||": Op.EITHER,
}  # fmt: skip
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_ARRAYS = frozenset({"__get_dynamic_array", "__get_rel_dynamic_array", "__get_sockaddr", "__get_rel_sockaddr", "__get_str"})
_BYTE_SWAPS = {f"{before}{8 * size}": size for before in ("__builtin_bswap", "__fswab", "__swab") for size in (2, 4, 8)}
_FROM_LITTLE = {f"__le{8 * size}_to_cpup": size for size in (2, 4, 8)}
# Wrappers of page table entries, which hold a number and nothing else.
_IDENTITIES = frozenset(f"{before}{name}{after}" for name in ("pte", "pmd", "pud", "p4d", "pgd")
                        for before, after in (("", "_val"), ("native_make_", "")))  # fmt: skip
_NS_PER_SEC = 1_000_000_000
_PAGE_STRUCT_BYTES = 64


DYNAMIC = "__data_loc_"


class Unresolved(PrintFmtFault):
    """A value that only the running kernel had."""


class Expr(NamedTuple):
    """Instructions that leave one value, and the type whose range that value has."""

    code: tuple[Instruction, ...]
    type: CType

    @property
    def constant(self) -> int | None:
        return self.code[0].v if len(self.code) == 1 and self.code[0].op == Op.CONST else None


def const(value: int, type_: CType = INT) -> Expr:
    return Expr((Instruction(Op.CONST, v=wrap(value, S64)),), type_)


def load(field: RecordField) -> Expr:
    """A scalar field's value; a location word's for dynamic ones."""
    size = 4 if field.kind in {FieldKind.DATA_LOC, FieldKind.REL_LOC} else field.size
    if size not in {1, 2, 4, 8} or (field.count is not None and field.kind == FieldKind.FIXED) or field.kind == FieldKind.REST:
        raise PrintFmtFault(f"{field.name} is not a number")
    return Expr((Instruction(Op.LOAD, size, SIGNED if field.signed else 0, a=field.offset),), CType(size, field.signed))


def locate(field: RecordField) -> tuple[int, int]:
    """Offset and flags of a dynamic field's location word; raises where the field is none."""
    if field.kind not in {FieldKind.DATA_LOC, FieldKind.REL_LOC}:
        raise PrintFmtFault(f"{field.name} is not dynamic")
    return field.offset, REL if field.kind == FieldKind.REL_LOC else 0


class Numbers:
    """Compiles number-valued nodes of one event."""

    def __init__(self, fields: Mapping[str, RecordField], target: Target, known: Mapping[str, int] = KNOWN_VALUES) -> None:
        self._fields = fields
        self.known = known if target.exact else SOFTIRQS
        self._long = CType(target.long_bytes, False)
        self._exact = target.exact
        self._page_array = target.page_array
        self._target = target

    @property
    def with_plugins(self) -> bool:
        """Whether trace-cmd's plugins help."""
        return self._target.form == "latency"

    @property
    def long_bytes(self) -> int:
        return self._long.size

    def field(self, name: str) -> RecordField:
        if name not in self._fields:
            raise PrintFmtFault(f"no field {name!r}")
        return self._fields[name]

    def dynamic(self, name: str) -> RecordField:
        """The field that __get_str(name) means: its macro has names of its own, which a plain field may have as well."""
        return self._fields.get(DYNAMIC + name) or self.field(name)

    def compile(self, node: Node) -> Expr:
        match node:
            case Num():
                return const(node.value, CType(node.size, node.signed) if self._exact else U64)
            case Field():
                return self._load(self.field(node.name))
            case Name():
                return self._known(node.name)
            case Unary():
                return self._unary(node)
            case Binary():
                return self._binary(node)
            case Ternary():
                return self._ternary(node)
            case Cast():
                return self._cast(node)
            case SizeOf():
                return const(self.size_of(node), self._long)
            case Index():
                return self._index(node)
            case Call():
                return self._call(node)
        raise PrintFmtFault(f"{type(node).__name__} is not a number")

    def _load(self, field: RecordField) -> Expr:
        value = load(field)
        if self._exact or not field.signed:
            return value
        return Expr((value.code[0]._replace(flags=0),), CType(value.type.size, False))

    def _known(self, name: str) -> Expr:
        if not self._exact:
            return const(SOFTIRQS[name] if name in SOFTIRQS else self._target.symbol(name), U64)
        if name not in self.known:
            raise Unresolved(f"{name} is not resolved")
        return const(self.known[name])

    def convert(self, value: Expr, to: CType) -> Expr:
        """`value` as type `to`, with no instruction where the bits stay the same."""
        if value.constant is not None:
            return const(wrap(value.constant, to), to)
        have = value.type
        fits = to.size > have.size and (not have.signed or to.signed or to.size == 8)
        if to == have or (to.size == 8 and have.size == 8) or fits:
            return Expr(value.code, to)
        return Expr((*value.code, Instruction(Op.TO, to.size, SIGNED if to.signed else 0)), to)

    def _promoted(self, value: Expr) -> Expr:
        if not self._exact:
            return Expr(value.code, U64)
        return self.convert(value, INT) if value.type.size < 4 else value

    def _unary(self, node: Unary) -> Expr:
        if node.op == "*":
            return self._index(Index(node.operand, Num(0)))
        if node.op == "&":
            raise PrintFmtFault("an address is not a number")
        value = self._promoted(self.compile(node.operand))
        if node.op == "+":
            return value
        op = {"-": Op.NEG, "~": Op.INVERT, "!": Op.NOT}[node.op]
        made = self._fold((*value.code, Instruction(op)))
        if op == Op.NOT:
            return Expr(made, INT)
        return self._narrow(Expr(made, value.type))

    def _narrow(self, value: Expr) -> Expr:
        """Cut the result of an operation that may have left its type's range."""
        if value.constant is not None:
            return const(wrap(value.constant, value.type), value.type)
        if value.type.size == 8:
            return value
        return Expr((*value.code, Instruction(Op.TO, value.type.size, SIGNED if value.type.signed else 0)), value.type)

    def is_unknown_page(self, node: Node) -> bool:
        """Whether `node` is the address of a page's struct on a kernel that does not tell where those are."""
        match node:
            case Binary("+", Cast("struct page *", Name()), _):
                return self._exact and self._page_array is None
            case Binary("+", base, _):
                return self._exact and _is_page(base)
        return False

    def _page(self, node: Node) -> Expr:
        """The address of page number `node`."""
        if self._page_array is None:
            raise PrintFmtFault("where the pages' structs are is not known")
        number = self.convert(self.compile(node), U64)
        size, base = const(_PAGE_STRUCT_BYTES, U64).code, const(self._page_array, U64).code
        return Expr((*number.code, *size, Instruction(Op.MUL, 8), *base, Instruction(Op.ADD, 8)), U64)

    def _binary(self, node: Binary) -> Expr:
        match node:
            case Binary("+", Cast("struct page *", Name()), number) if self._exact:
                return self._page(number)
            case Binary() if self._exact and (_is_page(node.left) or _is_page(node.right)):
                raise Unresolved("how large a page's struct is stands nowhere")
        op = _OPS[node.op]
        left, right = self._promoted(self.compile(node.left)), self._promoted(self.compile(node.right))
        if op in {Op.BOTH, Op.EITHER}:
            return Expr(self._fold((*left.code, *right.code, Instruction(op))), INT)
        if op not in {Op.SHL, Op.SHR}:
            common = self._common(left.type, right.type)
            left, right = self.convert(left, common), self.convert(right, common)
        made = self._fold((*left.code, *right.code, Instruction(op, left.type.size, SIGNED if left.type.signed else 0)))
        if node.op in _COMPARISONS:
            return Expr(made, INT)
        result = Expr(made, left.type)
        return self._narrow(result) if op in {Op.ADD, Op.SUB, Op.MUL, Op.SHL} else result

    def _common(self, left: CType, right: CType) -> CType:
        if left.size != right.size:
            return max(left, right, key=lambda one: one.size)
        return CType(left.size, left.signed and right.signed)

    def _fold(self, code: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        *operands, last = code
        if len(operands) > 2 or any(one.op != Op.CONST for one in operands):
            return code
        return (Instruction(Op.CONST, v=wrap(calculate(last.op, bool(last.flags & SIGNED), [one.v for one in operands]), S64)),)

    def _ternary(self, node: Ternary) -> Expr:
        condition = self.compile(node.condition)
        if condition.constant is not None:
            return self.compile(node.yes if condition.constant else node.no)
        yes, no = self._promoted(self.compile(node.yes)), self._promoted(self.compile(node.no))
        common = self._common(yes.type, no.type)
        yes, no = self.convert(yes, common), self.convert(no, common)
        skip_yes = Instruction(Op.JUMP_ZERO, a=len(yes.code) + 1)
        skip_no = Instruction(Op.JUMP, a=len(no.code))
        return Expr((*condition.code, skip_yes, *yes.code, skip_no, *no.code), common)

    def _cast(self, node: Cast) -> Expr:
        to = ctype(node.type, self._long.size)
        value = self.compile(node.operand)
        if to is None:
            return value
        if to.size == 1 and node.type.split()[-1].lstrip("_") in {"bool", "Bool"}:
            return Expr(self._fold((*self._fold((*value.code, Instruction(Op.NOT))), Instruction(Op.NOT))), to)
        return self.convert(value, to)

    def size_of(self, node: SizeOf) -> int:
        if node.type and (known := ctype(node.type, self._long.size)):
            return known.size
        match node.operand or Name(node.type):
            case Field(name) if (field := self.field(name)).kind == FieldKind.FIXED:
                return field.size
            case Index(Field(name), _):
                return self.field(name).element_bytes
        raise PrintFmtFault("sizeof something of unknown size")

    def _index(self, node: Index) -> Expr:
        index = self.compile(node.index)
        base, element = self.array(node.base)
        flags = SIGNED if element.signed and self._exact else 0
        type_ = CType(element.size, bool(flags))
        if base.kind == FieldKind.FIXED:
            if index.constant is not None and 0 <= index.constant < base.size // element.size:
                at = base.offset + index.constant * element.size
                return Expr((Instruction(Op.LOAD, element.size, flags, a=at),), type_)
            return Expr((*index.code, Instruction(Op.INDEX, element.size, flags, a=base.offset, b=base.size)), type_)
        if base.kind == FieldKind.REST:
            return Expr((*index.code, Instruction(Op.INDEX, element.size, flags, a=base.offset, b=1 << 30)), type_)
        at, rel = locate(base)
        return Expr((*index.code, Instruction(Op.DYN_INDEX, element.size, flags | rel, a=at)), type_)

    def array(self, node: Node) -> tuple[RecordField, CType]:
        """The field whose bytes `node` points at, and the type of an element there."""
        match node:
            case Field(name):
                field = self.field(name)
                return field, CType(field.element_bytes, field.signed)
            case Call(name_of, (Name(name),)) if name_of in _ARRAYS:
                field = self.dynamic(name)
                return field, CType(field.element_bytes, field.signed)
            case Cast(type_, inner) if type_.endswith("*"):
                field, element = self.array(inner)
                return field, ctype(type_.rstrip("* "), self._long.size) or element
            case Unary("&", Field(name)):
                field = self.field(name)
                return field, CType(field.size, field.signed)
            case Unary("&", Index(base, Num(0))):
                return self.array(base)
        raise PrintFmtFault("not an array of the record")

    def _call(self, node: Call) -> Expr:
        match node:
            case Call("__builtin_expect", (value, _)):
                return self.compile(value)
            case Call(("__get_dynamic_array_len" | "__get_rel_dynamic_array_len"), (Name(name),)):
                at, rel = locate(self.dynamic(name))
                return Expr((Instruction(Op.DYN_LEN, flags=rel, a=at),), INT if self._exact else U64)
            case Call("__print_ns_to_secs", (value,)):
                return self._ns(value, Op.DIV, U64)
            case Call("__print_ns_without_secs", (value,)):
                return self._ns(value, Op.MOD, CType(4, False))
            case Call("jiffies_to_msecs" | "jiffies_to_usecs" as name, (value,)) if self._target.hz and self._exact:
                return self._jiffies(value, 1000 if name.endswith("msecs") else 1_000_000)
            case Call(name, (value,)) if name in _BYTE_SWAPS and self._exact:
                return self.compile(_swapped(value, _BYTE_SWAPS[name]))
            case Call(name, (pointer,)) if name in _FROM_LITTLE and self._exact:
                return self.compile(_little(pointer, _FROM_LITTLE[name]))
            case Call("__builtin_constant_p", (_,)) if self._exact:
                return const(1)
            case Call(name, (value,)) if name in _IDENTITIES and self._exact:
                return self.compile(value)
        raise PrintFmtFault(f"{node.name}() is the kernel's own")

    def _jiffies(self, node: Node, per_second: int) -> Expr:
        """Jiffies in another unit, rounded up where that does not divide (kernel/time/time.c)."""
        divisor = gcd(per_second, self._target.hz)
        many, each = per_second // divisor, self._target.hz // divisor
        value = self.convert(self.compile(node), U64)
        whole = (*value.code, *const(many, U64).code, Instruction(Op.MUL, 8), *const(each - 1, U64).code, Instruction(Op.ADD, 8))
        return self.convert(Expr((*whole, *const(each, U64).code, Instruction(Op.DIV, 8)), U64), UINT)

    def _ns(self, node: Node, op: Op, type_: CType) -> Expr:
        value = self.convert(self.compile(node), U64)
        return Expr((*value.code, *const(_NS_PER_SEC, U64).code, Instruction(op, 8)), type_)


def _is_page(node: Node) -> bool:
    """Whether `node` is a pointer to a page's struct, or counted from one."""
    match node:
        case Cast("struct page *", _):
            return True
        case Binary("+" | "-", left, _):
            return _is_page(left)
    return False


def _little(pointer: Node, size: int) -> Node:
    """The number of `size` bytes, the lowest first, that `pointer` leads to."""
    whole: Node = Num(0)
    for at in range(size):
        whole = Binary("|", whole, Binary("<<", Cast("u64", Index(Cast("u8 *", pointer), Num(at))), Num(8 * at)))
    return Cast(f"u{8 * size}", whole)


def _swapped(node: Node, size: int) -> Node:
    """`node`'s lowest `size` bytes in reverse order."""
    parts = [
        Binary("<<", Binary("&", Binary(">>", Cast("u64", node), Num(8 * at)), Num(0xFF)), Num(8 * (size - 1 - at)))
        for at in range(size)
    ]
    whole: Node = parts[0]
    for part in parts[1:]:
        whole = Binary("|", whole, part)
    return Cast(f"u{8 * size}", whole)
