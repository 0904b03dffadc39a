"""What tests must know of the processor they run on: the register of a first argument, a smallest program."""

from __future__ import annotations

import os
import struct
from pathlib import Path

_MACHINE = os.uname().machine
# In the words of tracefs; the C ABI's first argument.
FIRST_ARGUMENT = {"x86_64": "%di", "aarch64": "%x0"}[_MACHINE]
SECOND_ARGUMENT = {"x86_64": "%si", "aarch64": "%x1"}[_MACHINE]
_ELF_MACHINE = {"x86_64": 62, "aarch64": 183}[_MACHINE]
# exit(0): mov eax, 60; xor edi, edi; syscall, and mov x8, #93; mov x0, #0; svc #0.
_EXIT = {
    "x86_64": bytes.fromhex("b83c000000 31ff 0f05"),
    "aarch64": struct.pack("<3I", 0xD2800BA8, 0xD2800000, 0xD4000001),
}[_MACHINE]
_BASE, _HEADERS = 0x400000, 64 + 56


def static_program(path: Path) -> Path:
    """Make a program that no dynamic loader starts: one ELF segment that leaves with status 0."""
    size = _HEADERS + len(_EXIT)
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, _ELF_MACHINE, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    path.write_bytes(head + segment + _EXIT)
    path.chmod(0o755)
    return path
