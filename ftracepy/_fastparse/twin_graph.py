"""The function_graph tracer's listing in plain Python: what core/text_graph.c does. Change this first.

A call that ends at its CPU's next event takes one line, any other one where it begins and one where it ends; other
events stand between them as comments (kernel/trace/trace_functions_graph.c, print_graph_function_flags).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ftracepy._fastparse.twin_arguments import ArgumentMachine, arguments
from ftracepy.printfmt.arith import MASK

_MARKS = ((10**9, b"$"), (10**8, b"@"), (10**7, b"*"), (10**6, b"#"), (10**5, b"!"), (10**4, b"+"))
_LIBRARY_MARKS = tuple(mark for mark in _MARKS if mark[1] not in b"@*")
_RULE = b" ------------------------------------------\n"
_DEEPEST = 50  # calls that a task's return stack holds (FTRACE_RETFUNC_DEPTH)
_WIDEST = 1000  # columns of indentation: a damaged record must not ask for more
_MAX_ERRNO = 4095
OLD_RETVAL = 4
_FILL = b"              |  "


class TextRecord(Protocol):
    """What a line needs of an event."""

    @property
    def ts(self) -> int: ...
    @property
    def cpu(self) -> int: ...
    @property
    def pid(self) -> int: ...
    @property
    def id(self) -> int: ...
    @property
    def raw(self) -> bytes: ...


class GraphMachine(ArgumentMachine, Protocol):
    """What the listing asks the text machine for."""

    kernel: bool

    def place(self, address: int) -> bytes: ...
    def function(self, address: int) -> bytes: ...
    def comm(self, pid: int) -> bytes: ...
    def seconds(self, ts: int) -> bytes: ...
    def flags(self, raw: bytes) -> bytes: ...
    def named_text(self, event: TextRecord) -> bytes: ...
    def head(self, event: TextRecord) -> bytes: ...


@dataclass(slots=True)
class _Cpu:
    """What the listing remembers of a CPU: whose call it showed last, how deep it is, and which calls are open."""

    last_pid: int | None = None
    depth: int = 0
    skip: bool = False  # the next event is the end of a call whose line is written
    entered: dict[int, int] = field(default_factory=dict)


class Graph:
    """`settings`: the ids `entry` and `exit`, where their fields are (`*_at`, `*_bytes`), and the tracer's options by name."""

    def __init__(self, settings: Mapping[str, int]) -> None:
        self.settings = dict(settings)
        self._cpus: dict[int, _Cpu] = {}

    def needs_next(self, event: TextRecord) -> bool:
        """Whether the line of `event` depends on its CPU's next event."""
        return self.is_entry(event.id)

    def is_entry(self, id: int) -> bool:
        """Whether a call begins; with the option funcgraph-retaddr its event is another one."""
        return id in (self.settings["entry"], self.settings["retaddr_entry"])

    def line(self, machine: GraphMachine, event: TextRecord, following: TextRecord | None) -> bytes:
        cpu = self._cpus.setdefault(event.cpu, _Cpu())
        if event.id == self.settings["exit"]:
            if cpu.skip:
                cpu.skip = False
                return b""
            return self._switch(machine, cpu, event) + self._exit(machine, cpu, event)
        cpu.skip = False
        head = self._switch(machine, cpu, event)
        if self.is_entry(event.id):
            return head + self._entry(machine, cpu, event, following)
        indent = b" " * min((cpu.depth + 1) * 2, _WIDEST) if cpu.depth > 0 else b""
        text = machine.named_text(event).removesuffix(b"\n")
        return head + self._columns(machine, event) + self._fill(machine) + indent + b"/* " + text + b" */\n"

    def _field(self, machine: GraphMachine, event: TextRecord, name: str) -> int:
        return machine.number(event.raw, self.settings[f"{name}_at"], self.settings[f"{name}_bytes"])

    def _switch(self, machine: GraphMachine, cpu: _Cpu, event: TextRecord) -> bytes:
        """Whose calls these are, where that changed."""
        before, cpu.last_pid = cpu.last_pid, event.pid
        if before is None or before == event.pid or not machine.kernel:
            return b""
        return _RULE + self._cpu(event) + _task(machine, before) + b" => " + _task(machine, event.pid) + b"\n" + _RULE + b"\n"

    def _cpu(self, event: TextRecord) -> bytes:
        return b" %*d) " % (self.settings["cpu_digits"], event.cpu)

    def _columns(self, machine: GraphMachine, event: TextRecord) -> bytes:
        """In trace-cmd's listing the columns are its own, and every event has a line."""
        if not machine.kernel:
            return machine.head(event)
        wanted = self.settings
        text = machine.seconds(event.ts) + b" |  " if wanted["abstime"] else b""
        text += self._cpu(event) if wanted["cpu"] else b""
        text += _task(machine, event.pid) + b" | " if wanted["proc"] else b""
        return text + (b" " + machine.flags(event.raw) + b" | " if wanted["flags"] else b"")

    def _fill(self, machine: GraphMachine) -> bytes:
        return _FILL[not machine.kernel :] if self.settings["duration"] else b""

    def _took(self, machine: GraphMachine, event: TextRecord) -> bytes:
        if not self.settings["duration"]:
            return b""
        ns = self._field(machine, event, "rettime") - self._field(machine, event, "calltime") & (1 << 64) - 1
        letter = mark(ns, machine.kernel) if self.settings["overhead"] else b" "
        return letter + b" " + duration(ns, machine.kernel) + b"|  "

    def _entry(self, machine: GraphMachine, cpu: _Cpu, event: TextRecord, following: TextRecord | None) -> bytes:
        function, depth = self._field(machine, event, "entry_func"), self._depth(machine, event, "entry_depth")
        indent = b" " * min(depth * 2, _WIDEST)
        columns = self._columns(machine, event)
        before = self._interrupt(machine, event, function, b"==========>")
        call = indent + machine.function(function) + b"(" + arguments(machine, event.id, event.raw) + b")"
        if following and self._is_end(machine, event, following, function):
            cpu.depth, cpu.skip = depth - 1, True
            cpu.entered.pop(depth, None)
            told = self._caller(machine, event), self._returned(machine, following)
            after = self._interrupt(machine, event, function, b"<==========")
            return before + columns + self._took(machine, following) + call + b";" + _comment(machine, *told) + b"\n" + after
        cpu.depth = depth
        if depth < _DEEPEST:
            cpu.entered[depth] = function
        caller = _comment(machine, self._caller(machine, event), b"")
        return before + columns + self._fill(machine) + call + (b" {" + caller if machine.kernel else caller + b" {") + b"\n"

    def _caller(self, machine: GraphMachine, event: TextRecord) -> bytes:
        """Where the call returns to (print_graph_retaddr)."""
        shown = self.settings["retaddr"] and self.settings["entry_retaddr_bytes"]
        if not shown or event.id != self.settings["retaddr_entry"]:
            return b""
        address = self._field(machine, event, "entry_retaddr")
        return b" <-" + (machine.place(address) if machine.kernel else machine.function(address))

    def _is_end(self, machine: GraphMachine, event: TextRecord, following: TextRecord, function: int) -> bool:
        same = following.id == self.settings["exit"] and (following.cpu, following.pid) == (event.cpu, event.pid)
        return same and self._field(machine, following, "exit_func") == function

    def _depth(self, machine: GraphMachine, event: TextRecord, name: str) -> int:
        """As the kernel keeps it, in an int."""
        depth = self._field(machine, event, name) & 0xFFFFFFFF
        return 0 if depth >> 31 else depth

    def _exit(self, machine: GraphMachine, cpu: _Cpu, event: TextRecord) -> bytes:
        function, depth = self._field(machine, event, "exit_func"), self._depth(machine, event, "exit_depth")
        cpu.depth = depth - 1
        matches = not machine.kernel or depth >= _DEEPEST or cpu.entered.pop(depth, 0) == function
        text = self._columns(machine, event) + self._took(machine, event) + b" " * min(depth * 2, _WIDEST) + b"}"
        value = self._returned(machine, event)
        if not machine.kernel:
            text += value
        elif value or not matches or self.settings["tail"]:
            text += b" /* " + machine.function(function) + value + b" */"
        if self.settings["overrun"]:
            text += b"\n (Overruns: %d)" % self._field(machine, event, "exit_overrun")
        return text + b"\n" + self._interrupt(machine, event, function, b"<==========")

    def _interrupt(self, machine: GraphMachine, event: TextRecord, function: int, arrow: bytes) -> bytes:
        """Where an interrupt's handler begins and ends: the functions between two symbols (print_graph_irq)."""
        wanted = self.settings
        if not machine.kernel or not wanted["irq_start"] & MASK <= function < wanted["irq_end"] & MASK:
            return b""
        return self._columns(machine, event) + (b"  " + arrow + b" |" if wanted["duration"] else arrow) + b"\n"

    def _returned(self, machine: GraphMachine, event: TextRecord) -> bytes:
        shown = self.settings["retval"] or not machine.kernel
        if not shown or not self.settings["exit_retval_bytes"]:
            return b""
        value = returned(self._field(machine, event, "exit_retval"), machine.long_bytes, shown & 3 == 2)
        if not machine.kernel:
            return b" (ret=" + library_returned(self._field(machine, event, "exit_retval")) + b")"
        return (b" = " if shown & OLD_RETVAL else b" ret=") + value


