"""What a tool shows: a row is a dataclass whose columns say how wide, how aligned and how printed they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, dataclass_transform, get_type_hints

from ftracepy.values import MISSING, attributes, dataclass, field

Align = Literal["left", "right"]
Place = Literal["cell", "below", "data"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `name` is the attribute and the JSON key, `title` the head of a table.

    `place` is where a table shows it: as a `cell`; `below` the row, a line for each item of a list; or nowhere (`data`),
    for values that only JSON and CSV can carry. `width` 0 means the rest of the line. `show` makes the cell's text from
    the value, None being shown as `none`; `escape` False means that `show` has made untrusted text safe already.
    """

    name: str
    title: str
    width: int
    align: Align
    help: str
    show: Callable[[Any], str] | None
    escape: bool
    none: str = "-"
    place: Place = "cell"


def col(
    *, width: int = 0, align: Align | None = None, help: str = "", title: str | None = None,
    show: Callable[[Any], str] | None = None, escape: bool = True, none: str = "-",
    default: Any = MISSING, place: Place = "cell",
) -> Any:  # fmt: skip
    """A column of a Row; numbers are aligned right, everything else left, unless `align` says otherwise."""
    meta = {
        "width": width, "align": align, "help": help, "title": title, "show": show, "escape": escape, "none": none,
        "place": place,
    }  # fmt: skip
    return field(default=default, metadata={"col": meta})


@dataclass_transform(kw_only_default=True, field_specifiers=(col,))
class _Declared:
    """Makes dataclasses of its subclasses; apart from Row because type checkers see no fields in a class so marked."""

    def __init_subclass__(cls) -> None:
        dataclass(kw_only=True)(cls)


class Row(_Declared):
    """Base of all rows. `ts_ns` is when it happened (trace clock), shown on request.

    Rows of one `block` belong together under one heading (an interval of syscount); None: no blocks.
    """

    ts_ns: int = 0
    block: int | None = None
    _columns: ClassVar[tuple[Column, ...]] = ()

    @classmethod
    def columns(cls) -> tuple[Column, ...]:
        """The columns in order."""
        if "_columns" not in cls.__dict__:
            cls._columns = _columns(cls)
        return cls._columns

    def as_dict(self) -> dict[str, Any]:
        """Column names to values, as JSON shows them."""
        return {one.name: getattr(self, one.name) for one in self.columns()}

    def cells(self) -> list[str]:
        """The text of each column, untrusted text not escaped yet."""
        return [cell(one, getattr(self, one.name)) for one in self.columns()]


def cell(column: Column, value: Any) -> str:
    """One value as a table shows it."""
    if value is None:
        return column.none
    return column.show(value) if column.show else str(value)


def _columns(row: type[Row]) -> tuple[Column, ...]:
    hints = get_type_hints(row)
    fields = attributes(row)
    return tuple(_column(one.name, hints[one.name], **one.metadata["col"]) for one in fields if "col" in one.metadata)


def _column(name: str, hint: Any, *, title: str | None, align: Align | None, **rest: Any) -> Column:
    align = align or ("right" if hint in {int, float, int | None, float | None} else "left")
    return Column(name=name, title=name.upper() if title is None else title, align=align, **rest)
