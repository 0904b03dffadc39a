"""Whether a place in a program is the start of an instruction, and one that can be probed.

The kernel puts a breakpoint wherever it is told: in the middle of an instruction it changes what the program does.
"""

from __future__ import annotations

from bisect import bisect_right

from ftracepy.symbols import x86
from ftracepy.symbols.elf import EM_AARCH64, EM_X86_64
from ftracepy.symbols.image import Image
from ftracepy.values import dataclass

# What the kernel refuses itself it says; a probe on these is taken, or taken for one, and never hit.
_UNFIT = {0x0F05: "syscall", 0xCC: "int3"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`ok` None: this machine's instructions are not known here, or not from where the function starts.

    `why` says what is wrong; `near` are the addresses of the instructions before and after, or of that which would do.
    """

    ok: bool | None
    why: str = ""
    near: tuple[int, ...] = ()


def check(image: Image, address: int) -> Verdict:
    """Look at the instruction at an address of the file."""
    if image.elf.machine == EM_AARCH64:
        return Verdict(True) if address % 4 == 0 else Verdict(False, "instructions lie at multiples of 4", _around(address, 4))
    if image.elf.machine != EM_X86_64 or not image.elf.is_64:
        return Verdict(None, "instructions of this kind of machine are not known here")
    start = _function_start(image, address)
    if start is None:
        return Verdict(None, "it is not known where the function starts")
    return _walked(image, start, address)


def _around(address: int, step: int) -> tuple[int, ...]:
    first = address // step * step
    return first, first + step


def _function_start(image: Image, address: int) -> int | None:
    """The nearest start below, of those that the unwind table and the symbols name."""
    offset = image.file_offset(address)
    starts = image.elf.function_starts
    at = bisect_right(starts, offset)
    found = [address - offset + starts[at - 1]] if at else []
    if (symbol := image.at(address)) is not None:
        found.append(address - symbol[1])
    return max(found, default=None)


def _walked(image: Image, start: int, address: int) -> Verdict:
    shift = address - image.file_offset(address)
    at, previous = start, start
    while at < address:
        insn = x86.decode(image.elf.data, at - shift)
        if insn is None:
            return Verdict(None, f"the instruction at {at:#x} is not known here")
        previous, at = at, at + insn.size
    if at != address:
        return Verdict(False, "it lies inside an instruction", (previous, at))
    insn = x86.decode(image.elf.data, address - shift)
    if insn is not None and insn.op in _UNFIT:
        near = (previous, insn.end + shift) if previous != address else (insn.end + shift,)
        return Verdict(False, f"the kernel takes no user probe on a {_UNFIT[insn.op]} instruction", near)
    return Verdict(True)
