"""C's view of BTF: types behind their qualifiers, members through unnamed structs, sizes, and types as C spells them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from ftracepy.symbols.btf import Btf, Kind, Member, Type
from ftracepy.values import dataclass, replace

_THROUGH = (Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG)
_COMPOUND = (Kind.STRUCT, Kind.UNION)
_WORDS = {"struct": (Kind.STRUCT,), "union": (Kind.UNION,), "enum": (Kind.ENUM, Kind.ENUM64)}
_QUALIFIERS = {Kind.CONST: "const", Kind.VOLATILE: "volatile", Kind.RESTRICT: "restrict"}
_NAMED = {Kind.STRUCT: "struct", Kind.UNION: "union", Kind.ENUM: "enum", Kind.ENUM64: "enum"}
_NEAR = 4
# C's spellings of what compilers name in one way (DWARF base types).
_SPELLINGS = {
    "short": "short int", "unsigned short": "short unsigned int", "long": "long int", "unsigned long": "long unsigned int",
    "unsigned": "unsigned int", "long long": "long long int", "unsigned long long": "long long unsigned int", "bool": "_Bool",
    "unsigned long int": "long unsigned int", "unsigned short int": "short unsigned int", "signed": "int",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CType:
    """The type of this number, or a pointer to it where BTF need not have one: `stars` pointers deep."""

    number: int
    stars: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A member as seen from an outer struct: where it is, and its width in bits where it is a bit-field, else 0."""

    type: CType
    bit_offset: int
    bits: int


