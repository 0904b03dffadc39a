"""One item in full: every field, the bytes, the stack, its process, and what its thread did around it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ftracepy.sinks.escape import escape
from ftracepy.sinks.table import seconds
from ftracepy.tools.rows import Row, cell
from ftracepy.tui.model.ends import Partner
from ftracepy.tui.model.page import Lines
from ftracepy.tui.model.spans import Line, Style
from ftracepy.tui.model.store import Aside, EventStore

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.schema import Schema
    from ftracepy.tui.model.looks import EventLook
    from ftracepy.tui.model.names import Names

_AROUND = 400  # items looked at on each side
_SHOWN = 12
_STACKS = (("ftrace", "kernel_stack"), ("ftrace", "user_stack"))
_AT_ONCE_S = 0.02


def of_event(event: Event, look: EventLook, schema: Schema, names: Names, store: EventStore) -> Lines:
    """Everything about an event."""
    pid, comm = names.pid(event.pid), names.comm(event.pid, event.ts)
    lines: list[Line] = [
        _pair("time", f"{look.ts(event) / 1e9:.9f} s"),
        _pair("event", f"{event.system}:{event.name}, id {event.id}"),
        _pair("where", f"CPU {event.cpu}, flags {event.flags:#x}, preempt count {event.preempt_count}"),
        _pair("task", f"{escape(comm)}, thread {event.pid} of process {pid}"),
        *_ancestors(names, pid),
        *_other_end(event, look, schema, store),
        *_group(names.cgroup(event.pid, event.ts)),
        [],
        *_each(look.lines(event), "event"),
        *_stack(event, look, store),
        [],
        *_fields(event, schema),
        [],
        *_bytes(event.raw),
        *_around(event, look, store),
        *_format(event, schema),
    ]
    return Lines(f"{event.name} at {look.ts(event) / 1e9:.6f}", lines)


def of_row(row: Row, look: EventLook, names: Names, store: EventStore) -> Lines:
    """Everything about a tool's row, and the events of its process that led to it."""
    lines: list[Line] = [_pair("time", f"{row.ts_ns / 1e9:.9f} s")]
    for column in row.columns():
        value = getattr(row, column.name)
        if column.place == "below" and value:
            lines += [_pair(column.name, ""), *_each(["  " + escape(str(item)) for item in value], "")]
        else:
            shown = cell(column, value)
            lines.append(_pair(column.name, escape(shown) if column.escape else shown, column.help))
    pid = getattr(row, "pid", None)
    if isinstance(pid, int):
        lines += [*_ancestors(names, pid), *_group(names.cgroup(pid, names.raw(row.ts_ns)))]
        lines += [[], [(f"events of process {pid} until then", "head")], *_until(row.ts_ns, pid, look, store)]
    return Lines("row", lines)


def _each(texts: Iterable[str], style: Style) -> list[Line]:
    return [[(text, style)] for text in texts]


def _pair(name: str, text: str, help: str = "") -> Line:
    return [(f"{name:>14}  ", "key"), (text, ""), (f"   {help}" if help else "", "dim")]


def _ancestors(names: Names, pid: int) -> list[Line]:
    """From the process up to the first, as far as they are known."""
    found: list[str] = []
    seen: set[int] = set()
    task = names.tasks.peek(pid)
    while task and task.tgid not in seen:
        seen.add(task.tgid)
        found.append(f"{escape(task.comm)}({task.tgid})")
        task = names.tasks.peek(task.ppid) if task.ppid > 0 else None
    return [_pair("parents", " ← ".join(found[1:]))] if len(found) > 1 else []


def _other_end(event: Event, look: EventLook, schema: Schema, store: EventStore) -> list[Line]:
    """Its call's return, its wakeup's switch and the like, where it is near enough to be found at once."""
    number = number_of(event, store)
    if number is None:
        return []
    partner = Partner(store, schema, event, number)
    deadline = time.monotonic() + _AT_ONCE_S
    partner.tick(lambda: time.monotonic() < deadline)
    found = store.item(partner.number) if partner.number is not None else None
    if found is None or isinstance(found, Aside):
        return [] if partner.over else [_pair("other end", "far away: % goes there")]
    delta = look.ts(found) - look.ts(event)
    return [_pair("other end", f"{delta / 1000:+,.3f} µs  {found.name} {look.text(found)}", "% goes there")]


