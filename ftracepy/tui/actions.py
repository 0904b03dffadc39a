"""What keys do, as functions of the app: one for each action of keys.KEYS."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.tui import building
from ftracepy.tui.building import build, fetch, into_kernel
from ftracepy.tui.keys import KEYS
from ftracepy.tui.model import export as exporting
from ftracepy.tui.model.builder import Builder, Form
from ftracepy.tui.model.counting import Spread, Top
from ftracepy.tui.model.detail import number_of
from ftracepy.tui.model.ends import Partner
from ftracepy.tui.model.flames import Flames
from ftracepy.tui.model.lanes import Lanes
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.narrowing import Only, narrowings
from ftracepy.tui.model.overview import Overview
from ftracepy.tui.model.page import Lines, Page
from ftracepy.tui.model.playing import Playing
from ftracepy.tui.model.spans import Line, Style, cell, plain
from ftracepy.tui.model.tree import Processes

if TYPE_CHECKING:
    from ftracepy.tui.app import LiveApp

__all__ = ["build", "fetch", "into_kernel"]


def help(app: LiveApp) -> None:
    page = app.view.page
    columns = page.listing.columns if isinstance(page, ListPage) else []
    keys = [_help_line(one.shown, one.what, "key") for one in KEYS]
    meanings = [_help_line(one.title, one.help, "head") for one in columns]
    app.push(Lines("keys", [*keys, [], *meanings]))


def _help_line(name: str, text: str, style: Style) -> Line:
    return [(f"  {cell(name, 10, False)}  ", style), (text, "")]


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
        _narrowed(app, page, place)
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
        _drill(app, app.run_.events, condition)
        app.run_.events.seek(app.run_.engine.events.at_time(app.run_.engine.names.raw(at_ns)))
        app.work()
        return
    if isinstance(page, Top | Processes) and app.run_ and (condition := page.condition(place)):
        if isinstance(page, Top):
            page.listing.narrow(condition)
            app.pop()
        else:
            _drill(app, app.run_.events, condition)
        app.view.follow = app.view.page.grows and not app.run_.engine.request.replay
        app.view.sync()


def _drill(app: LiveApp, page: ListPage, condition: str) -> None:
    """Show a list narrowed, from a page that is none; one Esc takes both back."""
    app.push(page, narrowed=len(page.listing.crumbs))
    page.listing.narrow(condition)


def narrow(app: LiveApp) -> None:
    """Of a line that is shown in full the list is narrowed that it stands in."""
    page = app.view.page
    if not isinstance(page, ListPage) and app.pages and isinstance(app.pages[-1].page, ListPage) and isinstance(page, Lines):
        app.pop()
        page = app.view.page
    found = narrowings(page, app.view.cursor) if isinstance(page, ListPage) else None
    if found is None:
        app.say("a line of a list is narrowed by")
    else:
        app.push(found)


def _narrowed(app: LiveApp, page: Only, place: int) -> None:
    if not 0 <= place < page.end or (condition := page.choices[place].condition) is None:
        return
    app.pop()
    if isinstance(app.view.page, ListPage):
        _narrow(app, app.view.page, condition)


def _narrow(app: LiveApp, page: ListPage, condition: str) -> None:
    """The cursor stays on its line, once the list has been looked through that far."""
    number = page.listing.number(app.view.cursor)
    page.listing.narrow(condition)
    page.seek(number)
    app.view.follow = False
    app.work()


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
        _narrowed(app, app.view.page, number - 1)
        return
    if app.run_ and number <= len(app.run_.pages):
        app.pages = [one for one in app.pages if isinstance(one.page, Overview)]
        chosen = app.run_.pages[number - 1]
        app.show(app.run_.about() if chosen is app.run_.pages[-1] else chosen)


def filter(app: LiveApp) -> None:
    page = app.view.page
    if isinstance(page, Form):
        building.filter(app, page)
        return
    if not isinstance(page, ListPage):
        app.say("lists are filtered: Esc, or 1 to 3")
        return
    fields = " ".join(page.listing.look.fields()[:12])

    def use(text: str) -> None:
        page.listing.set_filter(text)
        page.listing.crumbs.clear()
        app.view.follow = page.grows and app.view.follow
        app.view.sync()

    app.ask(f"filter, for example by {fields} …", use, page.listing.filter.text if page.listing.filter else "")


def only(app: LiveApp, unlike: bool = False) -> None:
    page = app.view.page
    if isinstance(page, ListPage):
        condition = page.condition(app.view.cursor, unlike)
        if condition is None:
            app.say(f"{page.column.title} has no value here that a filter can name: ← → choose another column")
            return
        _narrow(app, page, condition)


def without(app: LiveApp) -> None:
    only(app, unlike=True)


def search(app: LiveApp) -> None:
    """What is typed is looked for while it is typed, from the line on where it began; Esc goes back there."""
    if isinstance(app.view.page, Builder):
        building.search(app, app.view.page)
        return
    view = app.view
    start, before = view.cursor, view.found

    def typed(text: str) -> None:
        if text:
            app.search(text, start, 1)
        else:
            app.forget_search()
            view.move_to(start)

    def left() -> None:
        app.forget_search()
        view.found = before
        view.page.mark(before)
        view.move_to(start)

    app.ask("search for", lambda _text: None, typed=typed, left=left)


def find(app: LiveApp, step: int) -> None:
    if app.view.found:
        app.search(app.view.found, app.view.cursor + step, step)
    else:
        app.say("nothing is searched for: /")


def other_end(app: LiveApp) -> None:
    """An event's other end, in the list of events; of a row the events of its moment."""
    run = app.run_
    item = _item(app)
    if run is None or item is None:
        app.say("an event or a row has another end")
        return
    if not hasattr(item, "raw"):
        app.push(run.events)
        app.view.move_to(run.events.place_at(item.ts_ns, run.look.ts))
        return
    number = number_of(item, run.engine.events)
    if number is None:
        return
    partner = Partner(run.engine.events, run.engine.watch.schema, item, number)

    def found() -> None:
        if partner.number is None:
            app.say(partner.why)
            return
        place = run.events.listing.place_of(partner.number)
        if run.events.listing.item(place) is None or run.events.listing.number(place) != partner.number:
            app.say("its other end is there, but the filter of this list hides it")
            return
        if app.view.page is not run.events:
            app.pop()
        app.view.move_to(place)

    app.look_for(partner, found)


