"""The two lines that are always there: what is looked at, and how the run does."""

from __future__ import annotations

import time
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from ftracepy.sinks.escape import visible
from ftracepy.tui.model.engine import State
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.overview import Overview
from ftracepy.tui.model.spans import length, spark
from ftracepy.tui.model.vitals import Vitals, amount

if TYPE_CHECKING:
    from ftracepy.pipeline.tapped import Saved
    from ftracepy.tui.model.engine import Engine
    from ftracepy.tui.model.page import Page
    from ftracepy.tui.model.playing import Playing
    from ftracepy.tui.model.run import Run

Part = tuple[str, int]  # of the status line, and how much it weighs
_NEVER_OUT = 9
_BAR = 10
_SAID_S = 5.0
_TAKE_S = 0.25
_TAKE_ALL_S = 1.0


class Extent(Protocol):
    """A size on the screen."""

    @property
    def width(self) -> int: ...


class View(Protocol):
    """What the status line must know of the screen."""

    @property
    def page(self) -> Page: ...

    @property
    def size(self) -> Extent: ...

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
        self._together = Vitals()
        self._tabs: list[int] = []

    def tab_at(self, x: int) -> int | None:
        """The number of the page whose name stands there in the title."""
        for number, end in enumerate(accumulate(self._tabs)):
            if x < end:
                return number or None
        return None

    def said(self, text: str, keep: bool = False) -> None:
        """Show a word for a while."""
        self._said, self._until = text, time.monotonic() + (60 if keep else _SAID_S)

    def lines(self, run: Run | None, engine: Engine | None, view: View, playing: Playing | None) -> tuple[str, str]:
        """Title and status line."""
        self._playing = playing
        return self._title(run, engine, view), self._status(run, engine, view)

    def _title(self, run: Run | None, engine: Engine | None, view: View) -> str:
        """What is looked at, the pages with their keys, and what can be done here; as much of it as has room."""
        page, width = view.page, view.size.width
        what = [visible(run.name) if run else "ftracepy live"]
        titles = [one.title for one in run.pages] if run else []
        if page.title and page.title not in titles:
            what.append(visible(page.title))
        if run and run.kernel_filter and run.kernel_filter.typed and not isinstance(page, ListPage):
            what.append(f"in the kernel: {visible(run.kernel_filter.typed)}")
        for names in (titles, [name if name == page.title else "" for name in titles]):
            marked = [f"[{at} {name}]" if name == page.title else f"{at} {name}".strip() for at, name in enumerate(names, 1)]
            text = "  ".join([what[0], *([" ".join(marked)] if marked else []), *what[1:]])
            self._tabs = [length([(what[0], "")]) + 2, *(length([(one, "")]) + 1 for one in marked)] if marked else []
            if length([(text, "")]) <= width:
                break
        hints = page.hints().split("  ")
        while hints and length([("  ".join([text, *hints]), "")]) > width:
            hints.pop()
        return "  ".join([text, *hints])

    def _status(self, run: Run | None, engine: Engine | None, view: View) -> str:
        if self._said and time.monotonic() < self._until:
            return self._said
        if isinstance(view.page, Overview):
            return _fitting(self._of_all(view.page), view.size.width)
        if engine is None:
            return "? keys"
        if not engine.opened:
            return "starting"
        return _fitting(self._parts(run, engine, view), view.size.width)

    def _of_all(self, overview: Overview) -> list[Part]:
        """The runs of the overview together."""
        now = time.monotonic()
        if now - self._taken >= _TAKE_ALL_S:
            self._taken, self._together = now, overview.vitals
        all_ = self._together
        lost = sum(all_.lost.values())
        self.lossy = bool(lost)
        running = sum(one.state is State.RUNNING for one in overview.engines)
        return [
            (f"{running} of {len(overview.engines)} run", 5), (f"{amount(all_.per_second)} ev/s", 6), (_losses(all_.lost), 9),
            (f"buf {all_.fill:.0%}" if all_.fill is not None else "", 4), (_own(all_), 5), (time.strftime("%H:%M:%S"), 3),
            ("q quits", 2), ("? keys", 3),
        ]  # fmt: skip

    def _parts(self, run: Run | None, engine: Engine, view: View) -> list[Part]:
        now = time.monotonic()
        if now - self._taken >= _TAKE_S:
            self._taken = now
            engine.meter.take(engine.events.lost)
        vitals = engine.meter.now
        lost = sum(vitals.lost.values()) or sum(engine.events.lost.values())
        self.lossy = bool(lost)
        return [
            (_recording(engine.watch.tapped.saving), 9),
            (f"PLAY x{self._playing.speed:g}" if self._playing else "", 8),
            (_how(engine, view), 8),
            (_rate(engine) if engine.state is State.RUNNING else "", 6),
            (_losses(vitals.lost or engine.events.lost), 9),
            (f"buf {vitals.fill:.0%}" if vitals.fill is not None else "", 5),
            (_own(vitals), 5),
            (self._since(view), 7),
            (_way(engine), 1),
            (f"clock {engine.watch.schema.clock}", 2),
            (time.strftime("%H:%M:%S"), 1),
            ("? keys", 3),
        ]  # fmt: skip

    def _since(self, view: View) -> str:
        """The time from the marked line to the one under the cursor."""
        page = view.page
        item = page.item(view.cursor) if self.mark_ns is not None and isinstance(page, ListPage) else None
        if item is None or not isinstance(page, ListPage) or self.mark_ns is None:
            return ""
        return f"{(page.listing.look.ts(item) - self.mark_ns) / 1e6:+.3f}ms from mark"


