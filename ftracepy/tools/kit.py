"""The words tools are written in: options, rows, the `tool` decorator, and the folder as the registry.

Front ends build their command lines, columns, JSON keys and help from the two classes a tool declares.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, cast

from ftracepy.analysis.feed import Feed
from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.probes import Wish
from ftracepy.tools.listed import names, short, summary
from ftracepy.tools.options import Filters, Options, OptionSpec, argument, flag, option, pattern
from ftracepy.tools.rows import Column, Row, col
from ftracepy.values import dataclass

__all__ = [
    "Column", "Feed", "Filters", "OptionSpec", "Options", "Row", "Tool", "argument", "col", "flag", "load", "names",
    "option", "pattern", "summary", "tool",
]  # fmt: skip

O = TypeVar("O", bound=Filters)  # noqa: E741
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Tool(Generic[O, R]):
    """One tool, as its file declares it.

    `wishes(options)` is what to trace; `row_for(options)` the row type those options lead to, `rows` all there are, that of
    the defaults first; `run(feed, options)` turns events into rows, in order, and ends when the feed does.
    `listing(options)` gives rows for which nothing is traced, None where the options ask for a trace.
    """

    name: str
    doc: str
    wishes: Callable[[O], tuple[Wish, ...]]
    options: type[O]
    rows: tuple[type[R], ...]
    row_for: Callable[[O], type[R]]
    run: Callable[[Feed, O], Iterator[R]]
    listing: Callable[[O], Iterator[R] | None]

    @property
    def row(self) -> type[R]:
        """The row type of the default options."""
        return self.rows[0]

    @property
    def summary(self) -> str:
        """The first line of the docstring, without the name."""
        return short(self.doc.partition("\n")[0])


def tool(
    *, wishes: Callable[[O], tuple[Wish, ...]] | tuple[Wish, ...], options: type[O], row: type[R] | Sequence[type[R]],
    row_for: Callable[[O], type[R]] | None = None, listing: Callable[[O], Iterator[R] | None] = lambda _options: None,
) -> Callable[[Callable[[Feed, O], Iterator[R]]], Tool[O, R]]:  # fmt: skip
    """Make a tool of the function that turns a feed into rows.

    A tool whose columns depend on its options gives all its row types (the default first) and `row_for`, which chooses one.
    """
    rows = (row,) if isinstance(row, type) else tuple(row)
    ask = wishes if callable(wishes) else lambda _options: wishes

    def make(run: Callable[[Feed, O], Iterator[R]]) -> Tool[O, R]:
        doc = sys.modules[run.__module__].__doc__ or ""
        return Tool(run.__name__, doc, ask, options, rows, row_for or (lambda _options: rows[0]), run, listing)

    return make


AnyTool = Tool[Any, Any]


def load(name: str) -> AnyTool:
    """Import one tool; UsageFault where there is none of that name."""
    if name not in names():
        raise _unknown(name)
    module = importlib.import_module(f"ftracepy.tools.{name}")
    return cast(AnyTool, getattr(module, name))


def _unknown(name: str) -> FtracepyError:
    from difflib import get_close_matches

    near = get_close_matches(name, names(), n=1)
    hint = f"ftracepy {near[0]}" if near else "ftracepy list tools"
    return UsageFault(f"there is no tool '{name}'", hint=hint)
