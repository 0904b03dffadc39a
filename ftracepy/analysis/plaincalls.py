"""Which events of a recording make plain system calls: what the C core is told, so that whole calls become rows there."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ftracepy.analysis.pairing import EXECS
from ftracepy.analysis.paths import MOST_NUMBERS, O_PATH
from ftracepy.analysis.plainrows import Halves, Kind, Plain, PlainRows, Told, Value, Way, values_for
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import own_probes
from ftracepy.batch import field_of
from ftracepy.schema import EventFormat, Schema
from ftracepy.system import syscalls

if TYPE_CHECKING:
    from ftracepy.analysis.feed import Feed

NEVER_PLAIN = EXECS | {"exit", "exit_group", "openat2", "creat"}  # the last two pass no flags by register
_NEEDED = {Kind.NUMBER, Kind.NAMED, Kind.TARGET}


def plain_calls(feed: Feed, names: Collection[str], tasks: Tasks, calls: Halves, plain: Plain | None) -> PlainRows | None:
    """The shortcut for rows of calls of `names`; None where each row has to be made by itself."""
    if plain is None or feed.layout is None or (values := values_for(feed.layout, plain)) is None:
        return None
    ways = _ways(feed.schema, frozenset(names) - NEVER_PLAIN, values, plain.note)
    return PlainRows(feed.schema, tasks, feed.layout, plain, values, ways, calls=calls)


def _ways(schema: Schema, names: frozenset[str], values: list[Value], note: tuple[str, str] | None) -> dict[int, Told]:
    ways: dict[int, Told | None] = {}
    for one in schema.formats.values():
        way, _, event_name = one.name.removeprefix("sys_").partition("_")
        if one.system == "syscalls" and syscalls.known_as(event_name) in names:
            ways[one.id] = _enter(one, values) if way == "enter" else _told(one, Way.EXIT, "__syscall_nr", ret="ret")
        elif (one.system, one.name) == note:
            ways[one.id] = _told(one, Way.NOTE, "pid", text="comm")
    if (marker := schema.event("ftrace", "raw_data")) is not None:
        ways[marker.id] = _told(marker, Way.FACT, "id", text="buf")
    for ident in own_probes(schema, "path_site"):
        ways[ident] = _told(schema.formats[ident], Way.SITE, "nr", text="path")
    for ident in own_probes(schema, "path_kernel"):
        ways[ident] = _told(schema.formats[ident], Way.COPY, "", text="path")
    return {ident: told for ident, told in ways.items() if told is not None}


def _enter(one: EventFormat, values: list[Value]) -> Told | None:
    """None where a column's argument is not there, or texts are that no column is made of."""
    told = _told(one, Way.ENTER, "__syscall_nr")
    args = {place: _number(one, value.arg) for place, value in enumerate(values) if value.kind in _NEEDED}
    texts = [field.name for field in one.fields if field.name.startswith("__") and field.name.endswith("_val")]
    keys = [field for field in one.fields if field.name != "__syscall_nr" and _number(one, field.name)]
    shown = any(value.kind is Kind.PATH for value in values)
    if told is None or None in args.values() or (shown and len(texts) > 1) or len(keys) > MOST_NUMBERS:
        return None
    text = field_of(one, texts[0]) if shown and texts else None
    flags = next((at for at, field in enumerate(keys, 1) if field.name == "flags"), 0)
    return told[0], told[1], told[2], None, text, args, [_number(one, field.name) for field in keys], flags, O_PATH


def _told(one: EventFormat, way: Way, number: str, *, ret: str = "", text: str = "") -> Told | None:
    """None where a field is not there."""
    numbers = [_number(one, name) if name else None for name in (number, ret)]
    found = field_of(one, text) if text else None
    missing = (number and not numbers[0]) or (ret and not numbers[1]) or (text and not found)
    return None if missing else (way, b"", numbers[0], numbers[1], found, {}, [], 0, 0)


def _number(one: EventFormat, name: str) -> Any:
    """A field that is one number; None where there is none of that name."""
    field = field_of(one, name)
    return field if field is not None and field[4] == 0 and field[6] == 0 else None
