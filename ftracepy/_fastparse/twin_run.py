"""One text program run over one record in plain Python: what core/text_run.c and text_show.c do. Change this first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from ftracepy._fastparse.twin_address import bitmask, ip4, ip6, mac, sockaddr, uuid
from ftracepy._fastparse.twin_arguments import ArgumentMachine, arguments, function_of
from ftracepy._fastparse.twin_block import block
from ftracepy.printfmt.arith import MASK, calculate, signed64
from ftracepy.printfmt.program import ALT, LEFT, PLUS, REL, SIGNED, SPACE, STAR, ZERO, Instruction, Op
from ftracepy.symbols.kallsyms import BARE, OR_NOTHING, Kallsyms

MOST_CALLS = 256  # that are kept of a CPU
Code = list[Instruction]
_POPS = {
    Op.INDEX: 1, Op.DYN_INDEX: 1, Op.TO: 1, Op.NEG: 1, Op.INVERT: 1, Op.NOT: 1, Op.JUMP_ZERO: 1, Op.WIDTH: 1, Op.PRECISION: 1,
    Op.LIMIT: 3, Op.NUMBER: 1, Op.STRING_REF: 2, Op.FLAGS: 1, Op.SYMBOLIC: 1, Op.HEX: 2, Op.ARRAY: 3, Op.SYMBOL: 1, Op.POINTER: 1,
    Op.MAC: 2, Op.IP4: 2, Op.IP6: 2, Op.SOCKADDR: 2, Op.UUID: 2, Op.BITMASK: 2, Op.STRING_POINTER: 1, Op.RAW_FIELD: 2,
    Op.CALL_INDENT: 2, Op.LEARN_COMM: 1, Op.HEX_DUMP: 2, Op.LAST_TIME: 1,
}  # fmt: skip
_PUSHES = {
    Op.CONST: 1, Op.LOAD: 1, Op.INDEX: 1, Op.DYN_INDEX: 1, Op.DYN_LEN: 1, Op.TO: 1, Op.NEG: 1, Op.INVERT: 1, Op.NOT: 1,
    Op.REF: 2, Op.REF_LOC: 2, Op.REF_REST: 2, Op.LIMIT: 2, Op.NEXT: 1,
}  # fmt: skip


def stack_effect(op: int, flags: int = 0) -> int:
    """How many values `op` leaves on the stack beyond those it takes."""
    if Op.ADD <= op <= Op.EITHER:
        return -1
    pops = _POPS.get(Op(op), 0) + (op == Op.BITMASK and bool(flags & ALT))
    return _PUSHES.get(Op(op), 0) - pops


def format_number(value: int, conv: str, flags: int, width: int, precision: int, always_prefix: bool = False) -> bytes:
    """`value` as printf shows it; the kernel's %#x keeps its 0x before a zero (`always_prefix`)."""
    if conv == "c":
        return _padded(bytes([value & 0xFF]), flags, width)
    sign = "-" if value < 0 else "+" if flags & PLUS and conv == "d" else " " if flags & SPACE and conv == "d" else ""
    digits = format(abs(value), {"d": "d", "u": "d", "x": "x", "X": "X", "o": "o"}[conv])
    if precision >= 0:
        digits = "" if precision == 0 and value == 0 else digits.rjust(precision, "0")
    if flags & ALT and conv in "xX" and (value or always_prefix):
        sign += "0" + conv
    if flags & ALT and conv == "o" and not digits.startswith("0"):
        digits = "0" + digits
    if flags & ZERO and not flags & LEFT and precision < 0:
        digits = digits.rjust(width - len(sign), "0")
    return _padded((sign + digits).encode(), flags, width)


def _padded(text: bytes, flags: int, width: int) -> bytes:
    return text.ljust(width) if flags & LEFT else text.rjust(width)


class Unpacked(NamedTuple):
    """A program, its flat bytes taken apart."""

    code: Code
    entries: Sequence[tuple[int, bytes]]
    literals: bytes


class Machine(ArgumentMachine, Protocol):
    """What programs look up while they run."""

    kernel: bool
    order: Literal["little", "big"]
    symbols: Kallsyms
    strings: dict[int, bytes]
    formats: dict[int, Unpacked]
    calls: dict[int, list[bytes]]
    comms: dict[int, bytes]

    def stamp(self, raw: int) -> bytes: ...
    def comm(self, pid: int) -> bytes: ...
    def mapped(self, process: int, address: int) -> bytes: ...


