"""What keys do, as functions of the app: one for each action of keys.KEYS."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap
from typing import TYPE_CHECKING

from ftracepy.errors import UsageFault
from ftracepy.tui import building
from ftracepy.tui.building import build, fetch
from ftracepy.tui.finding import find, other_end, search
from ftracepy.tui.handing import into_kernel
from ftracepy.tui.keeping import copy, export, record, save
from ftracepy.tui.keys import KEYS
from ftracepy.tui.model.builder import Builder, Form
from ftracepy.tui.model.counting import Spread, Top
from ftracepy.tui.model.flames import Flames
from ftracepy.tui.model.lanes import Lanes
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.narrowing import Only
from ftracepy.tui.model.overview import Overview
from ftracepy.tui.model.page import Lines, Page
from ftracepy.tui.model.spans import Line, Style, cell
from ftracepy.tui.model.tree import Processes
from ftracepy.tui.moments import go, mark, play, redraw, speed, step
from ftracepy.tui.narrow import drill, filter, narrow, narrowed, only, without

if TYPE_CHECKING:
    from ftracepy.tui.app import LiveApp

__all__ = [
    "build", "copy", "export", "fetch", "filter", "find", "go", "into_kernel", "mark", "narrow", "only", "other_end", "play",
    "record", "save", "search", "speed", "step", "without",
]  # fmt: skip


def help(app: LiveApp) -> None:
    page, room = app.view.page, app.view.room
    columns = page.listing.columns if isinstance(page, ListPage) else []
    lines: list[Line] = [[("on this page  ", "head"), (page.hints(), "")], []] if page.hints() else []
    for one in KEYS:
        lines += _help_lines(one.shown, one.what, "key", room)
    if columns:
        lines += [[], [("columns", "head")]]
    for column in columns:
        lines += _help_lines(column.title, column.help, "head", room)
    app.push(Lines("keys", lines))


def _help_lines(name: str, text: str, style: Style, room: int) -> list[Line]:
    """The text in as many lines as it takes."""
    parts = wrap(text, max(room - 14, 20)) or [""]
    return [[(f"  {cell(name if not at else '', 10, False)}  ", style), (part, "")] for at, part in enumerate(parts)]


def enter(app: LiveApp) -> None:
    page, place = app.view.page, app.view.cursor
    if not page.first <= place < page.end:
        return
    if isinstance(page, Overview):
        if run := page.run_at(place):
            app.push(page)
            app.open(run)
        return
    if isinstance(page, Builder | Form):
        building.chosen(app, page, place)
        return
    if isinstance(page, Only):
        narrowed(app, page, place)
        return
    if isinstance(page, Flames):
        page.enter(place)
        app.view.move_to(0)
        return
    if isinstance(page, ListPage) and app.run_:
        if (item := page.item(place)) is not None:
            app.push(app.run_.detail(item))
        return
    if isinstance(page, Lanes) and app.run_ and (condition := page.condition(place)):
        at_ns = page.from_ns
        drill(app, app.run_.events, condition)
        app.run_.events.seek(app.run_.engine.events.at_time(app.run_.engine.names.raw(at_ns)))
        app.work()
        return
    if isinstance(page, Top | Processes) and app.run_ and (condition := page.condition(place)):
        if isinstance(page, Top):
            page.listing.narrow(condition)
            app.pop()
        else:
            drill(app, app.run_.events, condition)
        app.view.follow = app.view.page.grows and not app.run_.engine.request.replay
        app.view.sync()


def back(app: LiveApp) -> None:
    page = app.view.page
    if isinstance(page, Flames) and page.leave():
        app.view.move_to(0)
        return
    if isinstance(page, ListPage) and page.listing.crumbs:
        number = page.listing.number(app.view.cursor) if page.first <= app.view.cursor < page.end else None
        page.listing.widen()
        if app.pages and app.pages[-1].narrowed == len(page.listing.crumbs):
            app.pop()
        elif number is not None:
            page.seek(number)
            app.work()
    elif not app.pop():
        app.view.found = ""
        page.mark("")
        app.view.refresh()


def next_page(app: LiveApp) -> None:
    if app.run_:
        pages = app.run_.pages
        at = pages.index(app.view.page) if app.view.page in pages else -1
        page(app, (at + 1) % len(pages) + 1)


def page(app: LiveApp, number: int) -> None:
    if isinstance(app.view.page, Only):
        narrowed(app, app.view.page, number - 1)
        return
    if app.run_ and number <= len(app.run_.pages):
        app.pages = [one for one in app.pages if isinstance(one.page, Overview)]
        chosen = app.run_.pages[number - 1]
        app.show(app.run_.about() if chosen is app.run_.pages[-1] else chosen)


def follow(app: LiveApp) -> None:
    app.view.paused = False
    app.view.follow = True
    app.view.sync()
    if not app.view.page.grows:
        app.view.move_to(app.view.page.end - 1)


def pause(app: LiveApp) -> None:
    app.view.paused = not app.view.paused
    app.view.follow = not app.view.paused and app.view.page.grows
    app.view.sync()
    app.show_status()


def up(app: LiveApp) -> None:
    app.view.up_or_down(-1)


def down(app: LiveApp) -> None:
    app.view.up_or_down(1)


def turn(app: LiveApp, screens: int) -> None:
    app.view.move(screens * app.view.body_lines)


def home(app: LiveApp) -> None:
    app.view.move_to(app.view.page.first)


def left(app: LiveApp) -> None:
    _sideways(app, -1)


def right(app: LiveApp) -> None:
    _sideways(app, 1)


def _sideways(app: LiveApp, step: int) -> None:
    page = app.view.page
    if isinstance(page, ListPage):
        if (app.view.scroll_offset.x and step < 0) or not page.move_column(step):
            app.view.scroll_relative(x=step * 20, animate=False)  # beyond the last column: the rest of the lines
    elif isinstance(page, Lanes):
        page.pan(step * 0.5)
        redraw(app, page)
    elif not app.view.steer(step, 0):
        app.view.scroll_relative(x=step * 20, animate=False)
    app.view.refresh()


def sort(app: LiveApp) -> None:
    page = app.view.page
    if isinstance(page, ListPage):
        page.listing.sort(page.column.name)
        app.view.follow = False
        app.view.move_to(page.first)


def unsort(app: LiveApp) -> None:
    page = app.view.page
    if isinstance(page, ListPage):
        page.listing.sort(None)
        app.view.move_to(page.end - 1)


def less(app: LiveApp) -> None:
    page = app.view.page
    if isinstance(page, ListPage):
        page.hide()
    elif isinstance(page, Lanes):
        page.zoom(2)
        redraw(app, page)
    app.view.sync()


def more(app: LiveApp) -> None:
    page = app.view.page
    if isinstance(page, ListPage):
        page.show_all()
    elif isinstance(page, Lanes):
        page.zoom(0.5)
        redraw(app, page)
    app.view.sync()


def resize(app: LiveApp, by: int) -> None:
    if isinstance(app.view.page, ListPage):
        app.view.page.resize_column(by)
        app.view.refresh()


def count(app: LiveApp) -> None:
    page = app.view.page
    if isinstance(page, ListPage):
        app.push(Top(page.listing, page.column.name))
    elif isinstance(page, Processes | Flames | Lanes):
        page.toggle()
        app.view.sync()


def count_by(app: LiveApp) -> None:
    page = app.view.page
    if isinstance(page, ListPage):
        _ask_field(app, page, "count by which field?", "", lambda field: Top(page.listing, field))


def _ask_field(app: LiveApp, page: ListPage, question: str, chosen: str, made: Callable[[str], Page]) -> None:
    known = page.listing.look.fields()

    def use(field: str) -> None:
        if field.strip() not in known:
            raise UsageFault(f"there is no field {field!r}", hint=" ".join(known[:20]))
        app.push(made(field.strip()))

    app.ask(f"{question} {' '.join(known[:12])} …", use, chosen)


def spread(app: LiveApp) -> None:
    page = app.view.page
    if not isinstance(page, ListPage):
        return
    first, last, _here = page.stamps(app.view.cursor)
    recorded = app.run_ is not None and app.run_.engine.request.replay is not None
    span_ns = max(last - first, 1) if recorded and page.grows else None
    chosen = page.column.name if page.column.align == "right" and page.column.name not in ("time", "cpu", "tid", "pid") else ""
    _ask_field(app, page, "spread of which field?", chosen, lambda field: Spread(page.listing, field, span_ns=span_ns))


def clear(app: LiveApp) -> None:
    if app.run_:
        app.run_.engine.events.clear()
        if app.run_.engine.rows is not None:
            app.run_.engine.rows.clear()
        app.view.sync()