def _stack(event: Event, look: EventLook, store: EventStore) -> list[Line]:
    """The stacks that the kernel wrote behind it: what follows in the same thread, before anything else of it."""
    number = number_of(event, store)
    after = [] if number is None else store.items(number + 1, _AROUND)
    lines: list[Line] = []
    for one in after:
        if isinstance(one, Aside):
            break
        if one.pid == event.pid and one.cpu == event.cpu:
            if (one.system, one.name) not in _STACKS:
                break
            lines += _each(look.lines(one), "dim")
    return [[], *lines] if lines else []


def number_of(event: Event, store: EventStore) -> int | None:
    """Where an event stands in its store; None where it is gone."""
    start = store.at_time(event.ts)
    for at, one in enumerate(store.items(start, _AROUND) if start >= store.first else (), start):
        if not isinstance(one, Aside) and (one.ts, one.id, one.cpu, one.raw) == (event.ts, event.id, event.cpu, event.raw):
            return at
    return None


def _group(path: str | None) -> list[Line]:
    return [_pair("control group", escape(path))] if path else []


def _fields(event: Event, schema: Schema) -> list[Line]:
    format = schema.formats.get(event.id)
    types = {one.name: one.type for one in format.fields} if format else {}
    return [_pair(name, _shown(event[name]), types.get(name, "")) for name in event.keys()]  # noqa: SIM118


def _shown(value: Any) -> str:
    if isinstance(value, int):
        return f"{value}  ({value & 0xFFFFFFFFFFFFFFFF:#x})" if abs(value) > 9 else str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex(" ")
    return escape(value) if isinstance(value, str) else escape(str(value))


def _bytes(raw: bytes) -> list[Line]:
    """The record, 16 bytes a line."""
    lines: list[Line] = [[(f"{len(raw)} bytes", "head")]]
    for at in range(0, min(len(raw), 1024), 16):
        piece = raw[at : at + 16]
        letters = "".join(chr(one) if 32 <= one < 127 else "." for one in piece)
        lines.append([(f"  {at:04x}  ", "dim"), (f"{piece.hex(' '):<48}", ""), (letters, "dim")])
    return [*lines, []]


def _around(event: Event, look: EventLook, store: EventStore) -> list[Line]:
    """What the thread did just before and after; the other end of a call is among it."""
    number = store.at_time(event.ts)
    start = max(number - _AROUND, store.first)
    near = [one for one in store.items(start, 2 * _AROUND) if not isinstance(one, Aside) and one.pid == event.pid]
    here = next((at for at, one in enumerate(near) if one.ts >= event.ts), 0)
    shown = near[max(here - _SHOWN // 2, 0) : here + _SHOWN // 2 + 1]
    lines: list[Line] = [[(f"thread {event.pid} around it", "head")]]
    for one in shown:
        delta = look.ts(one) - look.ts(event)
        same = one.ts == event.ts and one.id == event.id
        lines.append(
            [(f"{delta / 1000:+14.3f} µs  ", "dim"), (f"{one.name} ", "event"), (look.text(one), "found" if same else "")]
        )
    return [*lines, []]


def _until(ts_ns: int, pid: int, look: EventLook, store: EventStore) -> list[Line]:
    low, high = store.first, store.end
    while low < high:
        middle = (low + high) // 2
        items = store.items(middle, 1)
        if items and not isinstance(items[0], Aside) and look.ts(items[0]) <= ts_ns:
            low = middle + 1
        else:
            high = middle
    start = max(low - 2 * _AROUND, store.first)
    near = [one for one in store.items(start, low - start) if not isinstance(one, Aside) and look.pid(one) == pid]
    return [
        [(f"{seconds(look.ts(one))}  ", "dim"), (f"{one.name} ", "event"), (look.text(one), "")] for one in near[-_SHOWN:]
    ]  # fmt: skip


def _format(event: Event, schema: Schema) -> list[Line]:
    format = schema.formats.get(event.id)
    text = format.text if format else ""
    shown = [escape(line) for line in text.replace("\t", "    ").splitlines()]
    return [[("format", "head")], *_each(shown, "dim")] if shown else []
