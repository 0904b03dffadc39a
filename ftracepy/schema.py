"""What the bytes mean: header_page and every event's `format` file, as the recording kernel wrote them.

Nothing about a layout is assumed that a format file gives (kernel: trace_events.c, f_show; ring_buffer.c,
ring_buffer_print_page_header).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING

from ftracepy.values import dataclass, field


class FieldKind(Enum):
    """Where a field's bytes are."""

    FIXED = auto()  # size bytes at offset
    DATA_LOC = auto()  # u32 at offset: length << 16 | offset from the start of the record
    REL_LOC = auto()  # u32 at offset: length << 16 | offset from the end of this u32
    REST = auto()  # from offset to the end of the record (size:0)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event. `size` and `offset` are what the format gives, whatever the C type says.

    `element_bytes` is the size of one element of an array, of the whole field for a scalar;
    `count` is the number of elements (0: as many as the bytes hold; None: not an array).
    """

    name: str
    type: str
    offset: int
    size: int
    signed: bool
    kind: FieldKind
    element_bytes: int
    count: int | None

    @property
    def is_string(self) -> bool:
        """Text: an array of plain char (unsigned char and u8 are bytes)."""
        return self.count is not None and "unsigned" not in self.type and _base_type(self.type) == "char"

    @property
    def is_bitmask(self) -> bool:
        return "cpumask_t" in self.type or "__bitmask" in self.type


@dataclass(frozen=True, slots=True)
class EventFormat:
    """One event: `id` is what common_type holds, `print_fmt` the text after 'print fmt:'.

    Those that `parse_event_format` makes read their fields when first asked for: of a distribution
    kernel's 2300 formats a trace needs a few.
    """

    system: str
    name: str
    id: int
    common: tuple[Field, ...]
    fields: tuple[Field, ...]
    print_fmt: str
    text: str = field(default="", repr=False)
    unread: tuple[bytes, int] = field(default=(b"", 8), repr=False, compare=False)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Only reached for what has no value yet."""
            if name not in _LATE:
                raise AttributeError(name)
            for late, value in zip(_LATE, _late_values(*self.unread), strict=True):
                object.__setattr__(self, late, value)
            return getattr(self, name)

    def field(self, name: str) -> Field | None:
        """The field called `name`, a common one included, or None."""
        return next((one for one in (*self.fields, *self.common) if one.name == name), None)


@dataclass(frozen=True, slots=True)
class PageLayout:
    """The sub-buffer header (events/header_page): commit is as wide as the kernel's long."""

    size_bytes: int = 4096
    commit_offset: int = 8
    commit_bytes: int = 8
    data_offset: int = 16
    big_endian: bool = False

    @property
    def long_bytes(self) -> int:
        """The recording kernel's sizeof(long)."""
        return self.commit_bytes


@dataclass(frozen=True, slots=True)
class TimeScale:
    """From raw stamps to nanoseconds shown: (raw * mult >> shift) + offset_ns; is_ns says whether the result is time at all."""

    mult: int = 1
    shift: int = 0
    offset_ns: int = 0
    is_ns: bool = True


def no_types() -> bytes:
    """Of a kernel whose BTF nobody has."""
    return b""


@dataclass(slots=True)
class Schema:
    """All that is needed to read one instance's pages.

    A byte that is not UTF-8 stands in `cmdlines`, `kallsyms` and `printk_formats` as a surrogate, so that a line of text
    has it as the kernel wrote it. Names learned later come as a new `cmdlines`: a dict that is there is not changed.
    `types` gives the kernel's BTF, which is read only when somebody asks. `areas` are what files lay in processes' memory:
    process, first address, the one behind the last, and path.
    """

    page: PageLayout = PageLayout()
    formats: dict[int, EventFormat] = field(default_factory=dict)
    cmdlines: dict[int, str] = field(default_factory=dict)
    tgids: dict[int, int] = field(default_factory=dict)
    areas: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    kallsyms: str = ""
    printk_formats: str = ""
    dynamic_events: str = ""
    clock: str = "local"
    time: TimeScale = TimeScale()
    uname: str = ""
    arch: str = ""
    types: Callable[[], bytes] = field(default=no_types, repr=False, compare=False)

    def event(self, system: str, name: str) -> EventFormat | None:
        """The format of system:name, or None where the recording kernel had no such event."""
        return self.by_name().get((system, name))

    def comm(self, pid: int) -> str | None:
        """The name of task `pid` where the recording's list has it, as tools show it: bytes that are no UTF-8 as \\xNN."""
        name = self.cmdlines.get(pid)
        return name if name is None else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def by_name(self) -> Mapping[tuple[str, str], EventFormat]:
        return {(one.system, one.name): one for one in self.formats.values()}

    def add(self, formats: Iterable[EventFormat]) -> None:
        self.formats.update((one.id, one) for one in formats)


class FormatFault(ValueError):
    """A format or header_page text that does not say what it must."""


