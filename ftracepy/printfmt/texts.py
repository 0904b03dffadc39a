"""Text-valued arguments (%s) and pointers (%p…) to instructions."""

from __future__ import annotations

from collections.abc import Callable

from ftracepy.printfmt.helpers import helper
from ftracepy.printfmt.nodes import (
    Binary,
    Braces,
    Call,
    Cast,
    Field,
    Index,
    Name,
    Node,
    Num,
    PrintFmt,
    PrintFmtFault,
    Str,
    Ternary,
    Unary,
)
from ftracepy.printfmt.numbers import Expr, Numbers, load, locate
from ftracepy.printfmt.parser import parse
from ftracepy.printfmt.program import ALT, ZERO, Instruction, Op, Pool
from ftracepy.schema import Field as RecordField
from ftracepy.schema import FieldKind

Code = list[Instruction]
Whole = Callable[[PrintFmt], Code]  # compiles a print fmt of its own
_SEPARATORS = {"": ord(" "), "C": ord(":"), "D": ord("-"), "N": 0}
_UUID = {"": 0, "b": 0, "B": 2, "l": 1, "L": 3}
_SOCKADDR_PARTS = (("p", 1), ("c", 2), ("f", 4), ("s", 8))
_NO_POINTER = b"(____ptrval____)"  # the kernel's own words for a pointer whose value it cannot show
UNKNOWN = -1


