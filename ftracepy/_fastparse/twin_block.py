"""The block tracer's own text in plain Python: what core/text_block.c does. Change this first.

A record is a struct blk_io_trace, since 6.19 a blk_io_trace2, whose first 8 bytes are the event's common fields
(blktrace_api.h, blktrace.c).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

_ACTIONS = (
    ("Q", "queue"), ("M", "backmerge"), ("F", "frontmerge"), ("G", "getrq"), ("S", "sleeprq"), ("R", "requeue"), ("D", "issue"),
    ("C", "complete"), ("P", "plug"), ("U", "unplug_io"), ("UT", "unplug_timer"), ("I", "insert"), ("X", "split"),
    ("B", "bounce"), ("A", "remap"), ("", ""), ("", ""), ("ZP", "zone_plug"), ("ZU", "zone_unplug"),
)  # fmt: skip
_IN_CGROUP = 1 << 8
_MESSAGE = (1 << 10 + 16) | 2
_READ, _WRITE, _FLUSH, _SYNC, _PC, _AHEAD, _META, _DISCARD, _FUA = (1 << 16 + bit for bit in (0, 1, 2, 3, 9, 11, 12, 13, 15))


class Layout(NamedTuple):
    """Where a struct's fields are."""

    action: int
    device: int
    error: int
    pdu_length: int
    pdu: int


_NARROW, _WIDE = Layout(28, 36, 44, 46, 48), Layout(32, 40, 48, 50, 64)


class BlockMachine(Protocol):
    """What the text looks up."""

    order: Literal["little", "big"]

    def number(self, raw: bytes, at: int, size: int) -> int: ...
    def comm(self, pid: int) -> bytes: ...


def block(raw: bytes, machine: BlockMachine, how: int, cpu: int, ts: int) -> bytes:
    """Device, action, kind of request, and what the action tells; `how`: 1 long words, 2 the classic form, 4 the wide struct."""
    layout, classic, long = _WIDE if how & 4 else _NARROW, (cpu, ts) if how & 2 else None, how & 1
    action = machine.number(raw, layout.action, 4)
    what, grouped = action & 0xFFFF & ~_IN_CGROUP, bool(action & _IN_CGROUP)
    pdu = _pdu(raw, machine, layout, grouped)
    if action & ~_IN_CGROUP == _MESSAGE:
        return _head(raw, machine, layout, "message" if long else "m", "N", grouped, classic) + pdu + b"\n"
    if not 0 < what <= len(_ACTIONS) or not _ACTIONS[what - 1][0]:
        return b"Unknown action %x\n" % what
    name = _ACTIONS[what - 1]
    kind = _kind(action, machine.number(raw, 24, 4))
    return (
        _head(raw, machine, layout, name[long], kind, grouped, classic)
        + _told(name[0], raw, machine, layout, action, pdu)
        + b"\n"
    )


def _pdu(raw: bytes, machine: BlockMachine, layout: Layout, grouped: bool) -> bytes:
    """What belongs to the action, behind the cgroup where there is one."""
    return raw[layout.pdu + 8 * grouped : layout.pdu + machine.number(raw, layout.pdu_length, 2)]


def _head(
    raw: bytes, machine: BlockMachine, layout: Layout, action: str, kind: str, grouped: bool, classic: tuple[int, int] | None
) -> bytes:
    device, group = machine.number(raw, layout.device, 4), machine.number(raw, layout.pdu, 8)
    text = f"{device >> 20:3},{device & 0xFFFFF:<3} "
    if classic:
        seconds, rest = divmod(classic[1], 1_000_000_000)
        text += f"{classic[0]:2} {seconds:5}.{rest:09} {machine.number(raw, 4, 4):5} "
    elif grouped:
        text += f"{group & 0xFFFFFFFF:x},{group >> 32:x} "
    return (text + f"{action:>2} {kind:>3} ").encode()


def _kind(action: int, size: int) -> str:
    kind = "F" if action & _FLUSH else ""
    kind += "D" if action & _DISCARD else "W" if action & _WRITE else "R" if size else "N"
    return kind + "".join(letter for bit, letter in ((_FUA, "F"), (_AHEAD, "A"), (_SYNC, "S"), (_META, "M")) if action & bit)


def _told(name: str, raw: bytes, machine: BlockMachine, layout: Layout, action: int, pdu: bytes) -> bytes:
    comm = b"[" + machine.comm(machine.number(raw, 4, 4)) + b"]"
    sector, size, error = (machine.number(raw, at, width) for at, width in ((16, 8), (24, 4), (layout.error, 2)))
    sectors, number = size >> 9, int.from_bytes(pdu[:8].ljust(8, b"\0"))
    match name:
        case "C" | "R":
            end = b"[%d]" % error
            if action & _PC:
                return _dump(pdu) + end
            return b"%d + %d " % (sector, sectors) + end if sectors else b"%d " % sector + end
        case "P" | "ZP":
            return comm
        case "U" | "UT" | "ZU":
            return comm + b" %d" % number
        case "X":
            return b"%d / %d " % (sector, number) + comm
        case "A":
            device, start = number >> 32, int.from_bytes(pdu[8:16].ljust(8, b"\0"))
            return b"%d + %d <- (%d,%d) %d" % (sector, sectors, device >> 20, device & 0xFFFFF, start)
    if action & _PC:
        return b"%d " % size + _dump(pdu) + comm
    return (b"%d + %d " % (sector, sectors) if sectors else b"") + comm


def _dump(pdu: bytes) -> bytes:
    """In hex, the zeros that it ends with cut to one."""
    shown = pdu.rstrip(b"\0")
    if not pdu:
        return b""
    if len(pdu) - len(shown) < 2:
        return b"(" + pdu.hex(" ").encode() + b") "
    return b"(" + pdu[: len(shown) + 1].hex(" ").encode() + b" ..) "
