"""Hits of kernel probes: what the run says of their fields, and returns joined with the entries that hold their arguments."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ftracepy.analysis.stacks import Hit
from ftracepy.analysis.walk import OWN_SYSTEM, Handler, Machine, number
from ftracepy.probespec.probes import ENTRY, POINTER, STACK_POINTER, is_kernel_pointer
from ftracepy.schema import EventFormat, Schema
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Event

_RETURNED_FROM = {"x86_64": 8}  # bytes that a return takes off the stack: the return address
_MOST_OPEN = 65536
_POINTERS = re.compile(rf"(?: {POINTER}(?:_\d+)?=0x[0-9a-f]+)+$")
_FAULT = "(fault)"  # the kernel's word for a text that it could not read


def is_entry(form: EventFormat) -> bool:
    """Whether the event only tells arguments to a return."""
    return form.system.startswith(OWN_SYSTEM) and form.field(STACK_POINTER) is not None and form.name.endswith(ENTRY)


@dataclass(slots=True)
class Call(Hit):
    """A return, and the event at the entry of that very call, None where it is not known."""

    entry: Event | None = None


def values_of(hit: Hit) -> dict[str, Any]:
    """What a filter may name, those of the entry included."""
    events = [hit.event, *([hit.entry] if isinstance(hit, Call) and hit.entry is not None else [])]
    return {name: event[name] for event in events for name in (*event.keys(), "common_pid") if name in event}


class Entries(Machine):
    """Joins returns with their entries by thread and stack pointer, which no two calls under way share.

    `of` gives the id of the entry's event for each return's.
    """

    def __init__(self, schema: Schema, returns: Collection[int]) -> None:
        self._off = _RETURNED_FROM.get(schema.arch, 0)
        self._open: dict[tuple[int, int, int], Event] = {}
        self._found: deque[Event | None] = deque()
        forms = [schema.formats[ident] for ident in returns]
        self._returns = {form.id for form in forms if form.field(STACK_POINTER) and not is_entry(form)}
        entries = {(one.system, one.name): one.id for one in schema.formats.values() if is_entry(one)}
        wanted = {form.id: entries.get((form.system, f"{form.name}{ENTRY}")) for form in forms if form.id in self._returns}
        self.of = {ident: entry for ident, entry in wanted.items() if entry is not None}

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        return {**dict.fromkeys(self.of.values(), self._begins), **dict.fromkeys(self._returns, self._returned)}

    def _begins(self, event: Event) -> None:
        key = (event.id, event.pid, number(event, STACK_POINTER))
        self._open.pop(key, None)
        self._open[key] = event.keep()
        if len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]

    def _returned(self, event: Event) -> None:
        key = (self.of.get(event.id, -1), event.pid, number(event, STACK_POINTER) - self._off)
        self._found.append(self._open.pop(key, None))

    def lost(self) -> None:
        self._open.clear()

    def joined(self, hits: Iterator[Hit]) -> Iterator[Hit]:
        """The same hits in their order; those of returns that have entries as Calls."""
        for hit in hits:
            if hit.event.id in self._returns:
                yield Call(hit.event, hit.pid, hit.comm, hit.stack, hit.waits, self._found.popleft())
            else:
                yield hit


class Facts(Machine):
    """What the run says of its probes' fields: enums have names, bit-fields signs."""

    def __init__(self) -> None:
        self.probes: dict[str, dict[str, Any]] = {}

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is Kind.KERNEL_PROBE:
            try:
                about = json.loads(fact.body)
                self.probes[str(about["event"])] = about
            except (ValueError, KeyError, TypeError):
                return

    def fields(self, event: str) -> dict[str, dict[str, Any]]:
        """What is known of an event's fields, and of those of its entry."""
        both = (self.probes.get(name, {}).get("fields") for name in (event, f"{event}{ENTRY}"))
        return {name: about for found in both if isinstance(found, dict) for name, about in found.items()}

    def meant(self, event: str, values: dict[str, Any]) -> dict[str, Any]:
        """The values, as their fields' types in C have them."""
        fields = self.fields(event)
        return {
            name: _meant(value, fields[name], values) if name in fields else value
            for name, value in values.items()
            if name != STACK_POINTER and not name.startswith(POINTER)
        }  # fmt: skip

    def text(self, event: Event, text: str) -> str:
        """The kernel's text, each number that has a name in its place; arguments stand in order."""
        fields, done = self.fields(event.name.removesuffix(ENTRY)), 0
        for name in event.keys() if fields else ():
            if (at := text.find(f" {name}=", done)) < 0:
                continue
            start = at + len(name) + 2
            value = event[name]
            done = start + (len(value) if isinstance(value, str) else 0)
            if name in fields:
                end = text.find(" ", start) if " " in text[start:] else len(text)
                meant = _meant(value, fields[name], event)
                text = f"{text[:start]}{_FAULT if meant is None else meant}{text[end:]}"
        return _POINTERS.sub("", text)


def _meant(value: Any, about: Mapping[str, Any], values: Mapping[str, Any] | Event) -> Any:
    """A number as its enum's name, or with the sign that the kernel's bit-fields lose; None where it could not be read."""
    via = about.get("via", ())
    if not all(is_kernel_pointer(one) for name in via if isinstance(one := values.get(name), int)):
        return None
    if not isinstance(value, int):
        return value
    bits = about.get("signed_bits")
    if isinstance(bits, int) and value >> (bits - 1) & 1:
        return value - (1 << bits)
    return about.get("names", {}).get(str(value), value)