class Run:
    """One run of one program over one record."""

    def __init__(self, machine: Machine, raw: bytes, program: Unpacked, cpu: int = 0, id: int = 0, ts: int = 0) -> None:
        self.machine = machine
        self.cpu, self.id, self.ts = cpu, id, ts
        self.raw = raw
        self.code, self.entries, self.literals = program
        self.out = bytearray()
        self.stack: list[int] = []
        self.marks: list[int] = []
        self.width = self.precision = -1
        self.cursor = 0

    def load(self, at: int, size: int, signed: bool) -> int:
        """The number at `at`, 0 where the record ends before it."""
        if at < 0 or at + size > len(self.raw):
            return 0
        value = int.from_bytes(self.raw[at : at + size], self.machine.order, signed=signed)
        return value & MASK

    def located(self, at: int, rel: bool) -> tuple[int, int]:
        """Offset and length that a location word gives, cut to the record."""
        word = self.load(at, 4, False)
        start = (word & 0xFFFF) + (at + 4 if rel else 0)
        start = min(start, len(self.raw))
        return start, min(word >> 16, len(self.raw) - start)

    def text_at(self, start: int, length: int) -> bytes:
        return self.raw[start : start + max(length, 0)].partition(b"\0")[0]

    def pop_bytes(self) -> bytes:
        length = self.stack.pop()
        start = self.stack.pop()
        return self.raw[start : start + length]

    def go(self) -> bytes:
        at = 0
        while at < len(self.code):
            one = self.code[at]
            at += 1
            match one.op:
                case Op.JUMP:
                    at += one.a
                case Op.JUMP_ZERO:
                    at += 0 if self.stack.pop() else one.a
                case _:
                    self.step(one)
        return bytes(self.out)

    def step(self, one: Instruction) -> None:
        op = one.op
        if Op.NEG <= op <= Op.NOT:
            self.stack.append(calculate(op, False, [self.stack.pop()]) & MASK)
        elif Op.ADD <= op <= Op.EITHER:
            right = self.stack.pop()
            self.stack.append(calculate(op, bool(one.flags & SIGNED), [self.stack.pop(), right]) & MASK)
        else:
            _STEPS[Op(op)](self, one)


def _const(run: Run, one: Instruction) -> None:
    run.stack.append(one.v & MASK)


def _load(run: Run, one: Instruction) -> None:
    run.stack.append(run.load(one.a, one.size, bool(one.flags & SIGNED)))


def _index(run: Run, one: Instruction) -> None:
    index = run.stack.pop()
    inside = index < one.b // one.size
    run.stack.append(run.load(one.a + index * one.size, one.size, bool(one.flags & SIGNED)) if inside else 0)


def _dyn_index(run: Run, one: Instruction) -> None:
    index = run.stack.pop()
    start, length = run.located(one.a, bool(one.flags & REL))
    inside = index < length // one.size
    run.stack.append(run.load(start + index * one.size, one.size, bool(one.flags & SIGNED)) if inside else 0)


def _dyn_len(run: Run, one: Instruction) -> None:
    run.stack.append(run.load(one.a, 4, False) >> 16)


def _to(run: Run, one: Instruction) -> None:
    value = run.stack.pop() & ((1 << one.size * 8) - 1)
    if one.flags & SIGNED and value >> (one.size * 8 - 1):
        value |= MASK ^ ((1 << one.size * 8) - 1)
    run.stack.append(value)


def _register(run: Run, one: Instruction) -> None:
    value = signed64(run.stack.pop())
    value = max(-4096, min(value, 4096))
    if one.op == Op.WIDTH:
        run.width = value
    else:
        run.precision = value


def _ref(run: Run, one: Instruction) -> None:
    start = min(one.a, len(run.raw))
    run.stack += [start, min(one.b, len(run.raw) - start)]


def _ref_loc(run: Run, one: Instruction) -> None:
    run.stack += run.located(one.a, bool(one.flags & REL))


def _ref_rest(run: Run, one: Instruction) -> None:
    start = min(one.a, len(run.raw))
    run.stack += [start, len(run.raw) - start]


def _limit(run: Run, one: Instruction) -> None:
    most = max(signed64(run.stack.pop()), 0)
    run.stack[-1] = min(run.stack[-1], most)


def _text(run: Run, one: Instruction) -> None:
    run.out += run.literals[one.a : one.a + one.b]


