"""The kernel's texts as versions 6 and 7 both have them: one behind the other there, a section each here.

A recorder writes how long a text is and then copies it; what changes between the two (names of threads, probes that
somebody takes away) has another length than was said. Such a text is read as long as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ftracepy.recording.cursor import Cursor
from ftracepy.recording.options import OptionId
from ftracepy.schematexts import FTRACE, SchemaTexts

_FORMAT_BEGINS = b"name:"
_LONGEST_NAME_BYTES = 256
# A system's name and its number of formats, or, behind the last one in version 6, kallsyms.
_BEHIND_FORMATS = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]*\0.{4}|.{4}[0-9a-f]{8,16} \S ", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text is read, into what, and whom to tell; `alone`: nothing but it stands there."""

    cursor: Cursor
    texts: SchemaTexts
    notices: list[str]
    alone: bool

    def sized(self, size: int, what: str) -> bytes:
        """A text of `size` bytes; where it stands alone, all there is."""
        cursor = self.cursor
        if not self.alone or size == cursor.left:
            return bytes(cursor.take(size, what))
        self.notices.append(cursor.fault(f"{what} should have {size} bytes, and has {cursor.left}: it changed while copied").why)
        return bytes(cursor.take(cursor.left, what))


def _take_headers(place: Place) -> None:
    """header_page and header_event."""
    cursor, texts = place.cursor, place.texts
    cursor.expect(b"header_page\0")
    texts.header_page = bytes(cursor.take(cursor.u64("length of header_page"), "header_page"))
    cursor.expect(b"header_event\0")
    texts.header_event = bytes(cursor.take(cursor.u64("length of header_event"), "header_event"))


def _take_ftrace_formats(place: Place) -> None:
    """The formats of the ftrace system."""
    _take_formats(place, FTRACE)


def _take_systems(place: Place) -> None:
    """The formats of all other systems."""
    for _ in range(place.cursor.u32("number of systems")):
        _take_formats(place, place.cursor.name("name of a system"))


def _take_formats(place: Place, system: str) -> None:
    """As many as are said, or, where the recorder found fewer than it had counted, until the next system begins."""
    cursor = place.cursor
    count = cursor.u32(f"number of formats of {system}")
    for number in range(count):
        at = cursor.at
        if _is_past_formats(cursor):
            why = f"of the {count} formats that '{system}' should have, {number} are here: were its probes removed meanwhile?"
            place.notices.append(cursor.fault(why, at).why)
            return
        place.texts.add(system, bytes(cursor.take(cursor.u64("length of a format"), "event format")))


def _is_past_formats(cursor: Cursor) -> bool:
    """Whether no format stands here, but what comes behind a system's; if only its length does, that is gone over."""
    ahead = bytes(cursor.data[cursor.at : min(cursor.at + _LONGEST_NAME_BYTES, cursor.end)])
    if ahead[8 : 8 + len(_FORMAT_BEGINS)] == _FORMAT_BEGINS:
        return False
    for skipped in (0, 8):
        if _BEHIND_FORMATS.match(ahead, skipped) or cursor.left == skipped:
            cursor.at += skipped
            return True
    return False


def _take_kallsyms(place: Place) -> None:
    place.texts.kallsyms = place.sized(place.cursor.u32("length of kallsyms"), "kallsyms")


def _take_printk(place: Place) -> None:
    place.texts.printk_formats = place.sized(place.cursor.u32("length of printk_formats"), "printk_formats")


def _take_cmdlines(place: Place) -> None:
    place.texts.cmdlines = place.sized(place.cursor.u64("length of saved_cmdlines"), "saved_cmdlines")


# In the order of a file of version 6.
TEXTS: dict[int, Callable[[Place], None]] = {
    OptionId.HEADER_INFO: _take_headers,
    OptionId.FTRACE_EVENTS: _take_ftrace_formats,
    OptionId.EVENT_FORMATS: _take_systems,
    OptionId.KALLSYMS: _take_kallsyms,
    OptionId.PRINTK: _take_printk,
    OptionId.CMDLINES: _take_cmdlines,
}