def _item(app: LiveApp) -> Any:
    """What is under the cursor, or is shown in full."""
    page, place = app.view.page, app.view.cursor
    if isinstance(page, Lines) and app.pages:
        page, place = app.pages[-1].page, app.pages[-1].cursor
    return page.item(place) if isinstance(page, ListPage) else None


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
        _redraw(app, page)
    elif not app.view.steer(step, 0):
        app.view.scroll_relative(x=step * 20, animate=False)
    app.view.refresh()


def _redraw(app: LiveApp, page: Lanes) -> None:
    page.redraw()
    page.tick(lambda: True, app.view.size.width)


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
        _redraw(app, page)
    app.view.sync()


def more(app: LiveApp) -> None:
    page = app.view.page
    if isinstance(page, ListPage):
        page.show_all()
    elif isinstance(page, Lanes):
        page.zoom(0.5)
        _redraw(app, page)
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
    chosen = page.column.name if page.column.align == "right" and page.column.name not in ("time", "cpu", "tid", "pid") else ""
    _ask_field(app, page, "spread of which field?", chosen, lambda field: Spread(page.listing, field))


def step(app: LiveApp, seconds: int) -> None:
    page = app.view.page
    if isinstance(page, Lanes):
        page.move(seconds * 1_000_000_000)
        _redraw(app, page)
        app.view.sync()
    if not isinstance(page, ListPage) or not page.grows:
        return
    item = page.item(app.view.cursor)
    if item is not None:
        stamp = page.listing.look.ts
        app.view.move_to(page.place_at(stamp(item) + seconds * 1_000_000_000, stamp))