def _shown(run: Run, one: Instruction, value: int) -> None:
    bits = one.size * 8
    value &= (1 << bits) - 1
    conv = chr(one.b)
    if conv == "A":
        run.out += b"%d" % value if value < 10 else b"0x%x" % value
        return
    if conv == "d" and one.flags & SIGNED and value >> (bits - 1):
        value -= 1 << bits
    flags, width, precision = one.flags, one.width, one.precision
    if flags & STAR:
        flags, width, precision = _starred(run, one)
    run.out += format_number(value, conv, flags, width, precision, run.machine.kernel)


def _starred(run: Run, one: Instruction) -> tuple[int, int, int]:
    """Flags, width and precision where an argument gave some: a negative width means left, a negative precision none."""
    flags, width, precision = one.flags, one.width, one.precision
    if run.width != -1:
        width = run.width
        if width < 0:
            flags, width = flags | LEFT, -width
    if run.precision != -1:
        precision = max(run.precision, -1)
    run.width = run.precision = -1
    return flags, width, precision


def _number(run: Run, one: Instruction) -> None:
    _shown(run, one, run.stack.pop())


def _field_number(run: Run, one: Instruction) -> None:
    _shown(run, one, run.load(one.a, one.size, bool(one.flags & SIGNED)))


def _string(run: Run, one: Instruction) -> None:
    run.out += run.text_at(one.a, one.b)


def _string_loc(run: Run, one: Instruction) -> None:
    run.out += run.text_at(*run.located(one.a, bool(one.flags & REL)))


def _string_rest(run: Run, one: Instruction) -> None:
    run.out += run.text_at(one.a, len(run.raw) - one.a)


def _string_ref(run: Run, one: Instruction) -> None:
    run.out += run.pop_bytes().partition(b"\0")[0]


def _open(run: Run, one: Instruction) -> None:
    run.marks.append(len(run.out))


def _close(run: Run, one: Instruction) -> None:
    flags, width, precision = _starred(run, one) if one.flags & STAR else (one.flags, one.width, one.precision)
    mark = run.marks.pop()
    text = bytes(run.out[mark:])
    text = text[:precision] if precision >= 0 else text
    run.out[mark:] = _padded(text, flags, width)


def _flags(run: Run, one: Instruction) -> None:
    value = run.stack.pop()
    between = run.literals[one.v >> 32 : (one.v >> 32) + (one.v & 0xFFFFFFFF)]
    names: list[bytes] = []
    for mask, name in run.entries[one.a : one.a + one.b]:
        if one.flags & ALT:
            if not value:
                break
            hit = value & mask == mask
        else:
            if not value and signed64(mask) < 0:
                names.append(name)
                break
            hit = signed64(mask) > 0 and value & mask == mask
        if hit:
            names.append(name)
            value &= ~mask
    if value:
        names.append(b"0x%x" % value)
    run.out += between.join(names)


def _symbolic(run: Run, one: Instruction) -> None:
    value = run.stack.pop()
    rows = run.entries[one.a : one.a + one.b]
    run.out += next((name for number, name in rows if number == value), b"0x%x" % value)


def _hex(run: Run, one: Instruction) -> None:
    data = run.pop_bytes()
    run.out += chr(one.b).encode() if one.flags & ALT and data else b""
    run.out += data.hex(chr(one.b)).encode() if one.b else data.hex().encode()


