"""Just enough of the x86-64 instruction set to walk through a function: lengths, and what touches which register.

Opcode maps: Intel SDM volume 2, appendix A; instruction format: chapter 2. Proved against objdump.
"""

from __future__ import annotations

from ftracepy.values import dataclass

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)
NAMES = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
CALL_CLOBBERS = frozenset((RAX, RCX, RDX, RSI, RDI, 8, 9, 10, 11))

_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")
_ALU = [base + low for base in range(0, 0x40, 8) for low in range(4)]
_SHIFTS = [0xC0, 0xC1, *range(0xD0, 0xD4)]
_JCC, _MOV_IMM8, _MOV_IMM, _X87 = range(0x70, 0x80), range(0xB0, 0xB8), range(0xB8, 0xC0), range(0xD8, 0xE0)
_MODRM = frozenset([*_ALU, *_SHIFTS, *_X87, *range(0x80, 0x90), 0x63, 0x69, 0x6B, 0xC6, 0xC7, 0xF6, 0xF7, 0xFE, 0xFF])
_IMM8 = frozenset([*range(0x04, 0x40, 8), *_JCC, *_MOV_IMM8, *range(0xE0, 0xE8), 0x6A, 0x6B, 0x80, 0x83, 0xA8, 0xC0, 0xC1, 0xC6,
                   0xCD, 0xEB])  # fmt: skip
_IMM32 = frozenset([*range(0x05, 0x40, 8), *_MOV_IMM, 0x68, 0x69, 0x81, 0xA9, 0xC7])
_BAD = frozenset(b"\x06\x07\x0e\x16\x17\x1e\x1f\x27\x2f\x37\x3f\x60\x61\x62\x82\x9a\xce\xd4\xd5\xd6\xea")
_NO_MODRM_0F = [*range(0x04, 0x0D), 0x0E, 0x0F, *range(0x30, 0x40), 0x77, *range(0x80, 0x90), *range(0xA0, 0xA3),
                *range(0xA6, 0xAB), *range(0xC8, 0xD0)]  # fmt: skip
_MODRM_0F = frozenset(range(0x100)) - frozenset(_NO_MODRM_0F)
_IMM8_0F = frozenset([0x70, 0x71, 0x72, 0x73, 0xA4, 0xAC, 0xBA, 0xC2, 0xC4, 0xC5, 0xC6])


@dataclass(frozen=True, slots=True)
class Insn:
    """One instruction at byte `at`: `op` is 0x89, 0x0F89 …, `reg` and `rm` have their REX bits, `value` is the immediate."""

    at: int
    size: int
    op: int
    wide: bool = False
    mod: int | None = None
    reg: int = 0
    rm: int = 0
    base: int | None = None
    disp: int = 0
    value: int = 0

    @property
    def end(self) -> int:
        return self.at + self.size

    @property
    def target(self) -> int | None:
        """Where a direct jump (not a call) may go."""
        jumps = self.op in (0xE9, 0xEB) or 0x70 <= self.op < 0x80 or 0xE0 <= self.op < 0xE4 or 0x0F80 <= self.op < 0x0F90
        return self.end + self.value if jumps else None

    @property
    def falls_through(self) -> bool:
        """Whether the next instruction may run after this one."""
        ends = self.op in (0xC2, 0xC3, 0xE9, 0xEB, 0xCC, 0xF4, 0x0F0B) or (self.op == 0xFF and self.reg & 7 in (4, 5))
        return not ends


def decode(code: bytes, at: int) -> Insn | None:
    """The instruction at `at`, or None where the bytes are none that is known here."""
    try:
        return _decode(code, at)
    except IndexError:
        return None