class Types:
    """Questions about the types of one BTF."""

    def __init__(self, btf: Btf, long_bytes: int = 8) -> None:
        self.btf = btf
        self.long_bytes = long_bytes

    def bare(self, one: CType) -> Type:
        """The type without typedefs and qualifiers; a pointer that only a cast made is a PTR without number."""
        if one.stars:
            return Type(0, Kind.PTR, "")
        found = self.btf.type(one.number)
        while found.kind in _THROUGH:
            found = self.btf.type(found.target)
        return found

    def target(self, one: CType) -> CType | None:
        """What a pointer points at, or an array is made of; None for any other type."""
        if one.stars:
            return replace(one, stars=one.stars - 1)
        found = self.bare(one)
        return CType(found.target) if found.kind in (Kind.PTR, Kind.ARRAY) else None

    def is_user_pointer(self, one: CType) -> bool:
        """Whether it is marked as pointing into user space, as kernels built by clang do."""
        number = 0 if one.stars else self.bare(one).target
        while number and (found := self.btf.type(number)).kind in _THROUGH:
            if found.kind == Kind.TYPE_TAG and found.name == "user":
                return True
            number = found.target
        return False

    def is_compound(self, one: CType) -> bool:
        return self.bare(one).kind in _COMPOUND

    def size(self, one: CType) -> int:
        """In bytes; 0 for what has none (void, functions, structs that are only declared)."""
        found = self.bare(one)
        if found.kind == Kind.PTR:
            return self.long_bytes
        if found.kind == Kind.ARRAY:
            return found.count * self.size(CType(found.target))
        return found.size

    def is_char(self, one: CType) -> bool:
        """Whether it is C's plain char, of which text is made (u8 and signed char are numbers)."""
        found = self.bare(one)
        return found.kind == Kind.INT and found.name == "char"

    def members(self, one: CType) -> Iterator[tuple[str, Found]]:
        """All that can be named behind a dot, members of unnamed structs and unions included."""
        for member in self.btf.members(self.bare(one)):
            found = self._found(member)
            if member.name:
                yield member.name, found
            elif self.is_compound(found.type):
                for name, inner in self.members(found.type):
                    yield name, replace(inner, bit_offset=inner.bit_offset + found.bit_offset)

    def _found(self, member: Member) -> Found:
        number, bits = CType(member.type), member.bits
        offset = member.bit_offset
        inner = self.bare(number)
        if inner.kind == Kind.INT and not bits:
            _signed, shift, width = self.btf.int_encoding(inner)
            if width != inner.size * 8:
                offset, bits = offset + shift, width
        return Found(number, offset, bits)

    def member(self, one: CType, name: str) -> Found | None:
        return next((found for called, found in self.members(one) if called == name), None)

    def near_members(self, one: CType, name: str) -> list[str]:
        """Members whose names are like `name`; the first ones where none is."""
        names = [called for called, _ in self.members(one)]
        return get_close_matches(name, names, _NEAR, 0.5) or names[: 2 * _NEAR]

    def prototype(self, function: str) -> Type | None:
        """The FUNC_PROTO of a function; None where BTF has none of that name."""
        found = self.btf.find(function, Kind.FUNC)
        return self.btf.type(found.target) if found else None

    def near_functions(self, name: str) -> list[str]:
        return get_close_matches(name, set(self.btf.all_names(Kind.FUNC)), _NEAR)

    def near_structs(self, name: str) -> list[str]:
        return get_close_matches(name, set(self.btf.all_names(Kind.STRUCT)), _NEAR)

    def named(self, text: str) -> CType | None:
        """The type that a cast names: `struct inode *`, `unsigned long`, `pid_t`; None where there is none."""
        stars = text.count("*")
        words = [word for word in text.replace("*", " ").split() if word not in ("const", "volatile")]
        if not words:
            return None
        if words[0] in _WORDS:
            found = self.btf.find(" ".join(words[1:]), *_WORDS[words[0]])
        elif words == ["void"]:
            return CType(0, stars)
        else:
            name = _SPELLINGS.get(" ".join(words), " ".join(words))
            found = self.btf.find(name, Kind.INT, Kind.TYPEDEF)
        return CType(found.number, stars) if found else None

    def enumerators(self, one: CType) -> dict[int, str]:
        """Value to name of an enum; the first of several names for one value."""
        found = self.bare(one)
        if found.kind not in (Kind.ENUM, Kind.ENUM64):
            return {}
        values: dict[int, str] = {}
        for name, value in self.btf.enumerators(found):
            values.setdefault(value, name)
        return values

    def spell(self, one: CType, name: str = "") -> str:
        """As C declares it: `const char *name`, `int (*name)(struct file *)`."""
        if one.stars:
            return self._declare(CType(one.number), "*" * one.stars + name)
        return self._declare(one, name)

    def _declare(self, one: CType, name: str) -> str:
        found = self.btf.type(one.number)
        to = CType(found.target)
        match found.kind:
            case Kind.PTR:
                inner = self.btf.type(found.target).kind in (Kind.ARRAY, Kind.FUNC_PROTO)
                return self._declare(to, f"(*{name})" if inner else f"*{name}")
            case Kind.ARRAY:
                return self._declare(to, f"{name}[{found.count}]")
            case Kind.FUNC_PROTO:
                params = [self.spell(CType(p.type), p.name) if p.type else "..." for p in self.btf.params(found)]
                return self._declare(to, f"{name}({', '.join(params) or 'void'})")
            case Kind.CONST | Kind.VOLATILE | Kind.RESTRICT:
                return self._qualified(_QUALIFIERS[found.kind], to, name)
            case Kind.TYPE_TAG:
                return self._declare(to, name)
        keyword = ("union" if found.flag else "struct") if found.kind == Kind.FWD else _NAMED.get(found.kind, "")
        word = f"{keyword} {found.name}".strip()
        return f"{word} {name}".rstrip()

    def _qualified(self, word: str, to: CType, name: str) -> str:
        """A qualified pointer has the word behind its star, everything else in front."""
        if self.btf.type(to.number).kind == Kind.PTR:
            return self._declare(to, f"{word} {name}".rstrip() if name else word)
        return f"{word} {self._declare(to, name)}"

    def function(self, name: str) -> str:
        """A function's prototype as C declares it; "" where BTF has none of that name."""
        found = self.prototype(name)
        return re.sub(r"\s+", " ", self._declare(CType(found.number), name)) if found else ""
