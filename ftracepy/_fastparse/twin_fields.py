"""Events and their fields in plain Python: the readable specification of core/field.c and bind_event.c."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from ftracepy._fastparse.twin_pages import Layout

FIXED, DATA_LOC, REL_LOC, REST = range(4)
SCALAR, STRING, BYTES, INTS = range(4)

Value = int | str | bytes | tuple[int, ...]


class FieldSpec(NamedTuple):
    """One field as Decoder is given it: `kind` says where its bytes are, `shape` what they are shown as."""

    name: str
    offset: int
    size: int
    signed: bool
    kind: int
    element_bytes: int
    shape: int

    def check(self) -> None:
        if not (0 <= self.kind <= REST and 0 <= self.shape <= INTS and self.element_bytes <= 1 << 16):
            raise ValueError("field: unknown kind or shape")
        if self.shape in (SCALAR, INTS) and self.element_bytes not in (1, 2, 4, 8):
            raise ValueError("field: a number of neither 1, 2, 4 nor 8 bytes")


Fields = Iterable[tuple[Any, ...]]
LateFields = Callable[[], tuple[Fields, Fields]]


class EventType:
    """The fields of one event id: its own and the common ones; the first of a name counts.

    `own` may be a callable that gives both at their first use; late fields that contradict themselves are none.
    """

    def __init__(self, system: str, name: str, own: Fields | LateFields, common: Fields) -> None:
        self.system = sys.intern(system)
        self.name = sys.intern(name)
        self._late: LateFields | None = None
        self._keys: tuple[str, ...] = ()
        self._fields: dict[str, FieldSpec] = {}
        if callable(own):
            self._late = own
        else:
            self._fill(own, common)

    def _fill(self, own: Fields, common: Fields) -> None:
        fields = [FieldSpec(*one) for one in own]
        found: dict[str, FieldSpec] = {}
        for one in (*fields, *(FieldSpec(*each) for each in common)):
            one.check()
            found.setdefault(one.name, one)
        self._keys, self._fields = tuple(one.name for one in fields), found

    def _fetch(self) -> None:
        if late := self._late:
            self._late = None
            with suppress(ValueError):
                self._fill(*late())

    @property
    def keys(self) -> tuple[str, ...]:
        self._fetch()
        return self._keys

    @property
    def fields(self) -> dict[str, FieldSpec]:
        self._fetch()
        return self._fields


NO_TYPE = EventType("", "", (), ())


class Event:
    """One event: attributes of its header, event[field] for what the format names."""

    __slots__ = ("_layout", "_type", "cpu", "id", "pid", "raw", "ts")

    def __init__(self, layout: Layout, type_: EventType, ts: int, cpu: int, id: int, raw: bytes) -> None:
        self._layout = layout
        self._type = type_
        self.ts = ts
        self.cpu = cpu
        self.id = id
        self.pid = int.from_bytes(raw[layout.pid_offset : layout.pid_offset + 4], layout.order, signed=True)
        self.raw = raw

    system = property(lambda self: self._type.system)
    name = property(lambda self: self._type.name)
    flags = property(lambda self: self.raw[self._layout.flags_offset])
    preempt_count = property(lambda self: self.raw[self._layout.preempt_offset])

    def __getitem__(self, field: str) -> Value:
        return self._value(self._type.fields[field])

    def __contains__(self, field: object) -> bool:
        return field in self._type.fields

    def get(self, field: str, default: Any = None, /) -> Any:
        found = self._type.fields.get(field)
        return default if found is None else self._value(found)

    def memory(self, field: str, /) -> bytes:
        found = self._type.fields.get(field)
        if found is None:
            return b""
        start, end = self._span(found)
        return self.raw[start:end]

    def keys(self) -> tuple[str, ...]:
        return self._type.keys

    def keep(self) -> Event:
        return self

    def __repr__(self) -> str:
        what = f"{self.system}:{self.name}" if self._type is not NO_TYPE else f"of unknown id {self.id}"
        return f"<Event {what} cpu={self.cpu} pid={self.pid} ts={self.ts}>"

    def number(self, field: FieldSpec) -> int:
        """A scalar; 0 where the record ends before it."""
        if field.offset + field.element_bytes > len(self.raw):
            return 0
        return self._int(field.offset, field.element_bytes, field.signed)

    def _value(self, field: FieldSpec) -> Value:
        if field.shape == SCALAR:
            return self.number(field)
        start, end = self._span(field)
        if field.shape == INTS:
            step = field.element_bytes
            return tuple(self._int(at, step, field.signed) for at in range(start, end - step + 1, step))
        data = self.raw[start:end]
        return data if field.shape == BYTES else data.partition(b"\0")[0].decode("utf-8", "backslashreplace")

    def _span(self, field: FieldSpec) -> tuple[int, int]:
        """The field's bytes: none where a data_loc points outside; what the record cuts short ends with it."""
        start, end = field.offset, len(self.raw)
        if field.kind == REST:
            return start, end
        if field.kind == FIXED:
            return start, min(start + field.size, end)
        if start + 4 > end:
            return 0, 0
        word = self._int(start, 4, False)
        begin, length = word & 0xFFFF, word >> 16
        if field.kind == REL_LOC:
            begin += start + 4
        return (begin, begin + length) if begin + length <= end else (0, 0)

    def _int(self, at: int, size: int, signed: bool) -> int:
        return int.from_bytes(self.raw[at : at + size], self._layout.order, signed=signed)
