"""The syntax tree of a `print fmt`: a format string and C expressions over the record's fields."""

from __future__ import annotations

from ftracepy.values import dataclass


class PrintFmtFault(ValueError):
    """A print fmt, or a part of it, that only the kernel that wrote it could evaluate."""


@dataclass(frozen=True, slots=True)
class Num:
    """An integer literal; `size` and `signed` are its C type on the recording machine."""

    value: int
    size: int = 4
    signed: bool = True


@dataclass(frozen=True, slots=True)
class Str:
    value: bytes


@dataclass(frozen=True, slots=True)
class Field:
    """REC->name."""

    name: str


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier that is no field: an enum value the kernel did not resolve, or a kernel variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    op: str  # - ~ ! + & *
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Ternary:
    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Cast:
    type: str
    operand: Node


@dataclass(frozen=True, slots=True)
class SizeOf:
    """sizeof of a type, or of an expression when `type` is empty."""

    type: str
    operand: Node | None = None


@dataclass(frozen=True, slots=True)
class Index:
    base: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Braces:
    """{ value, "text" } in a table of __print_symbolic or __print_flags."""

    items: tuple[Node, ...]


Node = Num | Str | Field | Name | Unary | Binary | Ternary | Cast | SizeOf | Index | Call | Braces


@dataclass(frozen=True, slots=True)
class PrintFmt:
    """One whole print fmt: the format string and its arguments."""

    template: bytes
    args: tuple[Node, ...]
