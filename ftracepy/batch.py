"""From a Schema to a Decoder: the plain tuples that the decoder is told its layouts with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ftracepy._fastparse import Batch, Decoder, Event
from ftracepy.errors import FtracepyError
from ftracepy.schema import EventFormat, Field, FieldKind, Schema

__all__ = ["Batch", "Decoder", "Event", "decoder_arguments", "decoder_for", "field_of"]

_KINDS = {FieldKind.FIXED: 0, FieldKind.DATA_LOC: 1, FieldKind.REL_LOC: 2, FieldKind.REST: 3}
_SCALAR, _STRING, _BYTES, _INTS = range(4)
_COMMON_AT = {"common_type": 0, "common_flags": 2, "common_preempt_count": 3, "common_pid": 4}
_MOST_BYTES = 1 << 20  # no record is longer: what a format places beyond is not there

# The kernel's own trace events whose format says less than the record holds (kernel: trace_entries.h).
_TO_THE_END = {("ftrace", "kernel_stack", "caller"): _INTS, ("ftrace", "raw_data", "buf"): _BYTES}


def decoder_for(schema: Schema, cpus: Sequence[int]) -> Decoder:
    """A decoder for one instance's pages; raises FtracepyError where the schema contradicts itself."""
    try:
        return Decoder(*decoder_arguments(schema), cpus)
    except (ValueError, OverflowError) as error:
        raise FtracepyError("cannot decode the pages of this trace", why=str(error)) from error


def decoder_arguments(schema: Schema) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """The layout and events that Decoder takes: plain tuples, since the C knows no class of ours."""
    return _layout(schema), [_event(one) for one in schema.formats.values() if 0 <= one.id <= 0xFFFF]


def _layout(schema: Schema) -> tuple[Any, ...]:
    page = schema.page
    common = {one.name: one.offset for one in next((one.common for one in schema.formats.values() if one.common), ())}
    offsets = [common.get(name, usual) for name, usual in _COMMON_AT.items()]
    return (page.size_bytes, page.commit_offset, page.commit_bytes, page.data_offset, page.big_endian, *offsets)


def _event(one: EventFormat) -> tuple[Any, ...]:
    """The fields come when the first event of the kind does: most formats of a recording are of events it does not hold."""
    return (one.id, one.system, one.name, partial(_both_fields, one), ())


def _both_fields(one: EventFormat) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return _fields(one, one.fields), _fields(one, one.common)


def _fields(event: EventFormat, fields: Iterable[Field]) -> tuple[tuple[Any, ...], ...]:
    near = (one for one in fields if one.offset < _MOST_BYTES and one.size < _MOST_BYTES)
    return tuple(_field(one, _TO_THE_END.get((event.system, event.name, one.name))) for one in near)


def field_of(event: EventFormat, name: str) -> tuple[Any, ...] | None:
    """One field as the C is told of it; None where the event has none of that name."""
    return next(iter(_fields(event, (one for one in event.fields if one.name == name))), None)


def _field(one: Field, to_the_end: int | None) -> tuple[Any, ...]:
    kind, shape = _KINDS[one.kind], _shape(one)
    if to_the_end is not None:
        kind, shape = _KINDS[FieldKind.REST], to_the_end
    element_bytes = one.element_bytes if shape in (_SCALAR, _INTS) else 1
    return (one.name, one.offset, one.size, one.signed, kind, element_bytes, shape)


def _shape(one: Field) -> int:
    if one.count is None:
        return _SCALAR if one.kind is FieldKind.FIXED and one.size in (1, 2, 4, 8) else _BYTES
    if one.is_string:
        return _STRING
    numbers = one.element_bytes in (2, 4, 8) or (one.element_bytes == 1 and one.signed)
    return _INTS if numbers else _BYTES
