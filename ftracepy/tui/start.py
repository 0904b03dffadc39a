"""Begins and ends the live view: the app, its runs, and what a signal or a lost terminal means."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from ftracepy.tui.model.engine import Engine
from ftracepy.tui.model.tiles import overview

if TYPE_CHECKING:
    from ftracepy.errors import FtracepyError
    from ftracepy.pipeline.requests import Stop
    from ftracepy.pipeline.watch import WatchRequest
    from ftracepy.tui.app import LiveApp

_JOIN_S = 10.0


def show(
    request: WatchRequest | None, given: WatchRequest, keep: int, stop: Stop, *, plain: bool, ascii_only: bool
) -> FtracepyError | None:
    """Show one run (`request` None: the overview) until the user leaves or `stop` is asked.

    Returns the error that kept the only run from starting.
    """
    engine = Engine(request, keep) if request else None
    if engine:
        engine.start()  # the kernel takes its time, and so does the import of Textual
    from ftracepy.tui.app import LiveApp, looks_for_terminal

    looks = looks_for_terminal(plain=plain, ascii_only=ascii_only)
    if looks.plain:
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
        os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    app = LiveApp(engine, None if engine else overview(given), looks, given.tracefs_root)
    try:
        asyncio.run(_run(app, stop, mouse=not looks.plain))
    finally:
        for one in app.all_engines():
            one.stop()
        for one in app.all_engines():
            one.join(_JOIN_S)
    return app.error


def _let_go_of_terminal() -> None:
    """The terminal is gone: what is still drawn fails, and with it the thread that draws, for which Textual waits for ever."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)


async def _run(app: LiveApp, stop: Stop, *, mouse: bool) -> None:
    loop = asyncio.get_running_loop()

    def leave() -> None:
        if stop.signum == signal.SIGHUP:
            _let_go_of_terminal()
        with suppress(RuntimeError):  # the loop is over: so is the view
            loop.call_soon_threadsafe(app.leave)

    stop.on_ask(leave)
    await app.run_async(mouse=mouse)
