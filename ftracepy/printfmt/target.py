"""Whose text is wanted, and what the recording kernel was: all that compiling an event needs beside its format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ftracepy.schema import EventFormat, Schema

Style = Literal["kernel", "trace-cmd"]
Form = Literal["text", "raw", "latency"]
_RELEASE = re.compile(r"^Linux (?:\S+ )??(\d+)\.(\d+)")  # with the machine's name in front or without
_NEWEST = (99, 0)


@dataclass(frozen=True, slots=True)
class Target:
    style: Style = "kernel"
    long_bytes: int = 8
    release: tuple[int, int] = _NEWEST
    big_endian: bool = False
    page_array: int | None = None  # where the kernel's `struct page`s begin
    form: Form = "text"
    bare: bool = False  # messages without the place that wrote them, as comments in a function_graph listing

    @property
    def exact(self) -> bool:
        """Whether expressions are evaluated as the kernel's compiler did."""
        return self.style == "kernel"


def target_of(schema: Schema, style: Style, form: Form = "text") -> Target:
    """What `schema` says of its kernel; a kernel that is not named is taken for a new one.

    How irq state and syscall arguments are shown stands in no format file: what its own events show of the release
    comes first, uname only chooses between what they allow.
    """
    match = _RELEASE.match(schema.uname)
    named = (int(match[1]), int(match[2])) if match else _NEWEST
    least, most = _releases(schema)
    release = max(least, min(named, most))
    return Target(style, schema.page.long_bytes, release, schema.page.big_endian, _page_array(schema.kallsyms), form)


def _releases(schema: Schema) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last release that could have written these formats."""
    least, most = (0, 0), _NEWEST
    function = schema.event("ftrace", "function")
    if function and schema.event("ftrace", "func_repeats"):
        least = (5, 13)
    elif function:
        most = (5, 12)
    if function and function.field("args"):
        least = (6, 15)
    elif function:
        most = min(most, (6, 14))
    if any(_copies_from_user(one) for one in schema.formats.values()):
        least = (6, 19)
    return least, max(least, most)


def _copies_from_user(format: EventFormat) -> bool:
    """Whether a syscall's event holds what its pointers lead to."""
    return format.system == "syscalls" and any(one.name.startswith("__") and one.name.endswith("_val") for one in format.fields)


def _page_array(kallsyms: str) -> int | None:
    """vmemmap_base of an x86-64 kernel that was not moved by KASLR (Documentation/arch/x86/x86_64/mm.rst); else unknown."""
    return 0xFFFFEA0000000000 if re.search(r"^ffffffff81000000 T _text$", kallsyms, re.MULTILINE) else None
