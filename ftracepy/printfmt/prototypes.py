"""How the arguments that the function tracers record are shown: a function's prototype by BTF, as rows for the text machine.

A row is a conversion, how many bits and words it shows, the length of a text and that text, which stands before the value.
Kernel: trace_output.c, print_function_args; trace-cmd's library does nearly the same.
"""

from __future__ import annotations

from bisect import bisect_right

from ftracepy.errors import KernelCannot
from ftracepy.printfmt.target import Target
from ftracepy.schema import Schema
from ftracepy.symbols.btf import Btf, Kind, Param, Type

_THROUGH = frozenset({Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG})
_UNSIGNED_IN_HEX = (6, 17)
_LONGEST_TEXT = 255
_DEEPEST = 64  # a damaged BTF may refer in circles


class Prototypes:
    """Rows by function name. Where there is no BTF, or trace-cmd finds no function in it, every argument is a bare number."""

    def __init__(self, btf: Btf | None, target: Target) -> None:
        self._btf, self._target = btf, target
        self._functions = _functions(btf) if btf else []
        self._names = [name for name, _ in self._functions]

    def rows(self, symbol: bytes) -> bytes:
        """The rows for the function that kallsyms calls so; b"" where it is to have no arguments."""
        name = symbol.decode("utf-8", "surrogateescape")
        if self._btf is None:
            return _row("r", "0x" if self._target.exact else "")
        try:
            prototype = self._prototype(self._btf, name)
            if prototype is None:
                return b"" if self._target.exact else _row("r", "")
            return b"".join(self._of(self._btf, param) for param in self._btf.params(prototype))
        except KernelCannot:
            return b""

    def _prototype(self, btf: Btf, name: str) -> Type | None:
        number = self._find(name)
        if number is None and not self._target.exact:
            number = self._find(name.partition(".")[0])
        found = btf.type(btf.type(number).target) if number else None
        return found if found and found.kind == Kind.FUNC_PROTO else None

    def _find(self, name: str) -> int | None:
        """Of several functions of one name the kernel takes the first, trace-cmd the one that its binary search meets."""
        last = bisect_right(self._names, name) - 1
        if last < 0 or self._names[last] != name:
            return None
        if not self._target.exact:
            return self._functions[_searched(self._names, name)][1]
        while last and self._names[last - 1] == name:
            last -= 1
        return self._functions[last][1]

    def _of(self, btf: Btf, param: Param) -> bytes:
        exact, text = self._target.exact, f"{param.name}="
        if not param.type and not exact:
            return _row("-", text)
        bare = _bare(btf, param.type)
        match bare.kind if bare else Kind.VOID:
            case Kind.VOID:
                return _row("x", text + "?")
            case Kind.PTR:
                return _row("x", text)
            case Kind.INT if bare:
                signed, shift, bits = btf.int_encoding(bare)
                as_number = signed or (exact and self._target.release < _UNSIGNED_IN_HEX)
                return _row("d" if as_number else "x", text, 64 if exact else bits, shift if not exact else 0)
            case Kind.ENUM:
                return _row("d", text)
        size = bare.size if bare else 0
        return _row("s", f"{text}({bare.kind.name if bare else ''})[", words=max(-(-size // self._target.long_bytes), 1))


def prototypes_of(schema: Schema, target: Target) -> Prototypes:
    """By the kernel's own types, where they are known and sound."""
    data = schema.types()
    try:
        return Prototypes(Btf(data) if data else None, target)
    except KernelCannot:
        return Prototypes(None, target)


def _row(conv: str, text: str, bits: int = 64, shift: int = 0, words: int = 1) -> bytes:
    shown = text.encode("utf-8", "surrogateescape")[:_LONGEST_TEXT]
    return bytes([ord(conv), min(bits, 64), shift & 63, min(words, 255), len(shown)]) + shown


def _functions(btf: Btf) -> list[tuple[str, int]]:
    """Names and numbers, those of one name in the order of the file."""
    return sorted(btf.named(Kind.FUNC), key=lambda one: one[0])


def _searched(names: list[str], wanted: str) -> int:
    """Where C's bsearch meets `wanted`, which is there."""
    low, high = 0, len(names)
    while True:
        middle = (low + high) // 2
        if names[middle] == wanted:
            return middle
        if names[middle] < wanted:
            low = middle + 1
        else:
            high = middle


def _bare(btf: Btf, number: int) -> Type | None:
    """The type behind typedefs and qualifiers; None where a damaged BTF has none."""
    one = btf.type(number)
    for _ in range(_DEEPEST):
        if one.kind not in _THROUGH:
            return one
        one = btf.type(one.target)
    return None
