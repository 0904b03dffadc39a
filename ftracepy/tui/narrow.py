"""What keys do to show less: filters, and only what is like a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftracepy.tui import building
from ftracepy.tui.handing import by_itself
from ftracepy.tui.model.builder import Form
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.narrowing import Only, narrowings
from ftracepy.tui.model.page import Lines

if TYPE_CHECKING:
    from ftracepy.tui.app import LiveApp


def drill(app: LiveApp, page: ListPage, condition: str) -> None:
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


def narrowed(app: LiveApp, page: Only, place: int) -> None:
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
        app.say("")
        by_itself(app, page)

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