def _fitting(parts: list[Part], width: int) -> str:
    """As many parts as have room; what weighs least is left out first, what weighs most never."""
    kept = [part for part in parts if part[0]]
    while length([("  ".join(text for text, _weight in kept), "")]) > width:
        least = min(weight for _text, weight in kept)
        if least == _NEVER_OUT:
            break
        kept.remove(next(part for part in reversed(kept) if part[1] == least))
    return "  ".join(text for text, _weight in kept)


def _way(engine: Engine) -> str:
    """How what a tool shows was got: the first way that was chosen; all of them are on the last page."""
    ways = engine.names.header.get("ways")
    hows = [str(one["how"]) for one in ways if isinstance(one, dict) and "how" in one] if isinstance(ways, list) else []
    return f"way {visible(hows[0])}{' …' if len(hows) > 1 else ''}" if hows else "way tracepoints"


def _recording(saving: Saved | None) -> str:
    if saving is None:
        return ""
    return f"REC FAILED {visible(saving.faulted)}" if saving.faulted else f"REC {saving.size_bytes / 1e6:.1f}MB"


def _rate(engine: Engine) -> str:
    return f"{amount(engine.meter.now.per_second)} ev/s {spark(list(engine.meter.history)[-12:])}"


def _how(engine: Engine, view: View) -> str:
    """Whether what is shown goes along with what comes."""
    page = view.page
    behind = f" +{page.end - 1 - view.cursor:,}" if page.grows and page.end - 1 > view.cursor else ""
    if engine.state is State.FAILED:
        error = engine.error
        return f"FAILED {visible('; '.join(part for part in (error.what, error.why) if part))}" if error else "FAILED"
    if engine.request.replay and isinstance(page, ListPage) and page.grows:
        return _position(page, view.cursor)
    if engine.state is State.ENDED:
        return f"ENDED {engine.events.end - engine.events.first:,} events{behind}"
    return f"{'PAUSED' if view.paused else 'live' if view.follow else 'still'}{behind}"


def _position(page: ListPage, place: int) -> str:
    """Where in a recording the cursor is: a bar of its time, and the line."""
    first, last, here = page.stamps(place)
    share = min(max((here - first) / max(last - first, 1), 0.0), 1.0)
    at = round(share * (_BAR - 1))
    bar = "─" * at + "●" + "─" * (_BAR - 1 - at)
    return f"{bar} {share:.0%} line {place - page.first + 1:,} of {page.end - page.first:,}"


def _losses(lost: dict[int, int]) -> str:
    count = sum(lost.values())
    return f"LOST {count:,} ({_cpus(lost)})" if count else "lost 0"


def _own(vitals: Vitals) -> str:
    return f"self {vitals.cpu:.0%} {vitals.memory_bytes / 1e6:.0f}MB"


def _cpus(lost: dict[int, int]) -> str:
    return " ".join(f"cpu{cpu}" for cpu, count in sorted(lost.items()) if count)
