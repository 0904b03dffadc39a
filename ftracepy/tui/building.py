"""What keys do in the probe builder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError
from ftracepy.pipeline.candidates import candidates
from ftracepy.tui.model.builder import Builder, Form
from ftracepy.tui.model.run import Run

if TYPE_CHECKING:
    from ftracepy.tui.app import LiveApp


def build(app: LiveApp) -> None:
    """Every page has it; a run that is built stands above what was looked at before."""
    page = Builder(lambda: candidates(app.tracefs_root))
    app.push(page)
    search(app, page)


def search(app: LiveApp, page: Builder) -> None:
    def typed(text: str) -> None:
        page.search(text)
        app.view.move_to(0)
        app.work()

    app.ask("letters of an event's or a function's name", lambda _text: _choose(app, page), typed=typed)


def _choose(app: LiveApp, page: Builder) -> None:
    place = app.view.cursor
    app.close_prompt()
    chosen(app, page, place)


def chosen(app: LiveApp, page: Builder | Form, place: int) -> None:
    """Take the candidate on a line, or start what a form describes."""
    from ftracepy.tui.app import Pending

    if isinstance(page, Builder):
        if 0 <= place < page.end:
            app.push(Form(page.found[place], app.tracefs_root))
        return

    def opened(run: Run) -> None:
        app.push(page)
        app.open(run)

    def failed(error: FtracepyError) -> None:
        page.change(error=error)

    try:
        app.say("starting")
        app.begin(Pending(page.engine(), opened, failed))
    except FtracepyError as error:
        page.change(error=error)


def filter(app: LiveApp, form: Form) -> None:
    app.ask("filter, in the kernel's language", lambda text: form.change(filter=text), form.filter)


def fetch(app: LiveApp) -> None:
    form = app.view.page
    if isinstance(form, Form) and form.chosen.kind == "function":
        app.ask("what to fetch: parameters, members, $retval", lambda text: form.change(fetch=text), form.fetch)