def _comment(machine: GraphMachine, caller: bytes, value: bytes) -> bytes:
    """What a line ends with: the kernel has caller and value in one comment, trace-cmd the caller alone."""
    if not machine.kernel:
        return (b" /*%s */" % caller if caller else b"") + value
    return b" /*%s%s */" % (caller, value) if caller or value else b""


def mark(duration_ns: int, kernel: bool = True) -> bytes:
    """How long is long: the letter before a duration; trace-cmd knows four of them."""
    return next((letter for least, letter in (_MARKS if kernel else _LIBRARY_MARKS) if duration_ns > least), b" ")


def duration(ns: int, kernel: bool = True) -> bytes:
    """Microseconds in seven digits, the fraction cut to fit; trace-cmd has all of it or nothing, in a column less."""
    us, rest = divmod(ns, 1000)
    text = b"%d" % us
    if not kernel:
        text += b".%03d" % rest if len(text) < 7 else b""
        return text + b" us " + b" " * (7 - len(text))
    if len(text) < 7:
        text += b"." + (b"%03d" % rest)[: 7 - len(text)]
    return text + b" us " + b" " * (8 - len(text))


def returned(value: int, long_bytes: int, hexadecimal: bool) -> bytes:
    """A return value: an errno in decimal, also where an int carried it; everything else in hex."""
    whole = 1 << long_bytes * 8
    error = value | whole - (1 << 32) if long_bytes == 8 and value >> 31 == 1 else value
    if hexadecimal or error < whole - _MAX_ERRNO:
        return b"0x%x" % value
    return b"%d" % (error - whole)


def library_returned(value: int) -> bytes:
    """As trace-cmd has it: an errno only where all 64 bits say so."""
    return b"-%d" % ((1 << 64) - value) if value >= (1 << 64) - _MAX_ERRNO else b"0x%x" % value


def _task(machine: GraphMachine, pid: int) -> bytes:
    text = machine.comm(pid)[:7] + b"-%d" % pid
    spaces = max(14 - len(text), 0)
    return b" " * (spaces // 2) + text + b" " * (spaces - spaces // 2)
