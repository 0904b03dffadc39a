"""Where the parameters of a C function are when it is entered, by the processor's calling convention.

x86_64: System V psABI 1.0, 3.2.3; the kernel passes no floating point. arm64: AAPCS64 (2024Q3), 6.8.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftracepy.symbols.btf_types import CType, Types
from ftracepy.values import dataclass

REGISTERS = {
    "x86_64": ("%di", "%si", "%dx", "%cx", "%r8", "%r9"),
    "aarch64": tuple(f"%x{number}" for number in range(8)),
}
_WORD = 8
_LARGEST = 2 * _WORD  # a larger struct is not passed in registers


@dataclass(frozen=True, slots=True)
class Place:
    """Where one parameter is: in `registers` from the lowest word on, or in memory `offset` bytes from `base`.

    Both are fetch arguments; $stackN is the Nth word above the stack pointer, $stack the pointer itself.
    """

    registers: tuple[str, ...] = ()
    base: str = ""
    offset: int = 0


def places(types: Types, params: Sequence[CType], arch: str) -> Iterator[Place]:
    """The place of each parameter in order. KeyError for a processor whose convention is not known here."""
    convention = _X86(arch) if arch == "x86_64" else _Arm(arch)
    for param in params:
        yield convention.place(types.size(param), types.is_compound(param))


class _X86:
    """The word at the stack pointer is the return address."""

    words_above = 1

    def __init__(self, arch: str) -> None:
        self._free = list(REGISTERS[arch])
        self._words = self.words_above

    def place(self, size: int, compound: bool) -> Place:
        if compound and size > _LARGEST:
            return self._on_stack(size)
        return self._in_registers(size) or self._on_stack(size, scalar=not compound)

    def _in_registers(self, size: int) -> Place | None:
        needed = (size + _WORD - 1) // _WORD
        if needed > len(self._free):
            return None
        taken, self._free = tuple(self._free[:needed]), self._free[needed:]
        return Place(taken)

    def _on_stack(self, size: int, *, scalar: bool = False) -> Place:
        at = self._words
        self._words += (size + _WORD - 1) // _WORD
        return Place((f"$stack{at}",)) if scalar else Place(base="$stack", offset=_WORD * at)


class _Arm(_X86):
    """Large structs are copied and their address is passed; once one parameter is on the stack, so are all that follow."""

    words_above = 0

    def place(self, size: int, compound: bool) -> Place:
        if compound and size > _LARGEST:
            pointer = self.place(_WORD, compound=False)
            return Place(base=pointer.registers[0])
        found = self._in_registers(size)
        if found is None:
            self._free = []
            return self._on_stack(size, scalar=not compound)
        return found
