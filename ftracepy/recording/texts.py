"""The kernel's texts as versions 6 and 7 both have them: one behind the other there, a section each here."""

from __future__ import annotations

from collections.abc import Callable

from ftracepy.recording.cursor import Cursor
from ftracepy.recording.options import OptionId
from ftracepy.schematexts import FTRACE, SchemaTexts


def _take_headers(cursor: Cursor, texts: SchemaTexts) -> None:
    """header_page and header_event."""
    cursor.expect(b"header_page\0")
    texts.header_page = bytes(cursor.take(cursor.u64("length of header_page"), "header_page"))
    cursor.expect(b"header_event\0")
    texts.header_event = bytes(cursor.take(cursor.u64("length of header_event"), "header_event"))


def _take_ftrace_formats(cursor: Cursor, texts: SchemaTexts) -> None:
    """The formats of the ftrace system."""
    _take_formats(cursor, texts, FTRACE)


def _take_systems(cursor: Cursor, texts: SchemaTexts) -> None:
    """The formats of all other systems."""
    for _ in range(cursor.u32("number of systems")):
        _take_formats(cursor, texts, cursor.name("name of a system"))


def _take_formats(cursor: Cursor, texts: SchemaTexts, system: str) -> None:
    for _ in range(cursor.u32(f"number of formats of {system}")):
        texts.add(system, bytes(cursor.take(cursor.u64("length of a format"), "event format")))


def _take_kallsyms(cursor: Cursor, texts: SchemaTexts) -> None:
    texts.kallsyms = bytes(cursor.take(cursor.u32("length of kallsyms"), "kallsyms"))


def _take_printk(cursor: Cursor, texts: SchemaTexts) -> None:
    texts.printk_formats = bytes(cursor.take(cursor.u32("length of printk_formats"), "printk_formats"))


def _take_cmdlines(cursor: Cursor, texts: SchemaTexts) -> None:
    texts.cmdlines = bytes(cursor.take(cursor.u64("length of saved_cmdlines"), "saved_cmdlines"))


# In the order of a file of version 6.
TEXTS: dict[int, Callable[[Cursor, SchemaTexts], None]] = {
    OptionId.HEADER_INFO: _take_headers,
    OptionId.FTRACE_EVENTS: _take_ftrace_formats,
    OptionId.EVENT_FORMATS: _take_systems,
    OptionId.KALLSYMS: _take_kallsyms,
    OptionId.PRINTK: _take_printk,
    OptionId.CMDLINES: _take_cmdlines,
}
