"""The texts a kernel describes its events with, kept as it wrote them: filled from tracefs or a recording, stored as they are.

Only what was asked for is held, and a format's fields are parsed when an event of it comes: all 2300 of a
distribution kernel would cost 0.1 s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from ftracepy.schema import (
    EventFormat,
    FormatFault,
    PageLayout,
    Schema,
    TimeScale,
    no_types,
    parse_cmdlines,
    parse_event_format,
    parse_header_page,
    parse_tgids,
)
from ftracepy.values import dataclass, field, replace

FTRACE = "ftrace"  # the system of function, print, raw_data …: its formats are needed whatever else is traced
OWN_GROUP = "ftracepy_"  # the systems of our own probe events begin so

# These count something else than nanoseconds (kernel: trace.c, trace_clocks[].in_ns is 0).
_CLOCKS_WITHOUT_NS = frozenset({"counter", "uptime", "x86-tsc", "ppc-tb"})

_SYMBOL_EVENTS = frozenset({"function", "funcgraph_entry", "funcgraph_exit", "kernel_stack", "bprint", "bputs"})
_POINTER_SYMBOL = re.compile(rb"%p[SsBFf]|__probe_(?:ip|func|ret_ip)")
_CHOSEN_CLOCK = re.compile(r"\[(\S+)\]")


@dataclass(slots=True)
class SchemaTexts:
    """What must be known to read one instance's pages, in the kernel's own words (all of it bytes as read).

    `formats` maps a system to the texts of events/SYSTEM/*/format. `clock` is the instance's trace
    clock by name; `time` how its stamps become nanoseconds, None where the clock itself says so.
    `page_bytes` is the instance's sub-buffer size: header_page tells that of the top instance only.
    `types` reads the kernel's BTF, which is needed only to name the arguments that the function tracers record.
    """

    header_page: bytes = b""
    header_event: bytes = b""
    formats: dict[str, list[bytes]] = field(default_factory=dict)
    kallsyms: bytes = b""
    printk_formats: bytes = b""
    dynamic_events: bytes = b""
    cmdlines: bytes = b""
    tgids: bytes = b""
    clock: str = "local"
    time: TimeScale | None = None
    uname: str = ""
    big_endian: bool = False
    page_bytes: int | None = None
    types: Callable[[], bytes] = field(default=no_types, repr=False, compare=False)

    def layout(self, page_bytes: int | None = None) -> PageLayout:
        """The sub-buffer's layout; raises FormatFault where header_page does not say it."""
        text = self.header_page.decode("ascii", "replace")
        return parse_header_page(text, big_endian=self.big_endian, page_bytes=page_bytes or self.page_bytes)

    def schema(self, page_bytes: int | None = None, *, skipped: list[str] | None = None) -> Schema:
        """All held texts, parsed. Raises FormatFault where header_page or a format does not say what it must.

        With `skipped`, a bad format is left out instead, and why is noted there.
        """
        layout = self.layout(page_bytes)
        schema = Schema(
            page=layout,
            cmdlines=parse_cmdlines(self.cmdlines.decode("utf-8", "surrogateescape")),
            tgids=parse_tgids(self.tgids.decode("ascii", "replace")),
            kallsyms=self.kallsyms.decode("utf-8", "surrogateescape"),
            printk_formats=self.printk_formats.decode("utf-8", "surrogateescape"),
            dynamic_events=self.dynamic_events.decode("utf-8", "surrogateescape"),
            clock=self.clock,
            time=self.time or TimeScale(is_ns=clock_is_ns(self.clock)),
            uname=self.uname,
            arch=self.uname.rpartition(" ")[2],
            types=self.types,
        )
        schema.add(self.events(layout.long_bytes, skipped))
        return schema

    def events(self, long_bytes: int = 8, skipped: list[str] | None = None) -> Iterator[EventFormat]:
        """Every held format, parsed; a bad one is raised or noted as for `schema`."""
        for system, texts in self.formats.items():
            for text in texts:
                try:
                    yield parse_event_format(text, system, long_bytes)
                except FormatFault as fault:
                    if skipped is None:
                        raise
                    skipped.append(f"an event of {system} cannot be read: {fault}")

    def add(self, system: str, text: bytes) -> None:
        self.formats.setdefault(system, []).append(text)

    def only(self, events: Mapping[str, Collection[str]]) -> SchemaTexts:
        """The same texts with the formats of {system: event names} and of the ftrace system alone."""
        kept = {
            system: [text for text in texts if system == FTRACE or event_name(text) in events.get(system, ())]
            for system, texts in self.formats.items()
        }
        return replace(self, formats={system: texts for system, texts in kept.items() if texts})

    def needs_symbols(self, enabled: Collection[str] = ()) -> bool:
        """Whether a held event prints kernel addresses as names (`%pS`, a probe's place), so that kallsyms is worth its 5 MB.

        Events of the ftrace system are held always: they count only where `enabled` names them. Our own
        probes do not count: tools read their fields, and a uprobe's place, which looks the same, is in no kallsyms.
        """
        shown = (texts for system, texts in self.formats.items() if system != FTRACE and not system.startswith(OWN_GROUP))
        return bool(_SYMBOL_EVENTS & set(enabled)) or any(_POINTER_SYMBOL.search(text) for texts in shown for text in texts)


class SchemaAhead:
    """The schema of texts that may not be the last word: made while there is time, and used where they are."""

    def __init__(self, texts: SchemaTexts) -> None:
        self._texts = _settled(texts)
        self._schema = texts.schema()

    def schema(self, texts: SchemaTexts) -> Schema:
        """The schema of `texts`, which may be the same as before, and changed meanwhile."""
        return self._schema if _settled(texts) == self._texts else texts.schema()


def _settled(texts: SchemaTexts) -> SchemaTexts:
    """A copy that says what a schema of it would look up."""
    formats = {system: list(those) for system, those in texts.formats.items()}
    return replace(texts, formats=formats, page_bytes=texts.layout().size_bytes)


def event_name(text: bytes) -> str:
    """The name a format text gives; raises FormatFault where it gives none."""
    if not (match := re.search(rb"^name:\s*(.+)$", text, re.MULTILINE)):
        raise FormatFault("an event format has no name")
    return match[1].strip().decode("utf-8", "backslashreplace")


def clock_is_ns(clock: str) -> bool:
    """Whether stamps of this trace clock are nanoseconds."""
    return clock not in _CLOCKS_WITHOUT_NS


def chosen_clock(trace_clock: str) -> str:
    """The clock in brackets in a trace_clock text ("[local] global …"); a text without brackets is the name itself."""
    match = _CHOSEN_CLOCK.search(trace_clock)
    return match[1] if match else trace_clock.strip()


def useful_kallsyms(text: bytes) -> bytes:
    """kallsyms, or nothing where kptr_restrict or missing rights made every address zero: such a table names nothing."""
    addresses = (line.partition(b" ")[0] for line in text[:4096].splitlines())
    return text if any(address.strip(b"0") for address in addresses) else b""
