"""From a C expression and its types to a fetch argument of the kernel's: registers, offsets, dereferences, a type.

`path->dentry->d_name.name:string` at the entry of vfs_open becomes `+0(+40(+8(%di))):string`, which every kernel takes
(Documentation/trace/kprobetrace.rst). Offsets are those of the BTF given, so it must be that of the kernel probed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ftracepy.errors import UsageFault
from ftracepy.probespec.expressions import Address, Cast, Deref, Expr, Index, Member, Name
from ftracepy.probespec.pointing import fault
from ftracepy.symbols.btf import Kind
from ftracepy.symbols.btf_types import CType, Types
from ftracepy.values import dataclass, field, replace

MOST_CHARACTERS = 63  # of one fetch argument without its name (kernel: trace_probe.h, MAX_ARGSTR_LEN)
_MOST_ELEMENTS = 64  # MAX_ARRAY_LEN
_TEXT = re.compile(r"u?string(\[\d+\])?$")
_SYMBOL = re.compile(r"sym(bol|str)$")
_RADIX = {"x": "x", "d": "s", "u": "u"}  # as wide as C says
_ARRAY = re.compile(r"\w+\[(\d+)\]$")


@dataclass(frozen=True, slots=True)
class Word:
    """A value in a register, or what a fetch argument gives."""

    text: str
    type: CType


@dataclass(frozen=True, slots=True)
class Memory:
    """A place in memory: `offset` bytes from the address that `base` gives; a global's base is @symbol itself."""

    base: str
    offset: int
    type: CType
    bit: int = 0
    bits: int = 0
    user: bool = False


@dataclass(frozen=True, slots=True)
class Registers:
    """A struct passed by value in registers, or the part of it that begins at bit `bit`, `bits` wide where it is a bit-field."""

    names: tuple[str, ...]
    type: CType
    bit: int = 0
    bits: int = 0


Value = Word | Memory | Registers


@dataclass(frozen=True, slots=True)
class Fetch:
    """One resolved argument: `text` with its type; `c_type` as C spells it, `names` of its values where it is an enum.

    `signed_bits` is the width of a signed bit-field, which the kernel shows unsigned.
    """

    text: str
    c_type: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    signed_bits: int = 0


