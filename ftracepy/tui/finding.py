"""What keys do to find a line: by a text, or by being the other end of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftracepy.tui import building
from ftracepy.tui.model.builder import Builder
from ftracepy.tui.model.detail import number_of
from ftracepy.tui.model.ends import Partner
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.page import Lines

if TYPE_CHECKING:
    from ftracepy.tui.app import LiveApp


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
        app.search(app.view.found, app.view.cursor + step, step, app.view.cursor)
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