def _decode(code: bytes, start: int) -> Insn | None:
    at, small, rex = start, False, 0
    while code[at] in _PREFIXES:
        small |= code[at] == 0x66
        at += 1
    if code[at] & 0xF0 == 0x40:
        rex, at = code[at], at + 1
    op, at = code[at], at + 1
    if op in (0xC4, 0xC5):
        return _vex(code, start, at, op)
    if op == 0x0F:
        return _two_byte(code, start, at, rex)
    if op in _BAD:
        return None
    wide = bool(rex & 8)
    fields = _modrm(code, at, rex) if op in _MODRM else _Operands(at, reg=(op & 7) | (rex & 1) << 3)
    imm = _immediate_bytes(op, fields.reg, wide, small)
    return _insn(code, start, op, wide, fields, imm)


def _immediate_bytes(op: int, reg: int, wide: bool, small: bool) -> int:
    if 0xB8 <= op < 0xC0 and wide:
        return 8
    if op in (0xE8, 0xE9):
        return 4
    if op == 0xF6:
        return 1 if reg & 7 < 2 else 0
    if op in _IMM32 or (op == 0xF7 and reg & 7 < 2):
        return 2 if small else 4
    return {0xC2: 2, 0xC8: 3}.get(op, 8 if 0xA0 <= op < 0xA4 else int(op in _IMM8))


def _two_byte(code: bytes, start: int, at: int, rex: int) -> Insn | None:
    op, at = code[at], at + 1
    if op in (0x38, 0x3A):
        fields = _modrm(code, at + 1, rex)
        return _insn(code, start, 0x0F0000 | op << 8 | code[at], False, fields, int(op == 0x3A))
    fields = _modrm(code, at, rex) if op in _MODRM_0F else _Operands(at, reg=(op & 7) | (rex & 1) << 3)
    imm = 4 if 0x80 <= op < 0x90 else int(op in _IMM8_0F)
    return _insn(code, start, 0x0F00 | op, bool(rex & 8), fields, imm)


def _vex(code: bytes, start: int, at: int, first: int) -> Insn | None:
    opcode_map = code[at] & 0x1F if first == 0xC4 else 1
    at += 2 if first == 0xC4 else 1
    op = code[at]
    fields = _Operands(at + 1) if opcode_map == 1 and op == 0x77 else _modrm(code, at + 1, 0)
    imm = int(opcode_map == 3 or (opcode_map == 1 and op in _IMM8_0F))
    return _insn(code, start, 0xC40000 | opcode_map << 8 | op, False, fields, imm)


@dataclass(frozen=True, slots=True)
class _Operands:
    """What a ModRM byte (with SIB and displacement) says; `end` is the byte after it."""

    end: int
    mod: int | None = None
    reg: int = 0
    rm: int = 0
    base: int | None = None
    disp: int = 0


def _modrm(code: bytes, at: int, rex: int) -> _Operands:
    byte, at = code[at], at + 1
    mod, reg, rm = byte >> 6, (byte >> 3 & 7) | (rex & 4) << 1, byte & 7
    if mod == 3:
        return _Operands(at, mod, reg, rm | (rex & 1) << 3)
    base: int | None = rm | (rex & 1) << 3
    disp_bytes = (0, 1, 4)[mod]
    if rm == 4:
        sib, at = code[at], at + 1
        has_index = (sib >> 3 & 7) | (rex & 2) << 2 != 4
        disp_bytes = 4 if mod == 0 and sib & 7 == 5 else disp_bytes
        base = None if has_index or (mod == 0 and sib & 7 == 5) else (sib & 7) | (rex & 1) << 3
    elif rm == 5 and mod == 0:
        base, disp_bytes = None, 4
    disp = int.from_bytes(code[at : at + disp_bytes], "little", signed=True)
    return _Operands(at + disp_bytes, mod, reg, rm, base, disp)


def _insn(code: bytes, start: int, op: int, wide: bool, fields: _Operands, imm: int) -> Insn | None:
    end = fields.end + imm
    if end > len(code):
        return None
    value = int.from_bytes(code[fields.end : end], "little", signed=True)
    return Insn(start, end - start, op, wide, fields.mod, fields.reg, fields.rm, fields.base, fields.disp, value)
