"""What the kernel can be told of a list's filter: which names are fields that it compares as we do."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from ftracepy.analysis.filtering import Comparison
from ftracepy.analysis.kernelfilters import Constant, Named, Told, told
from ftracepy.analysis.walk import OWN_SYSTEM
from ftracepy.schema import FieldKind
from ftracepy.tools.eventrows import full_name

if TYPE_CHECKING:
    from ftracepy.analysis.filtering import Filter
    from ftracepy.analysis.kernelhits import Facts
    from ftracepy.schema import EventFormat, Field
    from ftracepy.tui.model.engine import Engine

# Every event has them in the kernel (trace_events.c, ftrace_generic_fields); small letters may be an event's own field.
_EVERYWHERE = {"comm": "COMM", "COMM": "COMM", "cpu": "CPU", "CPU": "CPU", "tid": "common_pid"}
_KNOWN_HERE = frozenset({"pid", "time", "ts_ns", "text", "cgroup", "file", "stack", "fields"})


class Side(Protocol):
    """How one kind of list compares names."""

    def __call__(self, form: EventFormat, one: Comparison) -> Named | Constant | None: ...


def of_event(form: EventFormat, one: Comparison) -> Named | Constant | None:
    """In a list of events a name is first of all the event's own field."""
    if field := form.field(one.name):
        return _field(field, one)
    if one.name in ("event", "system"):
        return Constant(form.name if one.name == "event" else form.system)
    if one.name in _EVERYWHERE:
        return Named(_EVERYWHERE[one.name])
    return None if one.name in _KNOWN_HERE else Constant(None)


def of_row(facts: Facts, columns: Collection[str]) -> Side:
    """In rows of a tool that shows events a name is first of all a column."""

    def side(form: EventFormat, one: Comparison) -> Named | Constant | None:
        own = form.system.startswith(OWN_SYSTEM)
        if one.name == "event":
            return Constant(form.name if own else full_name(form))
        if one.name in _EVERYWHERE and one.name in columns:
            return Named(_EVERYWHERE[one.name])
        if one.name in _KNOWN_HERE:
            return None
        name = one.name.removesuffix("_") if one.name in columns else one.name
        field = next((one for one in form.fields if one.name == name), None)
        if field is None:
            return None if own else Constant(None)
        return None if name in facts.fields(form.name) else _field(field, one)

    return side


def _field(field: Field, one: Comparison) -> Named | None:
    """Numbers and texts; arrays, and pointers to texts, are not compared in the kernel as they are shown here."""
    is_text = one.typed.startswith(("'", '"'))
    is_number = field.count is None and field.kind is FieldKind.FIXED and not field.is_bitmask
    return Named(field.name) if (field.is_string if is_text else is_number) else None


def kernel_text(engine: Engine, wanted: Filter, side: Side, form: EventFormat) -> Told | None:
    """What the kernel is told about one event; None for those that tell who tasks are: all of them are needed."""
    needed = form.id in engine.names.learns_from
    if form.id not in engine.shown or (needed and engine.request.tool):
        return Told("")
    return None if needed else told(wanted.tree, lambda one: side(form, one))
