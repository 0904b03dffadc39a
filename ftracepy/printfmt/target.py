"""Whose text is wanted, and what the recording kernel was: all that compiling an event needs beside its format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ftracepy.schema import Schema

Style = Literal["kernel", "trace-cmd"]
_RELEASE = re.compile(r"^Linux (?:\S+ )??(\d+)\.(\d+)")  # with the machine's name in front or without
_NEWEST = (99, 0)


@dataclass(frozen=True, slots=True)
class Target:
    style: Style = "kernel"
    long_bytes: int = 8
    release: tuple[int, int] = _NEWEST
    big_endian: bool = False
    page_array: int | None = None  # where the kernel's `struct page`s begin
    bare: bool = False  # messages without the place that wrote them, as comments in a function_graph listing

    @property
    def exact(self) -> bool:
        """Whether expressions are evaluated as the kernel's compiler did."""
        return self.style == "kernel"


def target_of(schema: Schema, style: Style) -> Target:
    """What `schema` says of its kernel; a kernel that is not named is taken for a new one."""
    match = _RELEASE.match(schema.uname)
    release = (int(match[1]), int(match[2])) if match else _NEWEST
    return Target(style, schema.page.long_bytes, release, schema.page.big_endian, _page_array(schema.kallsyms))


def _page_array(kallsyms: str) -> int | None:
    """vmemmap_base of an x86-64 kernel that was not moved by KASLR (Documentation/arch/x86/x86_64/mm.rst); else unknown."""
    return 0xFFFFEA0000000000 if re.search(r"^ffffffff81000000 T _text$", kallsyms, re.MULTILINE) else None
