"""Rows of tools that show events as they are: who, where, the event's own text, its fields as columns, the stack below."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from ftracepy.analysis.filtering import Get
from ftracepy.analysis.plainrows import Kind, Plain, PlainRows, Told, Value, Way, plainly, values_for
from ftracepy.analysis.stacks import Hit, hits
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import to_ns
from ftracepy.errors import UsageFault
from ftracepy.schema import EventFormat, Schema
from ftracepy.text import Formatter
from ftracepy.tools.kit import Feed, Filters, Row, col

_FIELD_WIDTH = 11


class _Head(Row):
    pid: int = col(width=7, help="process that it happened in")
    comm: str = col(width=15, help="name of the task then")
    cpu: int = col(width=3, help="CPU that it happened on")
    event: str = col(width=24, help="the event")


class _Data(Row):
    tid: int = col(place="data", help="thread that it happened in")
    fields: dict[str, Any] = col(place="data", help="the event's fields by name")
    stack: list[str] | None = col(place="below", default=None, help="functions on the stack, innermost first")


class EventRow(_Data, _Head):
    """One hit of an event."""

    text: str = col(help="the event's own text, as the kernel writes it")


class Described(Row):
    """What the kernel says of an event."""

    event: str = col(help="the event")
    format: list[str] = col(place="below", help="its fields and how its text is made, in the kernel's words")


class Written(Row):
    """One write of a run that is only told of."""

    file: str = col(width=44, help="the file below the tracefs root")
    text: str = col(help="what is written into it")


class Line(Row):
    """One line of a script."""

    line: str = col(title="", show=str, escape=False, help="a line of the script")


def described(form: EventFormat) -> Described:
    return Described(event=full_name(form), format=[line.strip() for line in form.text.splitlines()])


_PLAIN = {one.name.lower(): Value(one) for one in (Kind.PID, Kind.COMM, Kind.CPU, Kind.EVENT, Kind.TEXT)}
Values = Callable[[Hit, EventFormat], dict[str, Any]]


class Address(int):
    """A pointer: a number to programs, hexadecimal to people."""

    def __str__(self) -> str:
        return hex(self)


def names_of_fields(text: str) -> tuple[str, ...]:
    """Option type: names with commas between. Raises UsageFault for what can be no field's name."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not name.isidentifier():
            raise UsageFault(f"'{name}' is not a field's name", hint="--fields pid,comm")
    return tuple(dict.fromkeys(names))


@lru_cache
def row_with(fields: Sequence[str]) -> type[EventRow]:
    """The row type that shows these fields as columns instead of the event's text; EventRow where there are none."""
    if not fields:
        return EventRow
    columns = {column_of(name): col(width=_width(name), default=None, title=name.upper(), help="the field") for name in fields}
    hints = {**dict.fromkeys(columns, Any), "text": str}
    text = col(place="data", help="the event's own text, as the kernel writes it")
    made = type("EventRow", (_Data, _Head), {"__annotations__": hints, "__module__": __name__, **columns, "text": text})
    return cast(type[EventRow], made)


def _width(name: str) -> int:
    return max(len(name), _FIELD_WIDTH)


def column_of(field: str) -> str:
    """The name of a field's column: one that every row has already is told apart."""
    taken = {one.name for one in EventRow.columns()} | {"ts_ns", "block"}
    return f"{field}_" if field in taken else field


def full_name(form: EventFormat) -> str:
    """SYSTEM:EVENT."""
    return f"{form.system}:{form.name}"


def event_rows(
    feed: Feed, options: Filters, events: Collection[int], *, fields: Sequence[str] = (), stacks: bool = False,
    passes: Callable[[Hit], bool] | None = None, name: Callable[[EventFormat], str] = full_name,
    values: Values | None = None, found: Iterator[Hit] | None = None,
    text: Callable[[Hit, str], str] | None = None,
) -> Iterator[EventRow]:  # fmt: skip
    """A row for each hit of the events with these ids that `options` and `passes` let through.

    `name` is what an event is called, `values` what its fields are (default: as decoded, pointers in hex), `text` what
    becomes of its own text; `found` are the hits, where they are not just those of these events. Raises UsageFault where
    none of the events has one of `fields`.
    """
    schema = feed.schema
    forms = {ident: schema.formats[ident] for ident in events}
    _require(fields, forms.values())
    row, texts, tasks = row_with(tuple(fields)), Formatter(schema), Tasks(schema)
    columns, ns = {column_of(one): one for one in fields}, to_ns(schema.time)
    called = {ident: name(form) for ident, form in forms.items()}
    if found is None:
        special = stacks or passes or text or fields
        shortcut = None if special else _shortcut(feed, options, tasks, texts, called)
        found = hits(feed, forms, tasks, stacks=stacks, shortcut=shortcut)
    values = values or field_values
    for hit in found:
        event = hit.event
        if options.admits(pid=hit.pid, tid=event.pid, comm=hit.comm) and (passes is None or passes(hit)):
            values_of, own_text = values(hit, forms[event.id]), texts.text(event)
            yield row(
                ts_ns=ns(event.ts), pid=hit.pid, comm=hit.comm, cpu=event.cpu, event=called[event.id], tid=event.pid,
                fields=values_of, text=text(hit, own_text) if text else own_text,
                stack=None if hit.stack is None else list(hit.stack),
                **{column: values_of.get(one) for column, one in columns.items()},
            )  # fmt: skip


def _shortcut(
    feed: Feed, options: Filters, tasks: Tasks, texts: Formatter, called: Mapping[int, str]
) -> PlainRows | None:  # fmt: skip
    """What makes the rows of a table at once, where its lines may be laid out here."""
    plain = Plain(_PLAIN, options.admits)
    if feed.layout is None or (values := values_for(feed.layout, plain)) is None:
        return None
    alone = (ident for ident in called if texts.is_alone(ident))
    ways: dict[int, Told] = {one: plainly(Way.SHOWN, called[one].encode()) for one in alone}
    return PlainRows(feed.schema, tasks, feed.layout, plain, values, ways, texts)


def _require(fields: Sequence[str], forms: Collection[EventFormat]) -> None:
    known = {one.name for form in forms for one in (*form.fields, *form.common)}
    for name in fields if forms else ():
        if name not in known:
            raise UsageFault(f"no event here has a field '{name}'", hint=f"there are {', '.join(sorted(known))}")


def field_values(hit: Hit, form: EventFormat) -> dict[str, Any]:
    """An event's own fields by name; bytes as hexadecimal digits."""
    return {one.name: _value(hit.event.get(one.name), "*" in one.type) for one in form.fields}


def _value(value: Any, is_pointer: bool) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and is_pointer:
        return Address(value)
    return list(value) if isinstance(value, tuple) else value


def named_in_filters(hit: Hit, get: Get) -> Get:
    """`get`, and what the kernel's filters know of every event beside its fields (kernel: trace_events_filter.c)."""

    def named(name: str) -> Any:
        value = get(name)
        if value is None and name in {"comm", "COMM"}:
            return hit.comm
        return hit.event.cpu if value is None and name in {"cpu", "CPU"} else value

    return named


def shown_events(schema: Schema, wanted: Callable[[str, str], bool]) -> list[int]:
    """Ids of the events that `wanted(system, name)` names, those of the ftrace system left out."""
    return [one.id for one in schema.formats.values() if one.system != "ftrace" and wanted(one.system, one.name)]
