"""Where in a library's code a system call is about to be made, and where its arguments lie at that point.

The kernel takes no uprobe on a `syscall` instruction itself (arch/x86/kernel/uprobes.c: opcodes we don't support;
defining one succeeds, it just never fires). So a site is found by `mov $NR,%eax` … `syscall`, and the walk goes
backwards through the function, over every way into the site, to instructions that the kernel emulates
(jumps, calls, push, nop): a hit there costs one trap, anywhere else two, the second of which leaves a virtual
machine on some processors (measured: 1.0 against 11 µs). What cannot be followed with certainty gets a probe on the `mov`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ftracepy.symbols import a64, x86
from ftracepy.symbols.elf import EM_AARCH64, EM_X86_64, Elf
from ftracepy.symbols.x86 import Insn
from ftracepy.values import dataclass, field

_SYSCALL = 0x0F05
_ARGUMENTS = (x86.RDI, x86.RSI, x86.RDX, 10, 8, 9)
_MAX_INSNS = 48
_WINDOW = 8


@dataclass(frozen=True, slots=True)
class Where:
    """A value's place: in a register, at sp + `offset`, or known beforehand (`offset` is then the value)."""

    kind: str  # "reg", "stack" or "value"
    register: int = 0
    offset: int = 0

    @property
    def fetch(self) -> str:
        """In the kernel's words for probe arguments (Documentation/trace/uprobetracer.rst)."""
        return {"reg": f"%{x86.NAMES[self.register]}", "stack": f"{self.offset:+d}(%sp)"}.get(self.kind, f"\\{self.offset}")


Places = tuple[tuple[str, Where], ...]


@dataclass(frozen=True, slots=True)
class Site:
    """A place to probe: file offset, the system call's number, and argument name -> kernel fetch expression."""

    offset: int
    nr: int
    where: tuple[tuple[str, str], ...]


Wanted = Mapping[int, Mapping[str, int]]  # system call number -> argument's name -> its position


def find(elf: Elf, wanted: Wanted) -> list[Site]:
    """The sites of the wanted system calls; [] for machines not known here."""
    if elf.machine == EM_X86_64 and elf.is_64:
        found = {site for nr, arguments in wanted.items() for site in _x86_sites(elf, nr, arguments)}
    elif elf.machine == EM_AARCH64:
        places = a64.sites(elf.data, elf.code, {nr: dict(arguments) for nr, arguments in wanted.items()})
        found = {Site(offset, nr, where) for offset, nr, where in places}
    else:
        found = set()
    return sorted(found, key=lambda site: (site.offset, site.nr))


def _x86_sites(elf: Elf, nr: int, arguments: Mapping[str, int]) -> Iterator[Site]:
    start_places = tuple((name, Where("reg", _ARGUMENTS[position])) for name, position in arguments.items())
    for mov in _movs(elf, nr):
        bounds = elf.function_at(mov)
        body = _Body(elf.data, *bounds) if bounds else None
        if body is None or mov not in body.insns or (call := _following_syscall(body, mov)) is None:
            continue
        yield from body.sites(call, mov, nr, start_places)


def _movs(elf: Elf, nr: int) -> Iterator[int]:
    pattern = b"\xb8" + nr.to_bytes(4, "little")
    for segment in elf.code:
        at = elf.data.find(pattern, segment.offset, segment.offset + segment.size)
        while at >= 0:
            if elf.data.find(b"\x0f\x05", at + 5, at + 5 + _WINDOW * 8) >= 0:
                yield at
            at = elf.data.find(pattern, at + 1, segment.offset + segment.size)


def _following_syscall(body: _Body, mov: int) -> int | None:
    at = body.insns[mov].end
    for _ in range(_WINDOW):
        insn = body.insns.get(at)
        if insn is None or insn.op == _SYSCALL:
            return at if insn else None
        if not insn.falls_through or insn.target is not None or insn.op == 0xE8 or x86.RAX in _written(insn):
            return None
        at = insn.end
    return None