def _array(run: Run, one: Instruction) -> None:
    count = max(signed64(run.stack.pop()), 0)
    data = run.pop_bytes()
    count = min(count, len(data) // one.size)
    parts = (data[at * one.size : (at + 1) * one.size] for at in range(count))
    run.out += b"{" + b",".join(b"0x%x" % int.from_bytes(part, run.machine.order) for part in parts) + b"}"


def _symbol(run: Run, one: Instruction) -> None:
    run.out += run.machine.symbols.show(run.stack.pop(), one.b)


def _pointer(run: Run, one: Instruction) -> None:
    value = run.stack.pop()
    if one.flags & ALT:
        run.out += b"%0*x" % (one.size * 2, value)
    else:
        run.out += b"0x%x" % value if value else b"(nil)"


def _mac(run: Run, one: Instruction) -> None:
    run.out += mac(run.pop_bytes(), one.b)


def _ip4(run: Run, one: Instruction) -> None:
    run.out += ip4(run.pop_bytes(), one.b)


def _ip6(run: Run, one: Instruction) -> None:
    run.out += ip6(run.pop_bytes(), one.b)


def _sockaddr(run: Run, one: Instruction) -> None:
    run.out += sockaddr(run.pop_bytes(), one.b, run.machine.order)


def _uuid(run: Run, one: Instruction) -> None:
    run.out += uuid(run.pop_bytes(), one.b)


def _bitmask(run: Run, one: Instruction) -> None:
    bits = max(signed64(run.stack.pop()), 0) if one.flags & ALT else 1 << 20
    run.out += bitmask(run.pop_bytes(), bits, bool(one.b), run.machine.long_bytes, run.machine.order)


def _string_pointer(run: Run, one: Instruction) -> None:
    value = run.stack.pop()
    if one.b:
        run.out += b":" + run.machine.strings[value] if value in run.machine.strings else b""
    else:
        run.out += run.machine.strings.get(value, b"%x" % value)


def _stack(run: Run, one: Instruction) -> None:
    last = (1 << one.size * 8) - 1
    end = len(run.raw) if one.b != 1 else min(len(run.raw), one.a + 8 * one.size)
    for at in range(one.a, end - one.size + 1, one.size):
        address = run.load(at, one.size, False)
        if address == last or (one.b == 1 and not address):
            break
        if one.b == 1:
            run.out += b"\n => " + _user_place(run, one, address)
        elif one.b:
            name = run.machine.symbols.show(address, OR_NOTHING)
            run.out += b"\n=> " + (name + b" (%x)" % address if name else b"%x" % address)
        else:
            run.out += b"\n => " + (b"[FTRACE TRAMPOLINE]" if address == 0x7FFFFFFF else _traced_place(run, one, address))


def _user_place(run: Run, one: Instruction, address: int) -> bytes:
    """The mapped file and how far from where it lies; the address where there is none, or both are wanted (v 2)."""
    place = run.machine.mapped(run.load(one.v >> 8, 4, False), address) if one.v & 4 else b""
    return place + (b" <%0*x>" % (one.size * 2, address) if not place or one.v & 2 else b"")


def _traced_place(run: Run, one: Instruction, address: int) -> bytes:
    """As the kernel's own tracers do, with the options sym-offset (v 1) and sym-addr (v 2)."""
    name = run.machine.symbols.show(address, 2 if one.v & 1 else BARE)
    return name + (b" <%0*x>" % (one.size * 2, address) if one.v & 2 else b"")


def _call_indent(run: Run, one: Instruction) -> None:
    """A caller that is none of those its CPU called last begins a new line of calls; deeper ones are kept, as trace-cmd does."""
    function, caller = (run.machine.symbols.show(run.stack.pop(), OR_NOTHING) for _ in range(2))
    if not caller:
        return
    calls = run.machine.calls.setdefault(run.cpu, [])
    if caller not in calls:
        calls[:1] = [caller]
    depth = calls.index(caller)
    if depth + 1 < MOST_CALLS:
        calls[depth + 1 : depth + 2] = [function]
    run.out += b"   " * depth


def _learn_comm(run: Run, one: Instruction) -> None:
    run.machine.comms.setdefault(run.stack.pop() & 0xFFFFFFFF, run.text_at(one.a, one.b))


def _hex_dump(run: Run, one: Instruction) -> None:
    """lib/hexdump.c's lines, each but the first begun by a newline of its own; groups are numbers in the machine's order."""
    data = run.pop_bytes()
    prefix = run.literals[one.v >> 32 : (one.v >> 32) + (one.v & 0xFFFFFFFF)]
    run.out += b"\n"
    for at in range(0, len(data), one.size):
        line = data[at : at + one.size]
        group = one.a if len(line) % one.a == 0 else 1
        numbers = (int.from_bytes(line[i : i + group], run.machine.order) for i in range(0, len(line), group))
        shown = b" ".join(b"%0*x" % (2 * group, number) for number in numbers)
        if one.b & 1:
            shown = shown.ljust(2 * one.size + one.size // group + 1)
            shown += bytes(byte if 32 <= byte < 127 else ord(".") for byte in line)
        run.out += prefix + (b"%08x: " % at if one.b & 2 else b"") + shown + b"\n"


def _arguments(run: Run, one: Instruction) -> None:
    if function_of(run.machine, run.id, run.raw) is not None:
        run.out += b"(" + arguments(run.machine, run.id, run.raw) + b")"


def _last_time(run: Run, one: Instruction) -> None:
    text = run.machine.stamp(run.ts - run.stack.pop() & MASK)
    run.out += text.lstrip(b" ") if one.flags & LEFT else text


def _block(run: Run, one: Instruction) -> None:
    run.out += block(run.raw, run.machine, one.b, run.cpu, run.ts)


def _raw_field(run: Run, one: Instruction) -> None:
    data = run.pop_bytes()
    if one.b in {2, 4}:
        shown = b' "' + bytes(byte if 32 <= byte < 127 else ord(".") for byte in data) + (b'"...' if one.b == 4 else b'"')
        run.out += shown if any(32 <= byte < 127 for byte in data) else b""
        return
    text, _, after = data.partition(b"\0")
    if one.b == 5:
        shown = bytes(byte if 32 <= byte < 127 else ord(".") for byte in data)
        run.out += text if shown.startswith(text) else shown + b" (" + data.hex(":").encode() + b")"
        return
    printable = bool(one.b) and all(32 <= byte < 127 or 9 <= byte <= 13 for byte in text)
    if printable and not (one.b == 3 and any(after)):
        run.out += text
        return
    run.out += b"ARRAY[" + data.hex(",").replace(",", ", ").encode() + b"]"
    if one.b and not printable:
        run.code[next(at for at, same in enumerate(run.code) if same is one)] = one._replace(b=0)


def _quoted_loc(run: Run, one: Instruction) -> None:
    if run.load(one.a, 4, False) >> 16:
        run.out += b'"' + run.text_at(*run.located(one.a, bool(one.flags & REL))) + b'"'
    else:
        run.out += b"(fault)"


def _bprint(run: Run, one: Instruction) -> None:
    address = run.load(one.a, one.size, False)
    program = run.machine.formats.get(address)
    if program is None:
        run.out += b"[UNKNOWN FORMAT 0x%x]" % address
        return
    inner = Run(run.machine, run.raw, program)
    inner.cursor = one.b
    run.out += inner.go()


def _next(run: Run, one: Instruction) -> None:
    """The next argument of a binary printk: small ones at their own alignment, the rest at 4."""
    step = min(one.size, 4)
    run.cursor = (run.cursor + step - 1) // step * step
    run.stack.append(run.load(run.cursor, one.size, bool(one.flags & SIGNED)))
    run.cursor += one.size


def _next_string(run: Run, one: Instruction) -> None:
    text = run.text_at(run.cursor, len(run.raw) - run.cursor)
    run.out += text
    run.cursor = min(run.cursor + len(text) + 1, len(run.raw))


_STEPS: dict[Op, Callable[[Run, Instruction], None]] = {
    Op.CONST: _const, Op.LOAD: _load, Op.INDEX: _index, Op.DYN_INDEX: _dyn_index, Op.DYN_LEN: _dyn_len, Op.TO: _to,
    Op.WIDTH: _register, Op.PRECISION: _register, Op.REF: _ref, Op.REF_LOC: _ref_loc, Op.REF_REST: _ref_rest, Op.LIMIT: _limit,
    Op.TEXT: _text, Op.NUMBER: _number, Op.FIELD_NUMBER: _field_number, Op.STRING: _string, Op.STRING_LOC: _string_loc,
    Op.STRING_REST: _string_rest, Op.STRING_REF: _string_ref, Op.OPEN: _open, Op.CLOSE: _close, Op.FLAGS: _flags,
    Op.SYMBOLIC: _symbolic, Op.HEX: _hex, Op.ARRAY: _array, Op.SYMBOL: _symbol, Op.POINTER: _pointer, Op.MAC: _mac, Op.IP4: _ip4,
    Op.IP6: _ip6, Op.SOCKADDR: _sockaddr, Op.UUID: _uuid, Op.BITMASK: _bitmask, Op.STRING_POINTER: _string_pointer,
    Op.STACK: _stack, Op.RAW_FIELD: _raw_field, Op.QUOTED_LOC: _quoted_loc, Op.BPRINT: _bprint, Op.NEXT: _next,
    Op.NEXT_STRING: _next_string, Op.CALL_INDENT: _call_indent, Op.LEARN_COMM: _learn_comm, Op.HEX_DUMP: _hex_dump,
    Op.ARGUMENTS: _arguments, Op.LAST_TIME: _last_time, Op.BLOCK: _block,
}  # fmt: skip
