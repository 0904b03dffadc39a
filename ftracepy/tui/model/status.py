"""The two lines that are always there: what is looked at, and how the run does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from ftracepy.sinks.escape import visible
from ftracepy.tui.model.engine import State
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.vitals import amount

if TYPE_CHECKING:
    from ftracepy.pipeline.tapped import Saved
    from ftracepy.tui.model.engine import Engine
    from ftracepy.tui.model.page import Page
    from ftracepy.tui.model.playing import Playing
    from ftracepy.tui.model.run import Run

_SAID_S = 5.0
_TAKE_S = 0.25
_BARS = "▁▂▃▄▅▆▇█"


class View(Protocol):
    """What the status line must know of the screen."""

    @property
    def page(self) -> Page: ...

    cursor: int
    follow: bool
    paused: bool


class Status:
    """Makes both lines. `lossy` asks for an alarming colour; the words say it too."""

    def __init__(self) -> None:
        self.lossy = False
        self.mark_ns: int | None = None
        self._said = ""
        self._playing: Playing | None = None
        self._until = 0.0
        self._taken = 0.0

    def said(self, text: str, keep: bool = False) -> None:
        """Show a word for a while."""
        self._said, self._until = text, time.monotonic() + (60 if keep else _SAID_S)

    def lines(self, run: Run | None, engine: Engine | None, view: View, playing: Playing | None) -> tuple[str, str]:
        """Title and status line."""
        self._playing = playing
        return self._title(run, engine, view), self._status(run, engine, view)

    def _title(self, run: Run | None, engine: Engine | None, view: View) -> str:
        page = view.page
        parts = [visible(run.name) if run else "ftracepy live"]
        if run:
            pages = [one.title for one in run.pages]
            parts.append(" ".join(f"[{at}]{name}" if name == page.title else f"{at}" for at, name in enumerate(pages, 1)))
        if page.title and (run is None or page.title not in [one.title for one in run.pages]):
            parts.append(visible(page.title))
        if run and run.kernel_filter:
            parts.append(f"in the kernel: {visible(run.kernel_filter)}")
        return "  ".join([*parts, page.hints()])

    def _status(self, run: Run | None, engine: Engine | None, view: View) -> str:
        if self._said and time.monotonic() < self._until:
            return self._said
        if engine is None:
            return "Enter opens a tile  q quits  ? keys"
        if not engine.opened:
            return "starting"
        return "  ".join(part for part in self._parts(run, engine, view) if part)

    def _parts(self, run: Run | None, engine: Engine, view: View) -> list[str]:
        now = time.monotonic()
        if now - self._taken >= _TAKE_S:
            self._taken = now
            engine.meter.take(engine.events.lost)
        vitals = engine.meter.now
        lost = sum(vitals.lost.values()) or sum(engine.events.lost.values())
        self.lossy = bool(lost)
        return [
            _recording(engine.watch.tapped.saving),
            f"PLAY x{self._playing.speed:g}" if self._playing else _how(engine, view),
            _rate(engine) if engine.state is State.RUNNING else "",
            f"LOST {lost:,} ({_cpus(vitals.lost or engine.events.lost)})" if lost else "lost 0",
            f"buf {vitals.fill:.0%}" if vitals.fill is not None else "",
            f"self {vitals.cpu:.0%} {vitals.memory_bytes / 1e6:.0f}MB",
            self._since(view),
            f"{engine.watch.schema.clock}",
            "? keys",
        ]  # fmt: skip

    def _since(self, view: View) -> str:
        """The time from the marked line to the one under the cursor."""
        page = view.page
        item = page.item(view.cursor) if self.mark_ns is not None and isinstance(page, ListPage) else None
        if item is None or not isinstance(page, ListPage) or self.mark_ns is None:
            return ""
        return f"{(page.listing.look.ts(item) - self.mark_ns) / 1e6:+.3f}ms from mark"


def _recording(saving: Saved | None) -> str:
    if saving is None:
        return ""
    return f"REC FAILED {visible(saving.faulted)}" if saving.faulted else f"REC {saving.size_bytes / 1e6:.1f}MB"


def _rate(engine: Engine) -> str:
    return f"{amount(engine.meter.now.per_second)} ev/s {_spark(list(engine.meter.history)[-12:])}"


def _how(engine: Engine, view: View) -> str:
    """Whether what is shown goes along with what comes."""
    page = view.page
    behind = f" +{page.end - 1 - view.cursor:,}" if page.grows and page.end - 1 > view.cursor else ""
    if engine.state is State.FAILED:
        return f"FAILED {visible(engine.error.what)}" if engine.error else "FAILED"
    if engine.state is State.ENDED:
        return f"ENDED {engine.events.end - engine.events.first:,} events{behind}"
    return f"{'PAUSED' if view.paused else 'live' if view.follow else 'still'}{behind}"


def _cpus(lost: dict[int, int]) -> str:
    return " ".join(f"cpu{cpu}" for cpu, count in sorted(lost.items()) if count)


def _spark(values: list[float]) -> str:
    """The last rates as small bars."""
    most = max(values, default=0) or 1
    return "".join(_BARS[min(int(value / most * (len(_BARS) - 1)), len(_BARS) - 1)] for value in values)