def go(app: LiveApp) -> None:
    page = app.view.page
    if not isinstance(page, Lanes) and not (isinstance(page, ListPage) and page.grows):
        app.say("lists in the order of time and CPUs have times to go to")
        return

    def use(text: str) -> None:
        try:
            ns = int(float(text) * 1e9)
        except (ValueError, OverflowError):  # OverflowError: inf
            raise UsageFault(f"{text!r} is no time in seconds", hint="5135.448625") from None
        if isinstance(page, ListPage):
            app.view.move_to(page.place_at(ns, page.listing.look.ts))
        elif isinstance(page, Lanes):
            page.go(ns)
            _redraw(app, page)
            app.view.sync()

    app.ask("go to which time (seconds)?", use)


def play(app: LiveApp) -> None:
    page = app.view.page
    if not isinstance(page, ListPage) or not page.grows:
        app.say("lists in the order of time can be played")
    elif app.playing:
        app.playing = None
    elif (item := page.item(app.view.cursor)) is not None:
        app.playing = Playing(page, page.listing.look.ts(item))
        app.view.follow = False
    app.show_status()


def speed(app: LiveApp, factor: float) -> None:
    if app.playing:
        app.playing.faster(factor)
        app.show_status()


def mark(app: LiveApp) -> None:
    page = app.view.page
    item = page.item(app.view.cursor) if isinstance(page, ListPage) else None
    if isinstance(page, ListPage) and item is not None:
        app.status.mark_ns = page.listing.look.ts(item)
        app.show_status()


def record(app: LiveApp) -> None:
    if not app.run_:
        return
    tapped = app.run_.engine.watch.tapped
    if tapped.saving:
        saved = tapped.stop_saving()
        app.say(f"recorded {saved.path}, {saved.size_bytes / 1e6:.1f} MB" if saved else "recording had ended")
        return
    app.ask("record to which file? (the last 30 seconds come first)", lambda path: tapped.start_saving(_new(path)), "trace.dat")


def save(app: LiveApp) -> None:
    if not app.run_:
        return
    tapped = app.run_.engine.watch.tapped

    def use(path: str) -> None:
        saved = tapped.save_last(_new(path))
        app.say(f"saved {saved.path}, {saved.size_bytes / 1e6:.1f} MB, the last {saved.before_s:.1f} s")

    app.ask("save the last 30 seconds to which file?", use, "last.dat")


def export(app: LiveApp) -> None:
    page = app.view.page

    def use(path: str) -> None:
        if path.endswith(".svg"):
            _write(_new(path), app.export_screenshot(title="ftracepy live"))
        elif path.endswith((".json", ".csv")) and isinstance(page, ListPage):
            _write(_new(path), exporting.as_data(page.listing, path.rpartition(".")[2]))
        elif path.endswith(".folded") and isinstance(page, Flames):
            _write(_new(path), page.folded())
        else:
            _write(_new(path), exporting.as_text(page))
        app.say(f"wrote {path}")

    app.ask("write what is shown to which file? (.txt .svg, of a list .json .csv, of flames .folded)", use, "shown.txt")


def copy(app: LiveApp) -> None:
    page = app.view.page
    if page.first <= app.view.cursor < page.end:
        app.copy_to_clipboard(plain(page.line(app.view.cursor, 10_000)).strip())
        app.say("copied, if this terminal lets programs copy (OSC 52)")


def clear(app: LiveApp) -> None:
    if app.run_:
        app.run_.engine.events.clear()
        if app.run_.engine.rows is not None:
            app.run_.engine.rows.clear()
        app.view.sync()


def _new(path: str) -> str:
    """A file's name that is not taken: nothing is overwritten by a single key."""
    path = os.path.expanduser(path.strip())
    if not path:
        raise UsageFault("no file was named")
    if os.path.exists(path):
        raise UsageFault(f"'{path}' is there already", hint="another name")
    return path


def _write(path: str, text: str) -> None:
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as fault:
        raise FtracepyError(f"cannot write '{path}'", why=fault.strerror or str(fault)) from None
