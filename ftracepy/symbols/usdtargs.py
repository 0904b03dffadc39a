"""USDT argument operands (`-4@112(%rsp)`, `8@[sp, 16]`) in the kernel's words for probe arguments.

The operands are those of GCC's assembler output, each with its size in bytes in front, negative for a signed value
(systemtap wiki, UserSpaceProbeImplementation); the kernel's fetch arguments: Documentation/trace/uprobetracer.rst.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ftracepy.symbols.elf import EM_AARCH64, EM_X86_64, Elf, ElfFault
from ftracepy.values import dataclass

_ARGUMENT = re.compile(r"(?:(-?\d)(f?)@)?((?:\[[^\]]*\]|\([^)]*\)|[^\s\[(])+)")
_SIZES = (1, 2, 4, 8)
_LEGACY = {"ax": "ax", "bx": "bx", "cx": "cx", "dx": "dx", "si": "si", "di": "di", "bp": "bp", "sp": "sp"}
_INT = r"-?(?:0x[0-9a-fA-F]+|\d+)"
_X86_MEMORY = re.compile(rf"(?P<disp>{_INT}|(?:{_INT}\+)?[A-Za-z_.$][\w.$]*(?:[+-]{_INT[2:]})?)?"
                         rf"\((?P<base>%\w+)?(?:,(?P<index>%\w+)(?:,(?P<scale>\d))?)?\)")  # fmt: skip
_A64_MEMORY = re.compile(rf"\[(?P<base>\w+)(?:,\s*#?(?P<disp>{_INT}))?\]")
_GLOBAL = re.compile(rf"(?:({_INT})\+)?([A-Za-z_.][\w.$]*)(?:([+-]\d+))?")


@dataclass(frozen=True, slots=True)
class Argument:
    """`fetch` is what the kernel is asked for, "" where it cannot fetch such an operand: `why` then says why.

    `kind` is the kernel's type: s or u, and the bits.
    """

    operand: str
    fetch: str
    kind: str
    why: str = ""


class _Unfit(ValueError):
    """An operand the kernel has no words for."""


def parse(text: str, elf: Elf, symbol_address: Callable[[str], int | None], probe_address: int) -> list[Argument]:
    """The arguments of a probe at `probe_address`. `symbol_address` tells where data symbols lie, for operands that name them."""
    found = (match.groups() for match in _ARGUMENT.finditer(text))
    return [_argument(size, is_float, operand, elf, symbol_address, probe_address) for size, is_float, operand in found]


def _argument(
    size: str | None, is_float: str, operand: str, elf: Elf, symbol_address: Callable[[str], int | None], probe: int
) -> Argument:
    given = int(size) if size else -elf.word_bytes
    kind = f"{'s' if given < 0 else 'u'}{8 * abs(given)}"
    try:
        if is_float:
            raise _Unfit("the kernel reads no floating point")
        if abs(given) not in _SIZES:
            raise _Unfit(f"values of {abs(given)} bytes are not fetched")
        fetch, bits = _operand(operand, elf, symbol_address, probe)
        return Argument(operand, fetch, bits or kind)
    except _Unfit as fault:
        return Argument(operand, "", kind, str(fault))


def _operand(operand: str, elf: Elf, symbol_address: Callable[[str], int | None], probe: int) -> tuple[str, str]:
    if elf.machine == EM_X86_64:
        return _x86(operand, elf, symbol_address, probe)
    if elf.machine == EM_AARCH64:
        return _a64(operand), ""
    raise _Unfit("operands of this kind of machine are not known here")


def _x86(operand: str, elf: Elf, symbol_address: Callable[[str], int | None], probe: int) -> tuple[str, str]:
    if operand.startswith("$"):
        return f"\\{_number(operand[1:])}", ""
    if operand.startswith("%"):
        name, high = x86_register(operand[1:])
        return f"%{name}", "b8@8/64" if high else ""
    if not (match := _X86_MEMORY.fullmatch(operand)):
        raise _Unfit("no such operand is known")
    if match["index"]:
        raise _Unfit("the kernel adds no second register to an address")
    if match["base"] == "%rip" or not match["base"]:
        return _in_file(match["disp"] or "", elf, symbol_address, probe), ""
    return f"{_number(match['disp'] or '0'):+d}(%{x86_register(match['base'][1:])[0]})", ""


def x86_register(name: str) -> tuple[str, bool]:
    """The kernel's name of the whole register, and whether bits 8 to 15 of it are meant (%ah)."""
    if match := re.fullmatch(r"r(\d+)[dwb]?", name):
        return f"r{match[1]}", False
    core = name[1:] if len(name) == 3 and name[0] in "re" else name
    if core in _LEGACY:
        return core, False
    if re.fullmatch(r"[abcd][lh]", name):
        return f"{name[0]}x", name[1] == "h"
    if re.fullmatch(r"(?:si|di|bp|sp)l", name):
        return name[:2], False
    raise _Unfit(f"the kernel does not read the register %{name}")


def _in_file(text: str, elf: Elf, symbol_address: Callable[[str], int | None], probe: int) -> str:
    """@+OFFSET counts from where the file's start would lie if it were mapped as the probe's segment is."""
    if not (match := _GLOBAL.fullmatch(text)) or (address := symbol_address(match[2])) is None:
        raise _Unfit(f"'{text}' is no symbol of the file")
    address += int(match[1] or "0", 0) + int(match[3] or "0")
    try:
        offset = address - (probe - elf.file_offset(probe))
    except ElfFault as fault:
        raise _Unfit(str(fault)) from None
    if offset < 0:
        raise _Unfit("it lies in front of the code")
    return f"@+{offset:#x}"


def _a64(operand: str) -> str:
    if match := _A64_MEMORY.fullmatch(operand):
        return f"{int(match['disp'] or '0', 0):+d}(%{_a64_register(match['base'])})"
    if operand.startswith("["):
        raise _Unfit("the kernel adds no second register to an address")
    if operand in ("xzr", "wzr"):
        return "\\0"
    if re.fullmatch(rf"#?{_INT}", operand):
        return f"\\{int(operand.removeprefix('#'), 0)}"
    return f"%{_a64_register(operand)}"


def _a64_register(name: str) -> str:
    if match := re.fullmatch(r"[xw](\d+)", name):
        return f"x{match[1]}"
    if name in ("sp", "wsp"):
        return "sp"
    raise _Unfit(f"the kernel does not read the register {name}")


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise _Unfit(f"'{text}' is no number") from None
