"""The options of a trace.dat file, by number (trace-cmd.dat.v6(5), trace-cmd.dat.v7(5))."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum

from ftracepy.recording.cursor import Cursor
from ftracepy.recording.progress import PROGRESS_OPTION
from ftracepy.values import dataclass


class OptionId(IntEnum):
    DONE = 0
    DATE = 1
    CPUSTAT = 2
    BUFFER = 3
    TRACECLOCK = 4
    UNAME = 5
    HOOK = 6
    OFFSET = 7
    CPUCOUNT = 8
    VERSION = 9
    PROCMAPS = 10
    TRACEID = 11
    TIME_SHIFT = 12
    GUEST = 13
    TSC2NSEC = 14
    STRINGS = 15
    HEADER_INFO = 16
    FTRACE_EVENTS = 17
    EVENT_FORMATS = 18
    KALLSYMS = 19
    PRINTK = 20
    CMDLINES = 21
    BUFFER_TEXT = 22
    BTF_FILE = 23
    LAST_BOOT_INFO = 24
    MODULES_FILE = 25


@dataclass(frozen=True, slots=True)
class Option:
    """One option; `id` may be one that OptionId does not name: newer writers know more."""

    id: int
    data: Cursor

    @property
    def text(self) -> str:
        """The data as text, up to its NUL."""
        return self.data.rest().partition(b"\0")[0].decode("utf-8", "backslashreplace")


def options(cursor: Cursor, *, done_has_data: bool) -> Iterator[Option]:
    """Yield the options from `cursor` on, which then stands behind them; DONE is the last (a bare number in version 6)."""
    while True:
        number = cursor.u16("option number")
        if number == OptionId.DONE and not done_has_data:
            return
        yield Option(number, cursor.part(cursor.u32("option size"), f"option {number}"))
        if number == OptionId.DONE:
            return


# What a writer writes anew: where things are, and what belongs to the new file's own buffers.
_WRITTEN_ANEW = frozenset(
    {OptionId.DONE, OptionId.CPUSTAT, OptionId.BUFFER, OptionId.TRACECLOCK, OptionId.UNAME, OptionId.CPUCOUNT, OptionId.STRINGS}
    | {
        OptionId.HEADER_INFO,
        OptionId.FTRACE_EVENTS,
        OptionId.EVENT_FORMATS,
        OptionId.KALLSYMS,
        OptionId.PRINTK,
        OptionId.CMDLINES,
    }
    | {OptionId.BUFFER_TEXT}
    | {OptionId.TIME_SHIFT}  # has been applied to the stamps
    | {OptionId.BTF_FILE, OptionId.MODULES_FILE}  # say where a section is
)
_FACTS = frozenset(OptionId) - _WRITTEN_ANEW


# What no event is read with, and is kept for others: each a section of its own.
EXTRA_SECTIONS = (OptionId.BTF_FILE, OptionId.MODULES_FILE)


TIME_OPTIONS = frozenset({OptionId.DATE, OptionId.OFFSET, OptionId.TSC2NSEC})


def kept_options(found: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Those that mean the same in another file; of numbers we do not know, none: they may hold offsets."""
    return [(number, data) for number, data in found if number in _FACTS]


def unknown_options(found: Sequence[tuple[int, bytes]]) -> list[int]:
    """The numbers of those that we do not know."""
    return sorted({number for number, _ in found} - {*OptionId} - {PROGRESS_OPTION})
