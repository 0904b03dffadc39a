"""Events as lines of text: what the kernel's `trace` file shows, or the layout and text of `trace-cmd report -N`."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Collection
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from ftracepy.printfmt import (
    TRACERS_OWN,
    Form,
    Style,
    Target,
    argument_events,
    blk_event,
    compile_for,
    compile_printk,
    graph_events,
    graph_legend,
    graph_settings,
    plain_ids,
    target_of,
)
from ftracepy.schema import Schema
from ftracepy.sidefacts import Unpacker
from ftracepy.values import replace

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch, Event, TextMachine
    from ftracepy.printfmt.prototypes import Prototypes

_PRINTK = re.compile(r'^\s*0x([0-9a-fA-F]+)\s*:\s*"(.*)"\s*$')
_FLAG_NAMES = ("need-resched", "hardirq/softirq", "preempt-depth", "migrate-disable")
_TGID = ("     TGID   ", "       |    ")
_MESSAGES = ("print", "bprint", "bputs")
_GRAPH = "function_graph"
_SHOWS_TGIDS = frozenset({"record-tgid", "print-tgid"})
_NO_MORE, _HELD, _ASKS = -1, -2, -3  # why the text machine stopped where it names no event
_MOST_HELD = 1 << 18  # events that wait for what an idle CPU does next
_RT_FLAG_NAMES = (
    "irqs-off", "need-resched", "need-resched-lazy", "hardirq/softirq", "preempt-depth", "preempt-lazy-depth", "migrate-disable",
)  # fmt: skip
_NO_NAME = frozenset({"raw_data", "kernel_stack", "user_stack", "function", "func_repeats", "blktrace", *_MESSAGES, *TRACERS_OWN})


class Formatter:
    """Turns batches into lines and single events into text, by each event's own `print fmt`.

    `style` "kernel": what an instance's `trace` file shows, with the trace options' defaults and pointers as they
    are. "trace-cmd": the layout and text of `trace-cmd report -N` (3.1); `flags` adds the column of irq and preempt
    state that later versions show. `ns` shows nanoseconds instead of microseconds.
    `tracer` is the one that wrote the buffer, where that is known: in kernel style function_graph makes a listing
    of calls, and so does, where it is not known, the first batch with that tracer's events. `options` are the
    recording kernel's, as trace_options names them. `form`, in trace-cmd style: "raw" is `report -R`, each field
    by its name, and "latency" is `report -l`, with what its plugins make of events; in kernel style "raw" is the
    option `fields`. `prefix` stands before every line, as where several instances are told apart. `cpus` is how
    many it had.
    One Formatter serves one stream; call it from one thread at a time.
    """

    def __init__(
        self,
        schema: Schema,
        style: Style = "kernel",
        ns: bool = False,
        *,
        flags: bool = False,
        form: Form = "text",
        prefix: bytes = b"",
        tracer: str | None = None,
        options: Collection[str] = (),
        cpus: int = 1,
    ) -> None:
        self._schema = schema
        self._options, self._cpus = frozenset(options), cpus
        self._held: deque[Batch] = deque()
        self._held_at = 0
        self._looked_through = 1
        self._target: Target = target_of(schema, style, form, options, tracer)
        self._common = {one.name: one.offset for one in next(iter(schema.formats.values())).common} if schema.formats else {}
        self._columns = 7 if "common_preempt_lazy_count" in self._common else 5
        if self._target.exact and self._columns == 5 and self._target.release < (5, 13):
            self._columns = 4
        self._machine: TextMachine = _machine_type()(self._settings(ns, flags))
        self._machine.set_prefix(prefix)
        self._machine.set_symbols(schema.kallsyms.encode("utf-8", "surrogateescape"))
        self._machine.set_strings(printk_strings(schema.printk_formats))
        self._comms: dict[int, str] | None = None
        if self._target.exact and _SHOWS_TGIDS & self._options:
            self._machine.set_tgids({pid: b"%d" % tgid for pid, tgid in schema.tgids.items() if tgid})
        if "sym-userobj" in self._options:
            self._areas, self._facts = list(schema.areas), Unpacker(self._target.big_endian)
            self._machine.set_areas(self._areas)
        self._argument_events = argument_events(schema)
        self._prototypes: Prototypes | None = None
        self._functions: set[int] = set()  # whose prototypes the machine has
        self._machine.set_arguments(self._argument_events)
        listed = self._target.exact or form == "latency"
        graph = graph_events(schema) if listed and tracer in {None, _GRAPH} else None
        self._graph_ids = tuple(one.id for one in graph) if graph else ()
        self._listing = False
        if graph and tracer == _GRAPH:
            self._list()

    def _list(self) -> None:
        """From here on a listing of calls; the messages in it do not name the function that wrote them."""
        self._listing = True
        self._machine.set_graph(graph_settings(self._schema, self._options, self._cpus, self._target), plain_ids(self._schema))
        self._target = replace(self._target, bare=True)
        for name in _MESSAGES:
            if format := self._schema.event("ftrace", name):
                self._add(format.id)

    def _settings(self, ns: bool, flags: bool) -> dict[str, int]:
        schema, target, common = self._schema, self._target, self._common
        return {
            "kernel": target.exact,
            "big_endian": target.big_endian,
            "long_bytes": target.long_bytes,
            "flag_columns": self._flag_columns(flags),
            "latency": target.form == "latency" and not target.exact,
            "bare": self._bare,
            "lazy_bit": target.release >= (6, 13),
            "digits": 9 if ns else 6,
            "mult": schema.time.mult,
            "shift": schema.time.shift,
            "offset": schema.time.offset_ns,
            "is_ns": schema.time.is_ns if target.exact else _library_is_ns(schema),
            "migrate_at": common.get("common_migrate_disable", 0),
            "lazy_count_at": common.get("common_preempt_lazy_count", 0),
            "flags_at": common.get("common_flags", 2),
            "preempt_at": common.get("common_preempt_count", 3),
        }

    @property
    def _bare(self) -> bool:
        """Whether lines have no columns but the event's text."""
        return self._target.exact and ("nocontext-info" in self._options or self._target.tracer == "mmiotrace")

    def _flag_columns(self, flags: bool) -> int:
        """0: none, 1: the flags as a number, 2: none, but their gap (option irq-info is off)."""
        if self._target.exact or self._target.form == "latency":
            return 2 if self._target.exact and "noirq-info" in self._options else self._columns
        return 1 if self._target.form == "raw" else self._columns if flags else 0

    def heading(self, cpus: int, batch: Batch | None = None) -> bytes:
        """What stands above the first line: the legend of columns (trace.c, print_func_help_header_irq) or the CPU count.

        `batch`: the first one, which shows whether function_graph wrote it where the Formatter was not told.
        """
        self._cpus = max(self._cpus, cpus)
        if not self._target.exact:
            return b"cpus=%d\n" % cpus
        if self._bare:
            return b""
        if batch is not None:
            self._look(batch)
        return (graph_legend(self._options) if self._listing else self._plain_legend()).encode()

    def _plain_legend(self) -> str:
        return _legend(self._flag_columns(False), bool(_SHOWS_TGIDS & self._options))

    def lines(self, batch: Batch, start: int = 0, stop: int | None = None, *, more: bool = False) -> bytes:
        """Whole lines for batch[start:stop], lost events in their place.

        `more`: this is the whole batch and others follow, or rest() does: in a listing of calls, lines that depend on
        events to come are then kept till the next call.
        """
        stop = len(batch) if stop is None else min(stop, len(batch))
        self._learn_comms()
        self._learn_areas(batch)
        self._look(batch)
        if not more or not self._graph_ids:
            before = self.rest()
            return before + self._made(batch, start, stop, hold=False)[0]
        if len(batch) or batch.losses:
            self._held.append(batch)
        self._held_at = start if len(self._held) == 1 else self._held_at
        return self._released(hold=True)

    def rest(self) -> bytes:
        """The lines that the calls of lines(more=True) kept."""
        return self._released(hold=False)

    def _look(self, batch: Batch) -> None:
        if self._graph_ids and not self._listing and any(_holds_calls(batch, id) for id in self._graph_ids):
            self._list()

    def _released(self, hold: bool) -> bytes:
        """Lines of the batches that are kept, as far as those behind them settle what they depend on."""
        parts: list[bytes] = []
        while self._held:
            batch = self._held[0]
            text, at = self._made(batch, self._held_at, len(batch), hold=hold or len(self._held) > 1)
            parts.append(text)
            if at < len(batch):
                settles = self._batch_of(batch[at].cpu)
                if settles is None and hold and sum(map(len, self._held)) < _MOST_HELD:
                    self._held_at = at
                    break
                parts.append(self._made(batch, at, at + 1, settles)[0])
                self._looked_through = 1
                at += 1
            self._held_at = at
            if at == len(batch):
                self._held.popleft()
                self._held_at = 0
        return b"".join(parts)

    def _batch_of(self, cpu: int) -> Batch | None:
        """The next batch with an event of `cpu`, for trace-cmd of any CPU; those that have none are looked through once."""
        anyone = not self._target.exact
        unseen = islice(self._held, self._looked_through, None)
        found = next((one for one in unseen if anyone or cpu in one.cpu.tolist()), None)
        self._looked_through = len(self._held)
        return found

    def _made(
        self, batch: Batch, start: int, stop: int, following: Batch | None = None, *, hold: bool = False
    ) -> tuple[bytes, int]:
        """Lines, and how far they go: to `stop`, or to the event that `hold` stops at."""
        losses = [loss for loss in batch.losses if start <= loss[0] < stop or (loss[0] == stop == len(batch))]
        parts: list[bytes] = []
        while True:
            text, start, why = self._machine.lines(batch, start, stop, losses, following, hold)
            parts.append(text)
            if why in (_NO_MORE, _HELD):
                return b"".join(parts), start
            losses = [loss for loss in losses if loss[0] >= start]
            if why == _ASKS:
                self._add_prototype(self._machine.asked())
            else:
                self._add(why)

    def _add_prototype(self, address: int) -> None:
        if self._prototypes is None:
            from ftracepy.printfmt.prototypes import prototypes_of

            self._prototypes = prototypes_of(self._schema, self._target)
        if address not in self._functions:
            self._functions.add(address)
            self._machine.add_prototype(address, self._prototypes.rows(self._machine.symbol(address)))

    def text(self, event: Event) -> str:
        """The event's own text, what a line shows after the event's name."""
        function_at, arguments_at = self._argument_events.get(event.id, (0, 0))
        long_bytes, raw = self._target.long_bytes, event.raw
        if arguments_at and len(raw) >= arguments_at + long_bytes:
            order: Literal["little", "big"] = "big" if self._target.big_endian else "little"
            self._add_prototype(int.from_bytes(raw[function_at : function_at + long_bytes], order))
        text = self._machine.text(event.id, event.raw)
        if text is None:
            self._add(event.id)
            text = self._machine.text(event.id, event.raw) or b""
        return str(text, "utf-8", "backslashreplace")

    @property
    def machine(self) -> TextMachine:
        """What runs the events' programs, for those who make lines of their own: of `is_alone` events that were prepared."""
        return self._machine

    def is_alone(self, id: int) -> bool:
        """Whether the text of this event is made of nothing but its record."""
        return id not in self._argument_events

    def prepare(self, id: int) -> None:
        """Give the machine the event's program."""
        self._add(id)

    def _learn_areas(self, batch: Batch) -> None:
        """From our own facts in the stream what processes could run; who is told of anew is known as then from there on."""
        facts = self._schema.event("ftrace", "raw_data") if "sym-userobj" in self._options else None
        if facts is None:
            return
        from ftracepy.printfmt.areas import areas_in

        for process, areas in areas_in(batch, facts, self._facts):
            self._areas = [*(one for one in self._areas if one[0] != process), *areas]
            self._machine.set_areas(self._areas)

    def _learn_comms(self) -> None:
        comms = self._schema.cmdlines
        if comms is not self._comms:
            self._comms = comms
            self._machine.set_comms({pid: comm.encode("utf-8", "surrogateescape") for pid, comm in comms.items()})

    def _add(self, id: int) -> None:
        format = self._schema.formats.get(id) or blk_event(self._schema, id)
        if format is None:
            self._machine.add(id, b"%d" % id if self._target.exact else b"[UNKNOWN EVENT]", b"", b"", b"")
            return
        if (format.system, format.name) == ("ftrace", "bprint"):
            self._add_printk_formats()
        shown = "" if self._nameless(format.system, format.name) else format.name
        self._machine.add(id, shown.encode(), *compile_for(format, self._target))

    def _add_printk_formats(self) -> None:
        for address, text in printk_strings(self._schema.printk_formats).items():
            if program := compile_printk(text, self._target):
                self._machine.add_format(address, *program)

    def _nameless(self, system: str, name: str) -> bool:
        """Whether the kernel's own printing function leaves the event's name out."""
        if not self._target.exact or self._target.form == "raw":
            return False
        syscall = system == "syscalls" and name.startswith(("sys_enter_", "sys_exit_"))
        return syscall or (system == "ftrace" and name in _NO_NAME)


