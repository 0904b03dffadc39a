"""How items become cells: the columns of a list, the text in them, and a field's value by its name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ftracepy.analysis.walk import to_ns
from ftracepy.sinks.escape import escape, visible
from ftracepy.sinks.table import seconds
from ftracepy.text import Formatter
from ftracepy.tools.rows import Column, Row, cell
from ftracepy.values import replace

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.schema import Schema
    from ftracepy.tui.model.names import Names
    from ftracepy.tui.model.spans import Style

# What events and rows call a file's name.
FILE_FIELDS = ("path", "filename", "pathname", "file")
_LEAST = 8
_STYLES: dict[str, Style] = {"comm": "comm", "event": "event", "err": "error", "error": "error", "time": "dim", "cpu": "dim"}


class Look(Protocol):
    """One kind of items: events, or the rows of a tool."""

    columns: tuple[Column, ...]

    def cells(self, item: Any) -> list[str]:
        """The text of each column, safe to show."""

    def value(self, item: Any, name: str) -> Any:
        """A field's or column's value for filters, counts and sorting; None where the item has none of that name."""

    def fields(self) -> list[str]:
        """The names that `value` may know."""

    def ts(self, item: Any) -> int:
        """When it was, in nanoseconds."""


def style_of(column: Column) -> Style:
    """What a column looks like."""
    return _STYLES.get(column.name, "number" if column.align == "right" else "")


def _column(name: str, width: int, help: str, align: str = "left") -> Column:
    return Column(name=name, title=name.upper(), width=width, align=align, help=help, show=None, escape=False)  # type: ignore[arg-type]


class EventLook:
    """Events as lines: when, where, who, what. `origin_ns` (None: the trace clock's zero) is what times count from."""

    columns: tuple[Column, ...] = (
        _column("time", 14, "seconds on the trace clock", "right"),
        _column("cpu", 3, "where it happened", "right"),
        _column("comm", 15, "name of the task at that time"),
        _column("tid", 7, "its thread", "right"),
        _column("event", 18, "what happened"),
        _column("text", 0, "the event's own words"),
    )

    def __init__(self, schema: Schema, names: Names, shown: Collection[int] | None = None) -> None:
        """`shown` are the ids of the events that may come: their column is as wide as their names."""
        self._schema, self._names = schema, names
        longest = max((len(one.name) for one in schema.formats.values() if shown is None or one.id in shown), default=0)
        self.columns = tuple(
            replace(one, width=max(min(longest, one.width), _LEAST)) if one.name == "event" else one for one in self.columns
        )
        self._ns = to_ns(schema.time)
        self._formatter = Formatter(schema)
        self.origin_ns = 0

    def cells(self, event: Event) -> list[str]:
        return [
            seconds(self.ts(event) - self.origin_ns) if self.ts(event) >= self.origin_ns else "-", str(event.cpu),
            escape(self._names.comm(event.pid, event.ts)), str(event.pid), event.name or f"type {event.id}", self.text(event),
        ]  # fmt: skip

    def text(self, event: Event) -> str:
        """The event's own words, a stack on one line."""
        return visible(" ".join(self._formatter.text(event).split("\n")).strip())

    def lines(self, event: Event) -> list[str]:
        """The event's own words, as many lines as they are."""
        return [visible(line) for line in self._formatter.text(event).rstrip("\n").split("\n")]

    def value(self, event: Event, name: str) -> Any:
        if (found := event.get(name)) is not None:
            return found
        known = _OF_EVENTS.get(name)
        return known(self, event) if known else None

    def comm(self, event: Event) -> str:
        return self._names.comm(event.pid, event.ts)

    def pid(self, event: Event) -> int:
        return self._names.pid(event.pid)

    def cgroup(self, event: Event) -> str | None:
        return self._names.cgroup(event.pid, event.ts)

    def fields(self) -> list[str]:
        return [*_OF_EVENTS, *of_events(self._schema)]

    def ts(self, event: Event) -> int:
        return self._ns(event.ts)


def of_events(schema: Schema) -> list[str]:
    """The names of all events' own fields."""
    return sorted({field.name for one in schema.formats.values() if one.system != "ftrace" for field in one.fields})


def _file_of(event: Event) -> str | None:
    """The text that names a file, where the event has one."""
    found = (event.get(name) for name in FILE_FIELDS)
    return next((text for text in found if isinstance(text, str) and text), None)


_OF_EVENTS: dict[str, Callable[[EventLook, Any], Any]] = {
    "event": lambda _look, event: event.name,
    "system": lambda _look, event: event.system,
    "comm": EventLook.comm,
    "COMM": EventLook.comm,
    "cpu": lambda _look, event: event.cpu,
    "CPU": lambda _look, event: event.cpu,
    "tid": lambda _look, event: event.pid,
    "pid": lambda look, event: look.pid(event),
    "time": lambda look, event: look.ts(event),
    "text": lambda look, event: look.text(event),
    "cgroup": lambda look, event: look.cgroup(event),
    "file": lambda _look, event: _file_of(event),
}


class RowLook:
    """A tool's rows, with the columns that they have; of rows that are events `inner` are the names of those's fields."""

    def __init__(
        self, row: type[Row], names: Names | None = None, *, timestamps: bool = False, inner: Sequence[str] = ()
    ) -> None:
        time = _column("time", 14, "seconds on the trace clock", "right")
        shown = tuple(one for one in row.columns() if one.place == "cell")
        self.columns = (time, *shown) if timestamps else shown
        self._timestamps = timestamps
        self._row, self._names = row, names
        self._own = {one.name for one in row.columns()}
        self._inner = inner if "fields" in self._own else ()
        self.origin_ns = 0

    def cells(self, row: Row) -> list[str]:
        shown = self.columns[1:] if self._timestamps else self.columns
        texts = [cell(one, getattr(row, one.name)) for one in shown]
        safe = [escape(text) if one.escape else text for one, text in zip(shown, texts, strict=True)]
        return [seconds(max(row.ts_ns - self.origin_ns, 0)), *safe] if self._timestamps else safe

    def value(self, row: Row, name: str) -> Any:
        if name in self._own or name == "ts_ns":
            return getattr(row, name)
        if name == "time":
            return row.ts_ns
        if name == "cgroup":
            return self._cgroup(row)
        if name == "file":
            return next((found for one in FILE_FIELDS if (found := self._field(row, one)) is not None), None)
        return self._field(row, name)

    def _field(self, row: Row, name: str) -> Any:
        if name in self._own:
            return getattr(row, name)
        return getattr(row, "fields").get(name) if self._inner else None  # noqa: B009  only rows of events have it

    def _cgroup(self, row: Row) -> str | None:
        whose = getattr(row, "tid", None) or getattr(row, "pid", None)
        return self._names.cgroup(whose, self._names.raw(row.ts_ns)) if self._names and isinstance(whose, int) else None

    def fields(self) -> list[str]:
        return [*self._own, "cgroup", *(one for one in self._inner if one not in self._own)]

    def ts(self, row: Row) -> int:
        return row.ts_ns
