"""The text machine in plain Python: what core/text_line.c and bind_text.c do, slowly and in the open. Change this first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from ftracepy._fastparse.twin_arguments import function_of
from ftracepy._fastparse.twin_graph import Graph, TextRecord
from ftracepy._fastparse.twin_run import Run, Unpacked
from ftracepy.printfmt.arith import MASK
from ftracepy.printfmt.program import ENTRY, INSTRUCTION, Instruction
from ftracepy.symbols.kallsyms import Kallsyms

Loss = tuple[int, int, int]
NO_MORE, HELD, ASKS = -1, -2, -3


class TextMachine:
    """Programs by event id, and all that they and a line's columns look up. The C type of the same name does the same.

    `settings`: kernel, big_endian, long_bytes, flag_columns (0, 4, 5 or 7; 1: the flags as a number, 2: a gap), latency (short
    task columns), bare (no columns), lazy_bit, digits (6 or 9), mult, shift, offset, is_ns, flags_at, preempt_at, migrate_at and
    lazy_count_at (0: no such field).
    """

    def __init__(self, settings: Mapping[str, int]) -> None:
        self.settings = dict(settings)
        self.kernel = bool(settings["kernel"])
        self.order: Literal["little", "big"] = "big" if settings["big_endian"] else "little"
        self.long_bytes = settings["long_bytes"]
        self.symbols = Kallsyms(b"", self.kernel)
        self.strings: dict[int, bytes] = {}
        self.formats: dict[int, Unpacked] = {}
        self.calls: dict[int, list[bytes]] = {}
        self.arguments: dict[int, tuple[int, int]] = {}
        self.prototypes: dict[int, bytes] = {}
        self._asked = 0
        self._programs: dict[int, tuple[bytes, Unpacked]] = {}
        self.comms: dict[int, bytes] = {}
        self._areas: list[tuple[int, int, int, bytes]] = []
        self._tgids: dict[int, bytes] | None = None
        self._prefix = b""
        self._graph: Graph | None = None
        self._plain_ids: frozenset[int] = frozenset()

    def set_graph(self, settings: Mapping[str, int], plain_ids: Iterable[int]) -> None:
        """From here on a function_graph listing, in which the events of `plain_ids` keep lines of their own."""
        self._graph = Graph(settings)
        self._plain_ids = frozenset(plain_ids)

    def set_prefix(self, prefix: bytes) -> None:
        """What stands before every line."""
        self._prefix = prefix

    def set_symbols(self, kallsyms: bytes) -> None:
        self.symbols = Kallsyms(kallsyms, self.kernel)

    def set_areas(self, areas: Iterable[tuple[int, int, int, bytes]]) -> None:
        """What lay in processes' memory: process, first address, the one behind the last, and the file's path."""
        self._areas = sorted(areas, key=lambda one: (one[0], one[2]))

    def mapped(self, process: int, address: int) -> bytes:
        """The file at an address, and how far from where it begins there; b"" where nothing is known."""
        at = bisect_right(self._areas, (process, address), key=lambda one: (one[0], one[2]))
        if at == len(self._areas):
            return b""
        owner, start, _, path = self._areas[at]
        return path + b"[+0x%x]" % (address - start) if owner == process and address >= start else b""

    def set_tgids(self, tgids: Mapping[int, bytes]) -> None:
        """From here on a column with the process of each thread."""
        self._tgids = dict(tgids)

    def set_strings(self, strings: Mapping[int, bytes]) -> None:
        self.strings = dict(strings)

    def set_comms(self, comms: Mapping[int, bytes]) -> None:
        self.comms = dict(comms)

    def add(self, id: int, name: bytes, code: bytes, entries: bytes, literals: bytes) -> None:
        self._programs[id] = (name, _unpacked(code, entries, literals))

    def add_format(self, address: int, code: bytes, entries: bytes, literals: bytes) -> None:
        """The program for one binary-printk format string."""
        self.formats[address] = _unpacked(code, entries, literals)

    def set_arguments(self, places: Mapping[int, tuple[int, int]]) -> None:
        """By event id: where the function's address is, and where its arguments begin."""
        self.arguments = dict(places)

    def add_prototype(self, address: int, rows: bytes) -> None:
        """How the arguments of the function at `address` are shown (printfmt/prototypes.py)."""
        self.prototypes.setdefault(address, rows)

    def asked(self) -> int:
        """The address of the function whose prototype lines() stopped for."""
        return self._asked

    def symbol(self, address: int) -> bytes:
        """The name that `address` lies in, without its module; b"" where there is none."""
        found = self.symbols.find(address)
        return found.name.encode("utf-8", "surrogateescape") if found else b""

    def text(self, id: int, raw: bytes) -> bytes | None:
        """The event's text without a closing newline; None where there is no program for `id`."""
        if id not in self._programs:
            return None
        return Run(self, raw, self._programs[id][1], id=id).go().removesuffix(b"\n")

    def lines(
        self,
        batch: Sequence[TextRecord],
        start: int,
        stop: int,
        losses: Iterable[Loss],
        following: Sequence[TextRecord] | None = None,
        hold: bool = False,
    ) -> tuple[bytes, int, int]:
        """Lines of batch[start:stop], how far it came, and why no further: NO_MORE, HELD, ASKS for a function's prototype, or
        the id it has no program for.

        `following` is the batch after this one, where it is known; `hold` stops at an event whose line depends on
        what neither holds.
        """
        out = bytearray()
        pending = sorted(losses)
        for at in range(start, stop):
            event = batch[at]
            if event.id not in self._programs:
                return bytes(out), at, event.id
            function = function_of(self, event.id, event.raw) if self.arguments else None
            if function is not None and function not in self.prototypes:
                self._asked = function
                return bytes(out), at, ASKS
            later = None
            if self._graph and self._graph.needs_next(event):
                later = self._settling(batch, at, following or ())
                if later is None and hold:
                    return bytes(out), at, HELD
            while pending and pending[0][0] <= at:
                out += self._loss(*pending.pop(0)[1:])
            if self._graph and self._listed(self._graph, event.id):
                out += self._graph.line(self, event, later)
            else:
                out += self._line(event)
        for _, cpu, count in pending:
            out += self._loss(cpu, count)
        return bytes(out), stop, NO_MORE

    def _settling(self, batch: Sequence[TextRecord], at: int, following: Sequence[TextRecord]) -> TextRecord | None:
        """The event that tells how the line of batch[at] ends: its CPU's next one, for trace-cmd the next of all."""
        if self.kernel:
            cpu = batch[at].cpu
            return _next_of(cpu, batch, at + 1) or _next_of(cpu, following, 0)
        return batch[at + 1] if at + 1 < len(batch) else following[0] if len(following) else None

    def _listed(self, graph: Graph, id: int) -> bool:
        return id not in self._plain_ids if self.kernel else graph.is_entry(id) or id == graph.settings["exit"]

    def number(self, raw: bytes, at: int, size: int) -> int:
        """The unsigned number of `size` bytes at `at`, 0 where the record ends before it."""
        return int.from_bytes(raw[at : at + size], self.order) if at + size <= len(raw) else 0

    def function(self, address: int) -> bytes:
        return self.symbols.show(address, 0)

    def place(self, address: int) -> bytes:
        """A caller as the graph tracer shows it, always with its offset."""
        return self.symbols.show(address, 2)

    def comm(self, pid: int) -> bytes:
        return b"<idle>" if pid == 0 else self.comms.get(pid, b"<...>")

    def seconds(self, ts: int) -> bytes:
        """A stamp as the graph tracer shows it: microseconds cut, not rounded."""
        return b"%5d.%06d" % divmod(self._shown(ts) // 1000, 1_000_000)

    def _shown(self, raw: int) -> int:
        wanted = self.settings
        return ((raw * wanted["mult"] >> wanted["shift"]) + wanted["offset"]) & MASK

    def named_text(self, event: TextRecord) -> bytes:
        """What a line shows behind its columns."""
        name, program = self._programs[event.id]
        return (name + b": " if name else b"") + Run(self, event.raw, program, event.cpu, event.id, event.ts).go()

    def _line(self, event: TextRecord) -> bytes:
        """The kernel ends every event's line, also where the print fmt ends it already; its own events end theirs."""
        name, program = self._programs[event.id]
        text = self.head(event) + Run(self, event.raw, program, event.cpu, event.id, event.ts).go()
        return text if text.endswith(b"\n") and not (self.kernel and name) else text + b"\n"

    def _loss(self, cpu: int, count: int) -> bytes:
        if self.kernel:
            return b"CPU:%d [LOST EVENTS]\n" % cpu if count < 0 else b"CPU:%d [LOST %d EVENTS]\n" % (cpu, count)
        return b"CPU:%d [EVENTS DROPPED]\n" % cpu if count < 0 else b"CPU:%d [%d EVENTS DROPPED]\n" % (cpu, count)

    def head(self, event: TextRecord) -> bytes:
        """The columns before an event's text, its name included."""
        name = self._programs[event.id][0] + b":"
        if self.settings["bare"]:
            return self._prefix + (name + b" " if name != b":" else b"")
        head = self._prefix + self._task(event) + self.flags(event.raw) + self._time(event.ts)
        if self.kernel:
            return head + (b" %s " % name if name != b":" else b" ")
        return head + b" %-21s " % name

    def _task(self, event: TextRecord) -> bytes:
        comm = self.comm(event.pid)
        if self.settings["latency"]:
            return b"%8.8s-%-5d %3d" % (comm, event.pid, event.cpu)
        pid = b"%-7d" if self.kernel else b"%-5d"
        counter = not self.kernel and not self.settings["is_ns"] and not self.settings["flag_columns"]
        gap = b"" if self.settings["flag_columns"] == 1 or counter else b" "
        return comm.rjust(16) + b"-" + pid % event.pid + self._tgid(event.pid) + b" [%03d]" % event.cpu + gap

    def _tgid(self, pid: int) -> bytes:
        if self._tgids is None:
            return b""
        return b" (%7s)" % self._tgids.get(pid, b"-------")

    def flags(self, raw: bytes) -> bytes:
        """irq and preempt state, as the columns have it."""
        columns = self.settings["flag_columns"]
        if columns in {0, 2}:
            return b""
        flags, count, migrate, lazy_count = (
            self._byte(raw, f"{name}_at") for name in ("flags", "preempt", "migrate", "lazy_count")
        )
        if columns == 1:
            return b"-0x%x" % flags
        if not self.kernel:
            return library_latency(flags, count) + (b"%d" % migrate if self.settings["migrate_at"] else b"")
        if self.settings["lazy_count_at"]:
            return latency_rt(flags, count, lazy_count, migrate)
        return latency(flags, count, columns, bool(self.settings["lazy_bit"]))

    def _byte(self, raw: bytes, name: str) -> int:
        at = self.settings[name]
        return raw[at] if at < len(raw) else 0

    def _time(self, raw: int) -> bytes:
        wanted = self.settings
        gap = b" " if wanted["flag_columns"] and (self.kernel or wanted["is_ns"]) else b""
        return gap + self.stamp(raw) + b":"

    def stamp(self, raw: int) -> bytes:
        """A time as the columns have it."""
        value = self._shown(raw)
        if not self.settings["is_ns"]:
            return b"%12d" % value
        if self.settings["digits"] == 9:
            return b"%5d.%09d" % divmod(value, 1_000_000_000)
        return b"%5d.%06d" % divmod((value + 500) // 1000, 1_000_000)


def _next_of(cpu: int, batch: Sequence[TextRecord], start: int) -> TextRecord | None:
    return next((batch[at] for at in range(start, len(batch)) if batch[at].cpu == cpu), None)


def library_latency(flags: int, count: int) -> bytes:
    """The same as trace-cmd's library knows it."""
    resched = "N" if flags & 4 else "L" if flags & 0x22 else "."
    text = ("d" if flags & 1 else ".") + resched + ".hsH"[flags >> 3 & 3]
    return (text + (f"{count & 15:x}" if count & 15 else ".") + (f"{count >> 4:x}" if count >> 4 else ".")).encode()


def latency_rt(flags: int, count: int, lazy_count: int, migrate: int) -> bytes:
    """As a PREEMPT_RT 5.10 shows it: its need-resched-lazy, and three counts of their own."""
    off = "d" if flags & 1 else "X" if flags & 2 else "."
    resched = (flags & 4) >> 2 | (flags & 0x20) >> 4
    context = flags >> 3 & 3 | flags >> 4 & 4
    counts = (f"{one:x}" if one else "." for one in (count, lazy_count, migrate))
    return "".join((off, ".npN"[resched], "L" if flags & 0x80 else ".", ".hsHzZzZ"[context], *counts)).encode()


def latency(flags: int, count: int, columns: int, lazy_bit: bool) -> bytes:
    """irqs-off, need-resched, context, preempt depth and migrate-disable as one letter each."""
    unsupported = flags & 2 and not lazy_bit
    off = "D" if flags & 0x81 == 0x81 else "d" if flags & 1 else "b" if flags & 0x80 else "X" if unsupported else "."
    resched = (flags & 4) >> 2 | (flags & 0x20) >> 4 | ((flags & 2) << 1 if lazy_bit else 0)
    context = flags >> 3 & 1 | flags >> 3 & 2 | flags >> 4 & 4
    text = off + ".npNlbLB"[resched] + ".hsHzZzZ"[context]
    if columns == 4:
        return (text + (f"{count:x}" if count else ".")).encode()
    return (text + (f"{count & 15:x}" if count & 15 else ".") + (f"{count >> 4:x}" if count >> 4 else ".")).encode()


def _unpacked(code: bytes, entries: bytes, literals: bytes) -> Unpacked:
    instructions = [Instruction(*one) for one in INSTRUCTION.iter_unpack(code)]
    rows = [(value, literals[at : at + size]) for value, at, size in ENTRY.iter_unpack(entries)]
    return Unpacked(instructions, rows, literals)
