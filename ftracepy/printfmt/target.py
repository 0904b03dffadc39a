"""Whose text is wanted, and what the recording kernel was: all that compiling an event needs beside its format."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from ftracepy.schema import EventFormat, Schema
from ftracepy.values import dataclass, field

Style = Literal["kernel", "trace-cmd"]
Form = Literal["text", "raw", "latency"]
_RELEASE = re.compile(r"^Linux (?:\S+ )??(\d+)\.(\d+)")  # with the machine's name in front or without
_NEWEST = (99, 0)
_DEBIAN = re.compile(r" \d+\.\d+\.\d+(?:-\d+|\+deb\d+)(?:-cloud|-rt)?-(?:amd64|686|686-pae|arm64)\b")


@dataclass(frozen=True, slots=True)
class Target:
    style: Style = "kernel"
    long_bytes: int = 8
    release: tuple[int, int] = _NEWEST
    big_endian: bool = False
    page_array: int | None = None  # where the kernel's `struct page`s begin
    form: Form = "text"
    hz: int = 0  # jiffies in a second; 0: not known
    kallsyms: str = field(default="", repr=False, compare=False)  # for trace-cmd, which takes names it does not know for symbols
    options: frozenset[str] = frozenset()  # the recording kernel's, as trace_options names them
    dynamic_events: str = field(default="", repr=False, compare=False)  # what probes were asked for
    found: dict[str, int] = field(default_factory=dict, repr=False, compare=False)  # symbols that were asked for
    arch: str = ""  # of the recording machine, as uname has it; "" where that is not known
    tracer: str | None = None  # that wrote the buffer, where that is known
    bare: bool = False  # messages without the place that wrote them, as comments in a function_graph listing

    def symbol(self, name: str) -> int:
        """The address of kernel symbol `name`, 0 where kallsyms does not have it."""
        if name not in self.found:
            self.found[name] = self._search(name)
        return self.found[name]

    def _search(self, name: str) -> int:
        at = -1
        while (at := self.kallsyms.find(f" {name}", at + 1)) >= 0:
            address, _, kind = self.kallsyms[self.kallsyms.rfind("\n", 0, at) + 1 : at].partition(" ")
            ends = self.kallsyms[at + 1 + len(name) : at + 2 + len(name)] in {"", "\n", "\t"}
            if ends and len(kind) == 1 and kind not in "aA":
                return int(address, 16)
        return 0

    def watched(self, group: str, event: str) -> str:
        """The event that event probe group/event hangs on, as the kernel names it; "" where nothing tells."""
        if not self.dynamic_events:
            return ""
        found = re.search(rf"^e\d*:{re.escape(group)}/{re.escape(event)} ([\w-]+)[./]([\w-]+)", self.dynamic_events, re.MULTILINE)
        return f"{found[1]}.{found[2]}" if found else ""

    @property
    def exact(self) -> bool:
        """Whether expressions are evaluated as the kernel's compiler did."""
        return self.style == "kernel"


def target_of(
    schema: Schema, style: Style, form: Form = "text", options: Collection[str] = (), tracer: str | None = None
) -> Target:
    """What `schema` says of its kernel; a kernel that is not named is taken for a new one.

    How irq state and syscall arguments are shown stands in no format file: what its own events show of the release
    comes first, uname only chooses between what they allow.
    """
    match = _RELEASE.match(schema.uname)
    named = (int(match[1]), int(match[2])) if match else _NEWEST
    least, most = _releases(schema)
    release = max(least, min(named, most))
    page, kallsyms = schema.page, schema.kallsyms
    return Target(
        style,
        page.long_bytes,
        release,
        page.big_endian,
        _page_array(kallsyms),
        form,
        _hz(schema),
        kallsyms,
        frozenset(options),
        schema.dynamic_events,
        arch=schema.arch,
        tracer=tracer,
    )


def _releases(schema: Schema) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last release that could have written these formats."""
    least, most = (0, 0), _NEWEST
    function = schema.event("ftrace", "function")
    if function and function.field("args"):
        least = (6, 15)
    elif function and schema.event("ftrace", "func_repeats"):
        least, most = (5, 13), (6, 14)
    elif function:
        most = (5, 12)
    if any(_copies_from_user(one) for one in schema.formats.values()):
        least = (6, 19)
    return least, max(least, most)


def _copies_from_user(format: EventFormat) -> bool:
    """Whether a syscall's event holds what its pointers lead to."""
    return format.system == "syscalls" and any(one.name.startswith("__") and one.name.endswith("_val") for one in format.fields)


def _page_array(kallsyms: str) -> int | None:
    """vmemmap_base of an x86-64 kernel that was not moved by KASLR (Documentation/arch/x86/x86_64/mm.rst); else unknown."""
    return 0xFFFFEA0000000000 if re.search(r"^ffffffff81000000 T _text$", kallsyms, re.MULTILINE) else None


def _hz(schema: Schema) -> int:
    """CONFIG_HZ: the compiler left it in the format of an event that shows an age in seconds; Debian's kernels have 250."""
    writeback = schema.event("writeback", "writeback_single_inode")
    if writeback and (found := re.search(r"\(jiffies - REC->dirtied_when\) / (\d+)", writeback.print_fmt)):
        return int(found[1])
    return 250 if _DEBIAN.search(schema.uname) else 0
