"""What is done to the kernel's own filters: a filter that is typed goes there by itself, a key takes it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError
from ftracepy.tui.model.later import Later
from ftracepy.tui.model.listpage import ListPage

if TYPE_CHECKING:
    from ftracepy.pipeline.kernelfilter import KernelFilter
    from ftracepy.tui.app import LiveApp
    from ftracepy.tui.model.page import Page


@dataclass(slots=True)
class Handing:
    """A filter on its way into the kernel, where some kernels wait for each event; `then` is what came after it."""

    kernel: KernelFilter
    later: Later[int]
    then: Callable[[], int] | None = None


def by_itself(app: LiveApp, page: ListPage) -> None:
    """After a filter was typed: the kernel gets it, or gives up the one before."""
    kernel, action = _found(app, page)
    typed = page.listing.filter.text if page.listing.filter else ""
    if kernel is None or action is None or typed == kernel.typed:
        return
    if app.run_ and app.run_.engine.watch.tapped.saving:
        app.say("filtered here, for the recording goes on as it began: K hands the filter to the kernel")
        return
    _hand(app, kernel, action)


def into_kernel(app: LiveApp) -> None:
    """Take the filter out of the kernel, or hand it there."""
    kernel, action = _found(app, app.view.page)
    if kernel is None or action is None:
        app.say("the kernel filters lists of events as they come (-e, tpoint, kprobe, uprobe), and nothing else")
    elif not kernel.typed and action == kernel.take_back:
        app.say("there is no filter: f")
    else:
        _hand(app, kernel, kernel.take_back if kernel.typed else action)


def _found(app: LiveApp, page: Page) -> tuple[KernelFilter | None, Callable[[], int] | None]:
    run = app.run_
    return (run.kernel_filter, run.filter_in_kernel(page)) if run else (None, None)


def _hand(app: LiveApp, kernel: KernelFilter, action: Callable[[], int]) -> None:
    if app.handing:
        app.handing.then = action
    else:
        app.handing = Handing(kernel, Later(action))


def see(app: LiveApp) -> None:
    """Say how it went, once it has."""
    handing = app.handing
    if handing is None or not handing.later.done:
        return
    app.handing = None
    app.view.sync()
    if handing.then:
        _hand(app, handing.kernel, handing.then)
        return
    if error := handing.later.error:
        app.status.said(f"filtered here: {_in_short(error)}", keep=True)
    elif handing.later.value:
        what = "the kernel filters now what it can" if handing.kernel.partly else "only what passes is recorded now"
        app.say(f"{what}: K takes the filter out of the kernel")
    else:
        app.say("everything is recorded again")
    app.show_status()


def _in_short(error: FtracepyError) -> str:
    return ": ".join(part for part in (error.what, error.kernel.partition("\n")[0], error.why) if part)
