"""What keys do with what was seen: record it, write it to a file, copy it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.tui.model import export as exporting
from ftracepy.tui.model.flames import Flames
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.spans import plain

if TYPE_CHECKING:
    from ftracepy.tui.app import LiveApp

_UNTIL_READ_S = 0.5  # until what is written into the buffer now has been read out of it


def record(app: LiveApp) -> None:
    if not app.run_:
        return
    tapped = app.run_.engine.watch.tapped
    if tapped.saving:
        saved = tapped.stop_saving()
        app.say(f"recorded {saved.path}, {saved.size_bytes / 1e6:.1f} MB" if saved else "recording had ended")
        return
    kernel = app.run_.kernel_filter

    def use(path: str) -> None:
        tapped.start_saving(_new(path))
        if kernel:
            kernel.remind()

    app.ask("record to which file? (the last 30 seconds come first)", use, "trace.dat")


def save(app: LiveApp) -> None:
    if not app.run_:
        return
    tapped, kernel = app.run_.engine.watch.tapped, app.run_.kernel_filter

    def keep(path: str) -> None:
        saved = tapped.save_last(path)
        app.say(f"saved {saved.path}, {saved.size_bytes / 1e6:.1f} MB, the last {saved.before_s:.1f} s")

    def keep_soon(path: str) -> None:
        try:
            keep(path)
        except FtracepyError as error:
            app.say("; ".join(line.strip() for line in error.lines()))

    def use(path: str) -> None:
        path = _new(path)
        if kernel and kernel.typed:  # which the recording must say of itself
            kernel.remind()
            app.set_timer(_UNTIL_READ_S, lambda: keep_soon(path))
        else:
            keep(path)

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