class Texts:
    """Compiles text-valued nodes of one event."""

    def __init__(self, numbers: Numbers, pool: Pool, exact: bool, whole: Whole) -> None:
        self._numbers = numbers
        self._whole = whole
        self._pool = pool
        self._exact = exact
        self._alt = ALT if exact else 0

    def compile(self, node: Node) -> Code:
        """Instructions that print what %s prints for `node`."""
        match node:
            case Str(value):
                return self._pool.text(value.split(b"\0")[0])
            case Cast(_, Num(0)) | Num(0) | Name("NULL"):
                return self._null(node)
            case Field(name):
                return self._field(self._numbers.field(name))
            case Ternary(condition, yes, no):
                return self.choice(self._numbers.compile(condition), self.compile(yes), self.compile(no))
            case Cast(type_, inner) if type_.endswith("*") or "char" in type_:
                return self.compile(inner)
            case Unary("&", Index(Field(name), Num(0))):
                return self._field(self._numbers.field(name))
            case Unary("&", inner):
                return self.compile(inner)
            case Call():
                return self._call(node)
            case Index() | Binary():
                return [*self._numbers.compile(node).code, Instruction(Op.STRING_POINTER)]
        raise PrintFmtFault(f"{type(node).__name__} is no text")

    def _null(self, node: Node) -> Code:
        """What vsprintf shows for no string; the library shows the word that stands there, and nothing for a cast."""
        if self._exact:
            return self._pool.text(b"(null)")
        return self._pool.text(b"" if isinstance(node, Cast) else b"NULL" if isinstance(node, Name) else b"0")

    def choice(self, condition: Expr, yes: Code, no: Code) -> Code:
        """Instructions that do `yes` or `no`."""
        if condition.constant is not None:
            return yes if condition.constant else no
        return [
            *condition.code,
            Instruction(Op.JUMP_ZERO, a=len(yes) + 1),
            *yes,
            Instruction(Op.JUMP, a=len(no)),
            *no,
        ]

    def _field(self, field: RecordField) -> Code:
        match field.kind:
            case FieldKind.FIXED if field.count is not None:
                return [Instruction(Op.STRING, a=field.offset, b=field.size)]
            case FieldKind.FIXED:
                return [*load(field).code, Instruction(Op.STRING_POINTER)]
            case FieldKind.REST:
                return [Instruction(Op.STRING_REST, a=field.offset)]
        at, rel = locate(field)
        return [Instruction(Op.STRING_LOC, flags=rel, a=at)]

    def _call(self, node: Call) -> Code:
        match node:
            case Call(("__get_str" | "__get_rel_str"), (Name(name),)):
                at, rel = locate(self._numbers.dynamic(name))
                return [Instruction(Op.STRING_LOC, flags=rel, a=at)]
            case Call(("__get_dynamic_array" | "__get_rel_dynamic_array"), (Name(name),)):
                at, rel = locate(self._numbers.dynamic(name))
                return [Instruction(Op.STRING_LOC, flags=rel, a=at)]
            case Call(("__print_flags" | "__print_flags_u64"), (value, delimiter, *rows)):
                return self._flags(value, delimiter, rows)
            case Call(("__print_symbolic" | "__print_symbolic_u64"), (value, *rows)):
                first, count = self._pool.table(self._rows(rows))
                return [*self._numbers.compile(value).code, Instruction(Op.SYMBOLIC, a=first, b=count)]
            case Call(("__print_hex" | "__print_hex_str" | "ftrace_print_hex_seq") as name, (*_, buffer, count_node)) if (
                self._exact or name != "ftrace_print_hex_seq"
            ):
                limit = [*self._numbers.compile(count_node).code, Instruction(Op.LIMIT)]
                separator = 0 if name.endswith("str") else ord(" ")
                return [*self.memory(buffer), *limit, Instruction(Op.HEX, b=separator)]
            case Call("__print_hex_dump", (Str(prefix), *numbers, buffer, count_node, letters)) if (
                self._exact and len(numbers) == 3
            ):
                return self._hex_dump(prefix, [*map(self._constant, (*numbers, letters))], buffer, count_node)
            case Call("__print_array", (buffer, count_node, size_node)):
                return self._array(buffer, self._numbers.compile(count_node), size_node)
            case Call("__print_dynamic_array", (Name(name), size_node)):
                return self._dynamic_array(name, size_node)
            case Call(("__get_bitmask" | "__get_rel_bitmask" | "__get_cpumask" | "__get_rel_cpumask"), (Name(name),)):
                at, rel = locate(self._numbers.dynamic(name))
                return [Instruction(Op.REF_LOC, flags=rel, a=at), Instruction(Op.BITMASK)]
            case Call("__builtin_expect", (inner, _)):
                return self.compile(inner)
            case Call("__trace_print_untrusted_str", (_, text, _)) if self._exact:
                return self.compile(text)
        return self._helper(node)

    def _helper(self, node: Call) -> Code:
        """A function of which is known what it shows: the text of the first row whose condition holds."""
        rows = helper(node, self._exact, self._numbers.with_plugins)
        if rows is None:
            raise PrintFmtFault(f"{node.name}() is the kernel's own")
        code: Code = []
        for condition, print_fmt in reversed(rows):
            holds = self._numbers.compile(parse(f'"", {condition}').args[0])
            code = self.choice(holds, self._whole(parse(print_fmt)), code)
        return code

    def _flags(self, value: Node, delimiter: Node, rows: list[Node] | tuple[Node, ...]) -> Code:
        match delimiter:
            case Str(text):
                between = text
            case Num(0) | Name("NULL") | Cast(_, Num(0)):
                between = b""
            case _:
                raise PrintFmtFault("the delimiter is no literal")
        first, count = self._pool.table(self._rows(rows))
        packed = self._pool.literal(between) << 32 | len(between)
        return [*self._numbers.compile(value).code, Instruction(Op.FLAGS, flags=self._alt, a=first, b=count, v=packed)]

    def _rows(self, rows: list[Node] | tuple[Node, ...]) -> list[tuple[int, bytes]]:
        table: list[tuple[int, bytes]] = []
        for row in rows:
            match row:
                case Braces((value, Str(text))):
                    number = self._row_value(value)
                    if number is not None:
                        table.append((number, text))
                case Braces((value, Name("NULL") | Num(0))) | Braces((value, Cast(_, Num(0)))) if value:
                    break
                case Braces(()):
                    continue
                case _:
                    raise PrintFmtFault("a table row is not { value, text }")
        return table

    def _row_value(self, node: Node) -> int | None:
        """A row's constant. A name that is not resolved matches nothing in C, and counts as -1 in trace-cmd's library."""
        if isinstance(node, Name):
            return self._numbers.known.get(node.name, None if self._exact else UNKNOWN)
        try:
            value = self._numbers.compile(node).constant
        except PrintFmtFault:
            return None if self._exact else UNKNOWN
        if value is None:
            raise PrintFmtFault("a table row's value is not constant")
        return value

    def _constant(self, node: Node) -> int:
        value = self._numbers.compile(node).constant
        if value is None:
            raise PrintFmtFault("not a constant")
        return value

    def _array(self, buffer: Node, count: Expr, size_node: Node) -> Code:
        size = self._constant(size_node)
        if size not in {1, 2, 4, 8}:
            raise PrintFmtFault(f"array elements of {size} bytes")
        return [*self.memory(buffer), *count.code, Instruction(Op.ARRAY, size)]

    def _hex_dump(self, prefix: bytes, shape: list[int], buffer: Node, count_node: Node) -> Code:
        """Lines as print_hex_dump() makes them; of addresses only the kernel's words for one that it keeps to itself."""
        kind, row, group, letters = shape
        prefix += _NO_POINTER + b": " if kind == 1 else b""
        where = self._pool.literal(prefix) << 32 | len(prefix)
        limit = [*self._numbers.compile(count_node).code, Instruction(Op.LIMIT)]
        parts = {"size": 32 if row == 32 else 16, "a": group if group in {1, 2, 4, 8} else 1}
        return [*self.memory(buffer), *limit, Instruction(Op.HEX_DUMP, **parts, b=bool(letters) + 2 * (kind == 2), v=where)]

    def _dynamic_array(self, name: str, size_node: Node) -> Code:
        at, rel = locate(self._numbers.dynamic(name))
        size = self._constant(size_node)
        if size not in {1, 2, 4, 8}:
            raise PrintFmtFault(f"array elements of {size} bytes")
        count = [Instruction(Op.DYN_LEN, flags=rel, a=at), Instruction(Op.CONST, v=size), Instruction(Op.DIV, 8)]
        return [Instruction(Op.REF_LOC, flags=rel, a=at), *count, Instruction(Op.ARRAY, size)]

    def memory(self, node: Node) -> Code:
        """Instructions that push a reference to the bytes `node` points at."""
        match node:
            case Unary("&", Index(base, Num(first))) if first and self._exact:
                return self._from(base, first)
        field, _ = self._numbers.array(node)
        match field.kind:
            case FieldKind.FIXED:
                return [Instruction(Op.REF, a=field.offset, b=field.size)]
            case FieldKind.REST:
                return [Instruction(Op.REF_REST, a=field.offset)]
        at, rel = locate(field)
        return [Instruction(Op.REF_LOC, flags=rel, a=at)]

    def _from(self, base: Node, first: int) -> Code:
        """&base[first]: the rest of an array."""
        field, element = self._numbers.array(base)
        skipped = first * element.size
        if field.kind != FieldKind.FIXED or not 0 < skipped <= field.size:
            raise PrintFmtFault("not the rest of an array of the record")
        return [Instruction(Op.REF, a=field.offset + skipped, b=field.size - skipped)]

    def pointer(self, suffix: str, node: Node, width: int, star: Code) -> Code:
        """Instructions that print %p<suffix> of `node`; `star` pushes the argument of %*ph and %*pb."""
        kind, rest = suffix[:1], suffix[1:]
        match kind:
            case "" if self._numbers.is_unknown_page(node):
                return self._pool.text(_NO_POINTER)
            case "" if isinstance(node, Ternary) and self._numbers.is_unknown_page(node.yes):
                yes, no = self.pointer("", node.yes, 0, []), self.pointer("", node.no, 0, [])
                return self.choice(self._numbers.compile(node.condition), yes, no)
            case "" | "K" | "x" | "X":
                return [*self._numbers.compile(node).code, Instruction(Op.POINTER, self._numbers.long_bytes, self._alt)]
            case "S" | "F" | "B":
                return [*self._numbers.compile(node).code, Instruction(Op.SYMBOL, flags=self._alt, b=2 if self._exact else 1)]
            case "a" if self._exact:
                return self._physical(node)
            case "s" | "f":
                return [*self._numbers.compile(node).code, Instruction(Op.SYMBOL, flags=self._alt, b=0)]
            case "h" if rest in _SEPARATORS:
                count = star or [Instruction(Op.CONST, v=width or 1)]
                return [*self.memory(node), *count, Instruction(Op.LIMIT), Instruction(Op.HEX, b=_SEPARATORS[rest])]
            case "b":
                bits = star or [Instruction(Op.CONST, v=width)]
                return [*self.memory(node), *bits, Instruction(Op.BITMASK, flags=ALT, b=rest == "l")]
        return [*self.memory(node), _address(kind, rest)]

    def _physical(self, node: Node) -> Code:
        """%pa, an address of memory or of a device given by reference: always as wide as its type."""
        value = self._numbers.compile(Index(node, Num(0)))
        digits = 2 * value.type.size
        number = Instruction(Op.NUMBER, value.type.size, ZERO, width=digits, b=ord("x"))
        return [*self._pool.text(b"0x"), *value.code, number]


def _address(kind: str, rest: str) -> Instruction:
    """The instruction that shows referenced bytes as %p<kind><rest> does."""
    match kind:
        case "M":
            return Instruction(Op.MAC, b=ord("-" if rest == "F" else ":"))
        case "m":
            return Instruction(Op.MAC)
        case "I" | "i" if rest[:1] == "4":
            return Instruction(Op.IP4, b=(kind == "i") | 2 * (rest[1:] in {"h", "l"}))
        case "I" | "i" if rest[:1] == "6":
            return Instruction(Op.IP6, b=2 if rest == "6c" else kind == "i")
        case "I" | "i" if rest[:1] == "S":
            return Instruction(Op.SOCKADDR, b=sum(bit for letter, bit in _SOCKADDR_PARTS if letter in rest[1:]))
        case "U" if rest in _UUID:
            return Instruction(Op.UUID, b=_UUID[rest])
    raise PrintFmtFault(f"%p{kind}{rest} needs the kernel's own memory")
