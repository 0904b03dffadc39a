"""What keys do about time: walk, go, play, mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftracepy.errors import UsageFault
from ftracepy.tui.model.lanes import Lanes
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.playing import Playing

if TYPE_CHECKING:
    from ftracepy.tui.app import LiveApp


def step(app: LiveApp, seconds: int) -> None:
    page = app.view.page
    if isinstance(page, Lanes):
        page.move(seconds * 1_000_000_000)
        redraw(app, page)
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
        ns = _asked_ns(text.strip(), page, app.view.cursor)
        if isinstance(page, ListPage):
            app.view.move_to(page.place_at(ns, page.listing.look.ts))
        elif isinstance(page, Lanes):
            page.go(ns)
            redraw(app, page)
            app.view.sync()

    app.ask("go to which time? seconds as shown, +1.5 or -1.5 from here, or 50% of all", use)


def _asked_ns(text: str, page: ListPage | Lanes, place: int) -> int:
    """The time that is meant by what was typed. Raises UsageFault where it is none."""
    first, last, here = page.stamps(place)
    try:
        if text.endswith("%"):
            return first + int((last - first) * float(text[:-1]) / 100)
        return int(float(text) * 1e9) + (here if text[:1] in ("+", "-") else 0)
    except (ValueError, OverflowError):  # OverflowError: inf
        raise UsageFault(f"{text!r} is no time in seconds", hint="5135.448625, +0.5, -0.5, 50%") from None


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


def redraw(app: LiveApp, page: Lanes) -> None:
    page.redraw()
    page.tick(lambda: True, app.view.size.width)
