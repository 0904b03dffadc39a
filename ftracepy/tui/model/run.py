"""A run with its pages: the tool's rows, the events, and the views that are made from them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ftracepy.analysis.stacks import Names as Symbols
from ftracepy.sinks.escape import escape
from ftracepy.tui.model import detail
from ftracepy.tui.model.engine import Engine
from ftracepy.tui.model.flames import Flames
from ftracepy.tui.model.folds import Calls, EventStacks, Fold, RowStacks
from ftracepy.tui.model.kernelside import kernel_text, of_event, of_row
from ftracepy.tui.model.lanes import Lanes
from ftracepy.tui.model.listing import Listing
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.looks import EventLook, RowLook, of_events
from ftracepy.tui.model.page import Lines, Page, Text
from ftracepy.tui.model.spans import Line
from ftracepy.tui.model.tables import Tables
from ftracepy.tui.model.tree import Processes

if TYPE_CHECKING:
    from ftracepy.pipeline.kernelfilter import KernelFilter


class Run:
    """What can be seen of one engine that is running; `pages` are in the order of their keys."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        schema = engine.watch.schema
        symbols = Symbols(schema)
        self.look = EventLook(schema, engine.names, engine.shown)
        self.pages: list[Page] = []
        if engine.rows is not None and engine.request.tool is not None:
            tool, options = engine.request.tool
            look = RowLook(tool.row_for(options), engine.names, timestamps=True, inner=of_events(schema))
            self.rows = ListPage(tool.name, Listing(engine.rows, look))
            self.pages = [self.rows]
            if getattr(options, "interval", None) is not None:
                self.pages.insert(0, Tables(tool.name, engine.rows, tool.row_for(options), engine.names))
        self.events = ListPage("events", Listing(engine.events, self.look))
        self.pages += [
            self.events,
            Lanes(engine.events, schema, list(engine.watch.stream.source.cpus)),
            Processes(engine.events, engine.names),
            Flames(self._folds(symbols)),
            Lines("run", []),
        ]
        self._list_events()

    def _list_events(self) -> None:
        """Which list shows what the kernel can filter."""
        listed = self.rows if self.engine.request.tool else self.events
        listed.kernel = self.kernel_filter

    def _folds(self, symbols: Symbols) -> list[Fold]:
        """Where call paths come from: a tool's rows, where they have stacks, else stacks of events, and the tracer's calls."""
        engine, schema = self.engine, self.engine.watch.schema
        if engine.rows is not None and engine.request.tool is not None:
            tool, options = engine.request.tool
            if any(one.name == "stack" for one in tool.row_for(options).columns()):
                return [RowStacks(engine.rows)]
        stacks = EventStacks(engine.events, schema, lambda event: symbols.of(event.get("caller", ())))
        return [stacks, Calls(engine.events, schema, engine.names.tasks)]

    @property
    def kernel_filter(self) -> KernelFilter | None:
        """The filter of its events in the kernel, where they can have one."""
        return self.engine.watch.kernel_filter

    def filter_in_kernel(self, page: Page) -> Callable[[], int] | None:
        """What hands the filter of a list to the kernel; None where the kernel does not filter what it shows."""
        kernel, tool = self.kernel_filter, self.engine.request.tool
        if kernel is None or not isinstance(page, ListPage) or page.kernel is not kernel:
            return None
        wanted = page.listing.filter
        if wanted is None:
            return kernel.take_back
        side = of_row(kernel.fields, [one.name for one in tool[0].row_for(tool[1]).columns()]) if tool else of_event
        return lambda: kernel.give(wanted.text, lambda form: kernel_text(self.engine, wanted, side, form))

    @property
    def name(self) -> str:
        """What is looked at, in a word or two."""
        request = self.engine.request
        what = request.tool[0].name if request.tool else " ".join(request.events) or "events"
        return f"{what} of {os.path.basename(request.replay)}" if request.replay else what

    def start_page(self) -> Page:
        """The tool's latest table where it makes tables, else its rows; without a tool the events."""
        return self.pages[0]

    def detail(self, item: Any) -> Page:
        """One event or row in full."""
        engine = self.engine
        if engine.rows is not None and not hasattr(item, "raw"):
            return detail.of_row(item, self.look, engine.names, engine.events)
        return detail.of_event(item, self.look, engine.watch.schema, engine.names, engine.events)

    def about(self) -> Text:
        """The ways chosen and what they miss, and what the run said."""
        header = self.engine.names.header
        lines: list[Line] = [[("kernel  ", "key"), (escape(str(header.get("uname") or self.engine.watch.schema.uname)), "")]]
        lines.append([("clock   ", "key"), (escape(self.engine.watch.schema.clock), "")])
        for way in header.get("ways", ()):
            misses = f"; misses {way['misses']}" if way.get("misses") else ""
            lines.append(
                [("way     ", "key"), (escape(f"{way['what']}: {way['how']} ({way['provenance']})"), ""), (escape(misses), "dim")]
            )
        lines += [
            [(f"lost    {count:,} events on CPU {cpu}", "loss")]
            for cpu, count in sorted(self.engine.meter.now.lost.items())
            if count
        ]
        rows = self.engine.rows
        for notice in dict.fromkeys([*self.engine.notices, *(rows.notices if rows else ())]):
            lines.append([("said    ", "key"), (escape(notice), "")])
        return Text("run", lines)