_EARLY, _LATE = ("system", "name", "id", "unread"), ("common", "fields", "print_fmt", "text")
_NAME = re.compile(rb"^name:\s*(.+)$", re.MULTILINE)
_ID = re.compile(rb"^ID:\s*(\d{1,9})\b", re.MULTILINE)
# Numbers of 9 digits at most: a longer one is no offset, and a field that has one is not there.
_FIELD = re.compile(
    r"\s*field:\s*(?P<decl>.*?);\s*offset:(?P<offset>[0-9]{1,9});\s*size:(?P<size>[0-9]{1,9});(?:\s*signed:(?P<signed>[0-9]+);)?"
)
_DECL = re.compile(r"^(?P<type>.*?)(?P<name>[A-Za-z_]\w*)\s*(?P<array>(?:\[[^\]]*\]\s*)*)$", re.DOTALL)
_COUNT = re.compile(r"\[0*[1-9][0-9]{0,8}\]")
_LOC = re.compile(r"^__(?P<rel>data|rel)_loc\s+(?P<type>.*?)\s*(?P<array>\[\])?\s*$")
_SIZES = {
    "char": 1, "bool": 1, "_Bool": 1, "u8": 1, "s8": 1, "__u8": 1, "__s8": 1, "uint8_t": 1, "int8_t": 1, "signed char": 1,
    "short": 2, "u16": 2, "s16": 2, "__u16": 2, "__s16": 2, "uint16_t": 2, "int16_t": 2, "__le16": 2, "__be16": 2,
    "int": 4, "unsigned": 4, "u32": 4, "s32": 4, "__u32": 4, "__s32": 4, "uint32_t": 4, "int32_t": 4, "__le32": 4, "__be32": 4,
    "u64": 8, "s64": 8, "__u64": 8, "__s64": 8, "uint64_t": 8, "int64_t": 8, "long long": 8, "__le64": 8, "__be64": 8,
}  # fmt: skip


def parse_event_format(text: str | bytes, system: str, long_bytes: int = 8) -> EventFormat:
    """Take one events/SYSTEM/NAME/format text; raises FormatFault where name or ID is missing."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    name, number = _NAME.search(data), _ID.search(data)
    if not name or not number:
        raise FormatFault(f"an event format of system {system!r} has no name or ID")
    one = object.__new__(EventFormat)
    head = (system, name[1].strip().decode("utf-8", "backslashreplace"), int(number[1]), (data, long_bytes))
    for attribute, value in zip(_EARLY, head, strict=True):
        object.__setattr__(one, attribute, value)
    return one


def _late_values(data: bytes, long_bytes: int) -> tuple[tuple[Field, ...], tuple[Field, ...], str, str]:
    text = data.decode("utf-8", "backslashreplace")
    before, _, fmt = text.partition("print fmt:")
    return (*_field_groups(before, long_bytes), fmt.strip(), text)


def _field_groups(text: str, long_bytes: int) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """The common fields end at the blank line, however many there are (12 bytes of them on PREEMPT_RT 5.10)."""
    groups: list[list[Field]] = [[]]
    for line in text.partition("format:")[2].splitlines()[1:]:
        if not line.strip():
            groups.append([])
        elif (one := _parse_field(line, long_bytes)) is not None:
            groups[-1].append(one)
    filled = [tuple(group) for group in groups if group]
    if not filled:
        return (), ()
    if not filled[0][0].name.startswith("common_"):
        return (), sum(filled, ())
    return filled[0], sum(filled[1:], ())


def _parse_field(line: str, long_bytes: int) -> Field | None:
    if not (match := _FIELD.match(line)):
        return None
    decl, offset, size = match["decl"].strip(), int(match["offset"]), int(match["size"])
    if not (parts := _DECL.match(decl)):
        return None
    type_, name, array = parts["type"].strip(), parts["name"], parts["array"].strip()
    signed = match["signed"] == "1"
    if loc := _LOC.match(type_):
        kind = FieldKind.DATA_LOC if loc["rel"] == "data" else FieldKind.REL_LOC
        return Field(name, f"{loc['type']}[]", offset, size, signed, kind, _element_bytes(loc["type"], long_bytes), 0)
    if size == 0:
        return Field(name, type_ + array, offset, 0, signed, FieldKind.REST, _element_bytes(type_, long_bytes), 0)
    if not array:
        return Field(name, type_, offset, size, signed, FieldKind.FIXED, size, None)
    element = _element_bytes(type_, long_bytes)
    count = int(array[1:-1]) if _COUNT.fullmatch(array) else size // element
    element = size // count if count and size % count == 0 else element
    return Field(name, type_ + array, offset, size, signed, FieldKind.FIXED, element, count)


def _base_type(type_: str) -> str:
    words = type_.partition("[")[0].replace("const ", "").replace("struct ", "").split()
    return " ".join(word for word in words if word not in {"unsigned", "signed", "volatile"})


def _element_bytes(type_: str, long_bytes: int) -> int:
    if "*" in type_:
        return long_bytes
    return _SIZES.get(_base_type(type_) or "int", long_bytes if "long" in type_ or "cpumask" in type_ or "size_t" in type_ else 1)


def parse_header_page(text: str, *, big_endian: bool = False, page_bytes: int | None = None) -> PageLayout:
    """Parse events/header_page; `page_bytes` is the instance's own sub-buffer size where that is known."""
    fields = {m["decl"].split()[-1]: (int(m["offset"]), int(m["size"])) for m in map(_FIELD.match, text.splitlines()) if m}
    if "commit" not in fields or "data" not in fields:
        raise FormatFault("header_page names no commit or no data field")
    (commit_offset, commit_bytes), (data_offset, data_bytes) = fields["commit"], fields["data"]
    return PageLayout(page_bytes or data_offset + data_bytes, commit_offset, commit_bytes, data_offset, big_endian)


def parse_cmdlines(text: str) -> dict[int, str]:
    """saved_cmdlines: `PID COMM` a line; a comm may hold spaces."""
    return dict(_cmdlines(text))


def parse_tgids(text: str) -> dict[int, int]:
    """saved_tgids: `PID TGID` a line."""
    rows = (line.split() for line in text.splitlines())
    return {int(row[0]): int(row[1]) for row in rows if len(row) == 2 and row[0].isdigit() and row[1].isdigit()}


def _cmdlines(text: str) -> Iterator[tuple[int, str]]:
    for line in text.split("\n"):
        pid, _, comm = line.lstrip().partition(" ")
        if pid.isdigit():
            yield int(pid), comm