@dataclass
class _Body:
    """One function, decoded from its start on: instructions by offset, and who jumps or falls to each."""

    data: bytes
    start: int
    end: int
    insns: dict[int, Insn] = field(default_factory=dict)
    before: dict[int, list[Insn]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at = self.start
        while at < self.end and (insn := x86.decode(self.data, at)) is not None:
            self.insns[at] = insn
            if insn.falls_through:
                self.before.setdefault(insn.end, []).append(insn)
            if insn.target is not None:
                self.before.setdefault(insn.target, []).append(insn)
            at = insn.end

    def sites(self, call: int, mov: int, nr: int, places: Places) -> list[Site]:
        """Emulated instructions that together lie on every way to `call`, else the `mov`, else nothing."""
        found: dict[int, Site] = {}
        if self._climb(call, places, nr, found, set()):
            return list(found.values())
        at: int = call
        while at != mov:
            previous = next(insn for insn in self.before[at] if insn.end == at)
            if (moved := _undo(previous, places)) is None:
                return []
            at, places = previous.at, moved
        return [_site(at, nr, places)]

    def _climb(self, at: int, places: Places, nr: int, found: dict[int, Site], seen: set[tuple[int, Places]]) -> bool:
        if (at, places) in seen:
            return True
        seen.add((at, places))
        if len(seen) > _MAX_INSNS:
            return False
        if at == self.start:
            found[at] = _site(at, nr, places)
            return True
        return bool(self.before.get(at)) and all(self._step(insn, places, nr, found, seen) for insn in self.before[at])

    def _step(self, insn: Insn, places: Places, nr: int, found: dict[int, Site], seen: set[tuple[int, Places]]) -> bool:
        moved = _undo(insn, places)
        if moved is None:
            return False
        if _is_emulated(insn):
            site = _site(insn.at, nr, moved)
            return found.setdefault(insn.at, site) == site
        return self._climb(insn.at, moved, nr, found, seen)


def _site(at: int, nr: int, places: Places) -> Site:
    return Site(at, nr, tuple((name, where.fetch) for name, where in places))


def _is_emulated(insn: Insn) -> bool:
    """What the kernel does without single-stepping (arch/x86/kernel/uprobes.c: branch_setup_xol_ops, push_setup_xol_ops)."""
    return (insn.target is not None and not 0xE0 <= insn.op < 0xE4) or insn.op in (0xE8, 0x90) or 0x50 <= insn.op < 0x58


def _undo(insn: Insn, places: Places) -> Places | None:
    """Where the values were before `insn` ran, or None where that cannot be told."""
    moved = [(name, _undo_one(insn, where, name)) for name, where in places]
    return None if any(where is None for _, where in moved) else tuple((name, where) for name, where in moved if where)


def _undo_one(insn: Insn, where: Where, name: str) -> Where | None:
    if where.kind == "value" or insn.target is not None or insn.op in (0x90, 0x0F1F, 0x0F1E):
        return where
    if insn.op == 0xE8:
        return None if where.kind == "reg" and where.register in x86.CALL_CLOBBERS else where
    if where.kind == "stack":
        return _undo_stack(insn, where)
    if source := _copied(insn, where.register, pointer=name != "dfd"):
        return source
    if 0x50 <= insn.op < 0x58:
        return where
    written = _written(insn)
    return None if where.register in written or x86.RSP in written else where


def _copied(insn: Insn, register: int, *, pointer: bool) -> Where | None:
    """The source of a move into `register`; a pointer must have been moved whole."""
    if insn.op in (0xB8 + (register & 7), 0xC7) and insn.reg in (register, 0) and not pointer:
        into = insn.reg if insn.op != 0xC7 else insn.rm if insn.mod == 3 else None
        return Where("value", offset=insn.value) if into == register else None
    if pointer and not insn.wide:
        return None
    if insn.op == 0x89 and insn.mod == 3 and insn.rm == register:
        return Where("reg", insn.reg)
    if insn.op == 0x8B and insn.reg == register:
        if insn.mod == 3:
            return Where("reg", insn.rm)
        return Where("stack", offset=insn.disp) if insn.base == x86.RSP else None
    return None


def _undo_stack(insn: Insn, where: Where) -> Where | None:
    """A spill slot: only stores through sp are taken to reach it, as compilers write spills."""
    if 0x50 <= insn.op < 0x60 or x86.RSP in _written(insn):
        return None
    stores = insn.mod not in (None, 3) and insn.base == x86.RSP and insn.op not in _READS_MEMORY
    if not stores or abs(insn.disp - where.offset) >= 16:
        return where
    return Where("reg", insn.reg) if insn.op == 0x89 and insn.disp == where.offset else where if _apart(insn, where) else None


def _apart(insn: Insn, where: Where) -> bool:
    size = 8 if insn.wide else 4
    return insn.op in (0x88, 0x89, 0xC6, 0xC7) and (insn.disp + size <= where.offset or where.offset + 8 <= insn.disp)


_LOADS = frozenset([0x63, 0x69, 0x6B, 0x8A, 0x8B, 0x8D, 0x0FAF, 0x0FB6, 0x0FB7, 0x0FBE, 0x0FBF, *range(0x0F40, 0x0F50)])
_ALU_TO_REG = frozenset(base + low for base in range(0, 0x38, 8) for low in (2, 3))
_ALU_TO_RM = frozenset(base + low for base in range(0, 0x38, 8) for low in (0, 1))
_SHIFTS = frozenset([0xC0, 0xC1, *range(0xD0, 0xD4)])
_WRITES_REG = _LOADS | _ALU_TO_REG
_WRITES_RM = _ALU_TO_RM | _SHIFTS | frozenset([0x88, 0x89, 0xC6, 0xC7, *range(0x0F90, 0x0FA0)])
_READS_MEMORY = _WRITES_REG | frozenset([0x38, 0x39, 0x3A, 0x3B, 0x84, 0x85])
_WRITES_RAX = frozenset([*range(0x04, 0x38, 8), *range(0x05, 0x38, 8), 0x98])
_READS_ONLY = frozenset([0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x84, 0x85, 0xA8, 0xA9])
_EVERYTHING = frozenset(range(16))


def _written(insn: Insn) -> frozenset[int]:
    """The general registers that `insn` may write; all of them where it is not known here."""
    if insn.op in _READS_ONLY or insn.target is not None:
        return frozenset()
    if insn.op in _WRITES_REG:
        return frozenset((insn.reg,))
    if insn.op in _WRITES_RM:
        return frozenset((insn.rm,)) if insn.mod == 3 else frozenset()
    if insn.op in (0x80, 0x81, 0x83):
        return frozenset((insn.rm,)) if insn.mod == 3 and insn.reg & 7 != 7 else frozenset()
    if insn.op in _WRITES_RAX:
        return frozenset((x86.RAX,))
    if 0xB0 <= insn.op < 0xC0:
        return frozenset((insn.reg,))
    if insn.op in (0xF6, 0xF7) and insn.reg & 7 < 4:
        return frozenset((insn.rm,)) if insn.mod == 3 and insn.reg & 7 > 1 else frozenset()
    return _EVERYTHING