class Resolver:
    """Resolves expressions of one definition. `name` gives what a bare name, $retval or $argN stands for, or raises."""

    def __init__(self, types: Types, typed: str, name: Callable[[Name], Value]) -> None:
        self._types, self._typed, self._name = types, typed, name

    def fetch(self, expr: Expr, wanted: str, at: int) -> Fetch:
        """The argument for `expr`, shown as the kernel's type `wanted` ("": what C says). Raises UsageFault that points."""
        value = self.value(expr)
        made = self._shown(value, wanted, at) if wanted else self._natural(value, at)
        if len(made.text) > MOST_CHARACTERS:
            why = f"the kernel takes {MOST_CHARACTERS} characters for one argument, this needs {len(made.text)}: {made.text}"
            raise fault(self._typed, at, "this chain is too long for one argument", why=why)
        return replace(made, c_type=self._types.spell(value.type))

    def value(self, expr: Expr) -> Value:
        match expr:
            case Name():
                return self._name(expr)
            case Member():
                return self._member(expr)
            case Index():
                return self._index(expr)
            case Cast():
                return self._cast(expr)
            case Deref():
                return self._pointed_at(self.value(expr.inner), 0, expr.at)
            case Address():
                return self._address(expr)

    def _member(self, expr: Member) -> Value:
        outer = self.value(expr.inner)
        if expr.arrow:
            outer = self._pointed_at(outer, 0, expr.at)
        elif self._types.bare(outer.type).kind == Kind.PTR:
            raise self._fault(expr.at, f"{self._types.spell(outer.type)} is a pointer: its members are behind ->")
        if not self._types.is_compound(outer.type):
            declared = self._types.bare(outer.type).kind == Kind.FWD
            why = "is only declared" if declared else "has no members"
            raise self._fault(expr.at, f"{self._types.spell(outer.type)} {why}")
        found = self._types.member(outer.type, expr.name)
        if found is None:
            near = ", ".join(self._types.near_members(outer.type, expr.name))
            raise self._fault(expr.at, f"{self._types.spell(outer.type)} has no member '{expr.name}'", hint=near)
        if isinstance(outer, Registers):
            return replace(outer, type=found.type, bit=outer.bit + found.bit_offset, bits=found.bits)
        assert isinstance(outer, Memory)
        if found.bits:
            return replace(outer, type=found.type, bit=found.bit_offset, bits=found.bits)
        return replace(outer, offset=outer.offset + found.bit_offset // 8, type=found.type)

    def _index(self, expr: Index) -> Value:
        outer = self.value(expr.inner)
        kind, element = self._types.bare(outer.type).kind, self._types.target(outer.type)
        if element is None:
            raise self._fault(expr.at, f"{self._types.spell(outer.type)} is neither an array nor a pointer")
        size = self._types.size(element)
        if kind == Kind.PTR:
            return self._pointed_at(outer, expr.number * size, expr.at)
        count = self._types.bare(outer.type).count
        if count and expr.number >= count:
            raise self._fault(expr.at, f"{self._types.spell(outer.type)} ends at {count - 1}")
        if isinstance(outer, Registers):
            return replace(outer, type=element, bit=outer.bit + expr.number * size * 8)
        assert isinstance(outer, Memory)
        return replace(outer, offset=outer.offset + expr.number * size, type=element)

    def _cast(self, expr: Cast) -> Value:
        to = self._types.named(expr.type)
        if to is None:
            near = self._types.near_structs(expr.type.replace("*", " ").split()[-1])
            raise self._fault(expr.at, f"there is no type '{expr.type}'", hint=", ".join(f"struct {one}" for one in near))
        value = self.value(expr.inner)
        if self._types.bare(value.type).kind == Kind.ARRAY and self._types.bare(to).kind == Kind.PTR:
            raise self._fault(expr.at, "an array is no value that could be cast")
        return replace(value, type=to)

    def _address(self, expr: Address) -> Value:
        value = self.value(expr.inner)
        if isinstance(value, Memory) and not value.offset and not value.bits and not value.base.startswith("@"):
            return Word(value.base, replace(value.type, stars=value.type.stars + 1))
        raise self._fault(expr.at, "the kernel fetches values, it cannot add: only the address of a first member is a value")

    def _pointed_at(self, pointer: Value, offset: int, at: int) -> Memory:
        target = self._types.target(pointer.type)
        if target is None:
            raise self._fault(at, f"{self._types.spell(pointer.type)} is no pointer")
        if self._types.bare(pointer.type).kind == Kind.ARRAY:
            if not isinstance(pointer, Memory):
                raise self._fault(at, "an array in registers has no address")
            return replace(pointer, offset=pointer.offset + offset, type=target)
        return Memory(self._load(pointer, at), offset, target, user=self._types.is_user_pointer(pointer.type))

    def _load(self, value: Value, at: int) -> str:
        """The text that fetches a whole value: a register, or memory at an offset."""
        if isinstance(value, Word):
            return value.text
        if value.bits:
            raise self._fault(at, "a bit-field is no pointer")
        if isinstance(value, Registers):
            if value.bit % 64:
                raise self._fault(at, "this part of a register cannot be fetched as a pointer")
            return value.names[value.bit // 64]
        return _at(value, value.offset)

    def _natural(self, value: Value, at: int) -> Fetch:
        """As what C says it is."""
        types, bare = self._types, self._types.bare(value.type)
        if isinstance(value, Memory | Registers) and value.bits:
            signed = bare.kind == Kind.INT and types.btf.int_encoding(bare)[0]
            return Fetch(self._bit_field(value, at), names=types.enumerators(value.type), signed_bits=value.bits if signed else 0)
        if bare.kind == Kind.ARRAY:
            return self._array(value, at)
        if (shown := self._scalar(value.type)) is None:
            raise self._fault(at, self._why_no_value(value.type), hint=self._members_of(value.type))
        if isinstance(value, Registers):
            return Fetch(self._part(value, types.size(value.type) * 8, shown, at), names=types.enumerators(value.type))
        return Fetch(f"{self._load(value, at)}:{shown}", names=types.enumerators(value.type))

    def _scalar(self, one: CType) -> str | None:
        """The kernel's word for a number of this C type; None for what is no single number."""
        bare = self._types.bare(one)
        match bare.kind:
            case Kind.PTR:
                target = self._types.target(one)
                is_code = target is not None and self._types.bare(target).kind == Kind.FUNC_PROTO
                return "symbol" if is_code else f"x{self._types.long_bytes * 8}"
            case Kind.INT if bare.size <= 8:
                return f"{'s' if self._types.btf.int_encoding(bare)[0] else 'u'}{bare.size * 8}"
            case Kind.ENUM | Kind.ENUM64:
                return f"{'s' if bare.flag else 'u'}{bare.size * 8}"
        return None

    def _array(self, value: Value, at: int) -> Fetch:
        element = self._types.target(value.type)
        if element is None or not isinstance(value, Memory):
            raise self._fault(at, "an array in registers cannot be shown whole")
        count = self._types.bare(value.type).count
        if self._types.is_char(element):
            return Fetch(f"{self._load(value, at)}:string")
        shown = self._scalar(element)
        if shown is None or not count or count > _MOST_ELEMENTS:
            limit = f"{self._types.spell(value.type)} cannot be shown whole"
            raise self._fault(at, limit, hint=f"one element, [0], or up to {_MOST_ELEMENTS} of them, :u8[16]")
        return Fetch(f"{self._load(value, at)}:{shown}[{count}]")

    def _bit_field(self, value: Memory | Registers, at: int) -> str:
        """`b<width>@<bit>/<container>`: the container is the declared type, unless the field leaves it (packed structs)."""
        if isinstance(value, Registers):
            return self._part(value, value.bits, "", at)
        unit = self._types.size(value.type) * 8
        start = value.bit // unit * unit
        if value.bit + value.bits > start + unit:
            unit, start = 64, value.bit // 8 * 8
        if value.bit + value.bits > start + unit:
            raise self._fault(at, "this bit-field lies across more than 8 bytes")
        return f"{_at(value, value.offset + start // 8)}:b{value.bits}@{value.bit - start}/{unit}"

    def _part(self, value: Registers, bits: int, shown: str, at: int) -> str:
        register, bit = value.names[value.bit // 64], value.bit % 64
        if bit + bits > 64:
            raise self._fault(at, "this lies across two registers")
        if shown and not bit:
            return f"{register}:{shown}"
        return f"{register}:b{bits}@{bit}/64"

    def _shown(self, value: Value, wanted: str, at: int) -> Fetch:
        """As the user says. A text is behind a pointer or in an array; what is no pointer is no text."""
        if isinstance(value, Memory | Registers) and value.bits:
            raise self._fault(at, "how a bit-field is shown follows from its width: leave the type out")
        is_array = self._types.bare(value.type).kind == Kind.ARRAY
        is_pointer = self._types.bare(value.type).kind == Kind.PTR
        if _TEXT.match(wanted) or _ARRAY.match(wanted):
            if not (is_array or is_pointer):
                raise self._fault(at, f"{self._types.spell(value.type)} points at no {wanted}")
            return Fetch(f"{_at(self._pointed_at(value, 0, at), None)}:{wanted}")
        if is_array or self._types.is_compound(value.type):
            raise self._fault(at, f"{self._types.spell(value.type)} is no single number", hint=self._members_of(value.type))
        if wanted in _RADIX:
            wanted = f"{_RADIX[wanted]}{self._types.size(value.type) * 8}"
        if isinstance(value, Registers) and value.bit % 64:
            return self._natural(value, at)
        names = {} if _SYMBOL.match(wanted) else self._types.enumerators(value.type)
        return Fetch(f"{self._load(value, at)}:{wanted}", names=names)

    def _why_no_value(self, one: CType) -> str:
        bare, spelled = self._types.bare(one), self._types.spell(one)
        if bare.kind == Kind.VOID:
            return "void is no value"
        return f"{spelled} is only declared" if bare.kind == Kind.FWD else f"{spelled} is no single number: name a member of it"

    def _members_of(self, one: CType) -> str:
        return ", ".join(self._types.near_members(one, "")) if self._types.is_compound(one) else ""

    def _fault(self, at: int, message: str, hint: str = "") -> UsageFault:
        return fault(self._typed, at, message, hint=hint)


def _at(place: Memory, offset: int | None) -> str:
    """Fetches what is at a place: @symbol+4, +8(%di), +u8(%di) from user space."""
    offset = place.offset if offset is None else offset
    if place.base.startswith("@"):
        return f"{place.base}{offset:+d}" if offset else place.base
    sign = "-" if offset < 0 else "+"
    return f"{sign}{'u' if place.user else ''}{abs(offset)}({place.base})"