def _holds_calls(batch: Batch, id: int) -> bool:
    try:
        return len(batch.column(id, "func")[0]) > 0
    except KeyError:  # a damaged recording's format without its field
        return False


def _legend(flag_columns: int, tgid: bool) -> str:
    """The head of the kernel's `trace` file, without the counts of entries, which only a live buffer has."""
    title, bar = _TGID if tgid else ("  ", "  ")
    if flag_columns == 2:
        lines = [
            f"#           TASK-PID  {title} CPU#     TIMESTAMP  FUNCTION",
            f"#              | |    {bar}   |         |         |",
        ]
        return "\n".join(["# tracer: nop", "#", *lines, ""])
    names = ["irqs-off/BH-disabled" if flag_columns == 5 else "irqs-off", *_FLAG_NAMES[: flag_columns - 1]]
    names = list(_RT_FLAG_NAMES) if flag_columns == 7 else names
    margin, bars, longest = "#" + " " * (28 + len(title)), "|" * flag_columns, max(flag_columns, 5)
    lines = [f"{margin}  _{'-' * longest}=> {names[0]}"]
    lines += [f"{margin}{'|' * (at - 1)} / _{'-' * (longest - at)}=> {name}" for at, name in enumerate(names[1:], 1)]
    lines.append(f"{margin}{'|' * (flag_columns - 1)} /     delay")
    titles = f"#           TASK-PID  {title} CPU#  {bars:<5}  TIMESTAMP  FUNCTION"
    return "\n".join(["# tracer: nop", "#", *lines, titles, f"#              | |    {bar}   |   {bars:<5}     |         |", ""])


def _library_is_ns(schema: Schema) -> bool:
    """trace-cmd takes the boot clock for a counter, and jiffies for nanoseconds."""
    return {"boot": False, "uptime": True}.get(schema.clock, schema.time.is_ns)


def _machine_type() -> Any:
    """The C machine, or its Python twin where there is none or FTRACEPY_TWIN=1 asks for it."""
    if os.environ.get("FTRACEPY_TWIN") != "1":
        try:
            from ftracepy._fastparse import _core

            return _core.TextMachine
        except (ImportError, AttributeError):
            pass
    from ftracepy._fastparse.twin_text import TextMachine

    return TextMachine


def printk_strings(text: str) -> dict[int, bytes]:
    """printk_formats: `0xADDRESS : "text"` a line, with C's escapes."""
    from ftracepy.printfmt.lexer import unescape

    found = (_PRINTK.match(line) for line in text.splitlines())
    return {int(one[1], 16): unescape(one[2].encode("utf-8", "surrogateescape")) for one in found if one}
