"""The page writer: sub-buffers made from what they mean, so that a test shows events and not hex.

writer = PageWriter(schema)
page = writer.page(1000, writer.event("tick", delta=5, pid=7, number=-1), writer.stop(), lost=12)
"""

from __future__ import annotations

from typing import Literal

from ftracepy.schema import EventFormat, Field, FieldKind, PageLayout, Schema, parse_event_format

Given = int | str | bytes | tuple[int, ...]
UNKNOWN = -1

_COMMON = """\
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;
"""


def layout(*, big_endian: bool = False, long_bytes: int = 8, size_bytes: int = 4096) -> PageLayout:
    """A kernel's sub-buffer: commit at 8, as wide as its long, the data right behind."""
    return PageLayout(size_bytes, 8, long_bytes, 8 + long_bytes, big_endian)


def event_format(name: str, number: int, *fields: str, system: str = "test", long_bytes: int = 8) -> EventFormat:
    """An event from `DECLARATION; OFFSET; SIZE; SIGNED` lines, e.g. "int number; 8; 4; 1"."""
    lines = []
    for one in fields:
        declaration, offset, size, signed = (part.strip() for part in one.split(";"))
        lines.append(f"\tfield:{declaration};\toffset:{offset};\tsize:{size};\tsigned:{signed};\n")
    text = f'name: {name}\nID: {number}\nformat:\n{_COMMON}\n{"".join(lines)}\nprint fmt: ""\n'
    return parse_event_format(text, system, long_bytes)


def schema(*formats: EventFormat, page: PageLayout | None = None) -> Schema:
    made = Schema(page=page or layout())
    made.add(formats)
    return made


class PageWriter:
    """Writes the events and sub-buffers of one schema, in its byte order and with its long."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.page_layout = schema.page
        self.order: Literal["little", "big"] = "big" if schema.page.big_endian else "little"

    def record(self, name: str, /, **values: Given) -> bytes:
        """The payload of an event: what is not given is zero; __data_loc data is put behind the fixed part.

        `pid`, `flags` and `preempt_count` are the common fields, unless the event has fields of these names.
        """
        form = next(one for one in self.schema.formats.values() if one.name == name)
        own, common = ({one.name for one in group} for group in (form.fields, form.common))
        given: dict[str, Given] = {"common_type": form.id, "common_pid": 1}
        for key, value in values.items():
            given[f"common_{key}" if key not in own and f"common_{key}" in common else key] = value
        fields = (*form.common, *form.fields)
        data = bytearray(max((one.offset + one.size for one in fields), default=8))
        for one in fields:
            self._put(data, one, given.pop(one.name, 0))
        assert not given, f"{name} has no field {', '.join(given)}"
        return bytes(data)

    def _put(self, data: bytearray, one: Field, value: Given) -> None:
        if one.kind is FieldKind.FIXED:
            packed = self._pack(one, value, one.size)
            data[one.offset : one.offset + one.size] = packed.ljust(one.size, b"\0")
        elif one.kind is FieldKind.REST:
            data += self._pack(one, value, 0)
        elif value != 0:
            packed = self._pack(one, value, 0)
            start = len(data) - (one.offset + 4 if one.kind is FieldKind.REL_LOC else 0)
            data[one.offset : one.offset + 4] = (len(packed) << 16 | start).to_bytes(4, self.order)
            data += packed

    def _pack(self, one: Field, value: Given, scalar_bytes: int) -> bytes:
        if isinstance(value, str):
            return value.encode() + b"\0"
        if isinstance(value, bytes):
            return value
        if isinstance(value, tuple):
            return b"".join(self._int(each, one.element_bytes) for each in value)
        return self._int(value, scalar_bytes)

    def _int(self, value: int, size: int) -> bytes:
        return (value % (1 << 8 * size)).to_bytes(size, self.order) if size else b""

    def word(self, kind: int, delta: int) -> bytes:
        """An event header: type_len and time_delta."""
        return self._int(kind << 27 | delta if self.page_layout.big_endian else delta << 5 | kind, 4)

    def event(self, name: str, /, delta: int = 0, **values: Given) -> bytes:
        return self.data(self.record(name, **values), delta=delta)

    def data(self, payload: bytes, *, delta: int = 0, long: bool = False) -> bytes:
        """A data event; `long` stores the length in a word of its own even where type_len could hold it."""
        payload += b"\0" * (-len(payload) % 4)
        if long or len(payload) > 112:
            return self.word(0, delta) + self._int(len(payload) + 4, 4) + payload
        return self.word(len(payload) // 4, delta) + payload

    def extend(self, delta: int) -> bytes:
        return self.word(30, delta & 0x7FFFFFF) + self._int(delta >> 27, 4)

    def stamp(self, ts: int) -> bytes:
        """An absolute time stamp: only 59 bits of it are stored."""
        ts &= (1 << 59) - 1
        return self.word(31, ts & 0x7FFFFFF) + self._int(ts >> 27, 4)

    def discarded(self, payload_bytes: int, *, delta: int = 1) -> bytes:
        """An event taken back, or the filler of a sub-buffer's tail: its delta is never 0."""
        return self.word(29, delta) + self._int(payload_bytes + 4, 4) + b"\xaa" * payload_bytes

    def stop(self) -> bytes:
        """Padding with delta 0: the rest of the sub-buffer is void."""
        return self.word(29, 0)

    def page(self, ts: int, *items: bytes, lost: int = 0, cut: bool = False) -> bytes:
        """A whole sub-buffer; `lost` events are missing before it (UNKNOWN: some), `cut` leaves out what follows the data."""
        data = b"".join(items)
        page, commit, count = self.page_layout, len(data), b""
        if lost:
            commit |= ~0x7FFFFFFF  # the kernel's flag is an int: it is sign-extended into the long
        if lost > 0:
            commit |= 1 << 30
            count = self._int(lost, page.long_bytes)
        header = self._int(ts, 8) + self._int(commit, page.commit_bytes)
        whole = header + data + count
        assert len(whole) <= page.size_bytes, "these events do not fit into one sub-buffer"
        return header + data if cut else whole.ljust(page.size_bytes, b"\0")
