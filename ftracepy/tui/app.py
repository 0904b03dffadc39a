"""The live view: one screen of a title, a page of lines, a prompt and a status line; everything else is in the model."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding
from textual.events import Click, Event, Key
from textual.screen import Screen
from textual.widgets import Static

from ftracepy.errors import FtracepyError
from ftracepy.sinks.escape import visible
from ftracepy.tui import actions
from ftracepy.tui.handing import Handing, see
from ftracepy.tui.keys import KEYS
from ftracepy.tui.model.engine import Engine, State, own_fault
from ftracepy.tui.model.page import Page
from ftracepy.tui.model.playing import Playing
from ftracepy.tui.model.run import Run
from ftracepy.tui.model.search import Looking, Search
from ftracepy.tui.model.status import Status
from ftracepy.tui.widgets.lineview import ASCII, LineView
from ftracepy.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from ftracepy.tui.model.overview import Overview

_SLICE_S = 0.01  # of background work at a time: counting, filtering, sorting, searching
_PAUSES = 2  # so many times as long is the pause after it, for keys and repaints: the longer, the busier the machine
_AFTER_KEY_S = 0.05  # what a key does is painted first
_LEAVE_S = 10.0
_OWN_TICKS = 10
_ACTIONS = {one.action.partition("(")[0] for one in KEYS}


@dataclass(frozen=True, slots=True)
class Looks:
    """How the screen is drawn: `fps` most repaints a second, `ascii_only` for terminals without UTF-8, `plain` for slow ones."""

    fps: float = 10.0
    ascii_only: bool = False
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """A page that was left for another, as it stood."""

    page: Page
    cursor: int
    follow: bool
    run: Run | None
    narrowed: int | None = None  # how often its list was narrowed already, where that is why it was left


@dataclass(frozen=True, slots=True)
class Pending:
    """A run that is beginning: what to do once it is opened, or with the error that keeps it from that."""

    engine: Engine
    opened: Callable[[Run], None]
    failed: Callable[[FtracepyError], None]


class LiveApp(App[None]):
    """Shows runs. `error` is why the only run could not begin, for the caller to tell once the terminal is back."""

    CSS_PATH = "live.tcss"
    TITLE = "ftracepy live"
    ENABLE_COMMAND_PALETTE = True
    # With priority a key is acted on before the next one is looked at: what is typed behind `f` is the filter's.
    BINDINGS = [Binding(",".join(one.keys), one.action, one.what, show=False, priority=True) for one in KEYS]  # noqa: RUF012

    def __init__(
        self,
        engine: Engine | None,
        overview: Overview | None = None,
        looks: Looks | None = None,
        tracefs_root: str | None = None,
    ) -> None:
        super().__init__()
        self.tracefs_root = tracefs_root
        self.looks = looks or Looks()
        self.engines = [engine] if engine else []
        self.ending: list[Engine] = []
        self.overview = overview
        self.run_: Run | None = None
        self.pages: list[Before] = []  # what to go back to
        self.pending: Pending | None = None
        self.playing: Playing | None = None
        self.handing: Handing | None = None
        self.error: FtracepyError | None = None
        self.status = Status()
        self.asked: Callable[[str], None] | None = None
        self.leaving = self.begun = False
        self.searching: tuple[Looking, Callable[[], None]] | None = None
        self._typed: Callable[[str], None] | None = None
        self._left: Callable[[], None] | None = None
        self._working = False
        self._last_key_s = 0.0
        self._ticks = 0
        if self.looks.plain:
            self.animation_level = "none"

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        yield LineView(ascii_only=self.looks.ascii_only)
        yield Prompt(self._heard, self._answered, self._pressed)
        yield Static(id="status", markup=False)

    def on_mount(self) -> None:
        self.view = self.query_one(LineView)
        self.view.focus()
        for engine in self.engines:
            engine.start()
        if self.overview:
            self.overview.start()
            self.view.show(self.overview)
        self.set_interval(1 / self.looks.fps, self.tick)
        self.tick()

    @property
    def engine(self) -> Engine | None:
        """The run that is looked at."""
        return self.run_.engine if self.run_ else self.engines[0] if self.engines else None

    def tick(self) -> None:
        """Take in what is new, and say how the run does."""
        if self.leaving:
            return
        self._begin()
        if self.leaving:
            return
        self._leave_out_own()
        self._see_pending()
        see(self)
        if self.playing:
            self.view.move_to(self.playing.place())
        self.view.take_in()
        self.work()
        self.show_status()

    def work(self) -> None:
        """Filter, count, sort and search for a moment, and again soon while there is more; keys are answered in between."""
        begin = time.monotonic()
        deadline = begin + _SLICE_S

        def spare() -> bool:
            return time.monotonic() < deadline

        more = self.view.tick(spare)
        if (search := self.searching) and search[0].tick(spare):
            self.searching = None
            search[1]()
        if (more or self.searching) and not self._working and not self.leaving:
            self._working = True
            self.set_timer((time.monotonic() - begin) * _PAUSES, self._work_on)

    def _work_on(self) -> None:
        self._working = False
        if (wait := self._last_key_s + _AFTER_KEY_S - time.monotonic()) > 0:
            self._working = True
            self.set_timer(wait, self._work_on)
        else:
            self.work()

    def search(self, text: str, start: int, step: int, beside: int | None = None) -> None:
        """Go to the next line that holds `text`, as soon as it is found; the line `beside` holds it already."""
        self.view.found = text
        self.view.page.mark(text)
        search = Search(self.view.page, text, start, step)
        self.look_for(search, lambda: self._found(search, beside))

    def look_for(self, looking: Looking, found: Callable[[], None]) -> None:
        """Look on between repaints, and do `found` when it is over."""
        self.searching = (looking, found)
        self.work()

    def forget_search(self) -> None:
        """Search no further."""
        self.searching = None

    def _found(self, search: Search, beside: int | None) -> None:
        if search.page is not self.view.page:
            return
        if search.place in (None, beside):
            self.say(f"no {'' if search.place is None else 'other '}line holds {search.text!r}")
            self.view.refresh()
        elif search.place is not None:
            if search.round:
                self.say("from the top" if search.step > 0 else "from the end")
            self.view.move_to(search.place)

    def _begin(self) -> None:
        """Show the run's pages once it runs; give up where it never will."""
        engine = self.engines[0] if self.engines and not self.overview else None
        if engine is None or self.begun:
            return
        if engine.state is State.FAILED and not engine.opened:
            self.error = engine.error
            self.leave()
        elif engine.opened:
            self.begun = True
            self.open(Run(engine))

    def _leave_out_own(self) -> None:
        """Our threads, those of other tiles too, are there once every run has begun; some of the screen's come a little later."""
        self._ticks += 1
        if self._ticks % _OWN_TICKS == 0:
            for engine in self.all_engines():
                engine.leave_out_own()

    def begin(self, pending: Pending) -> None:
        """Start one more run."""
        self.pending = pending
        self.engines.append(pending.engine)
        pending.engine.start()

    def _see_pending(self) -> None:
        pending = self.pending
        if pending is None or not (pending.engine.opened or pending.engine.state is State.FAILED):
            return
        self.pending = None
        if pending.engine.opened:
            pending.opened(Run(pending.engine))
        else:
            self.engines.remove(pending.engine)
            pending.failed(pending.engine.error or FtracepyError("the run did not begin"))

    def open(self, run: Run) -> None:
        """Look at a run, from its first page."""
        self.run_ = run
        self.show(run.start_page())

    def show(self, page: Page) -> None:
        """Show a page in place of the present one."""
        self.forget_search()
        run, self.playing = self.run_, None
        recorded = run is not None and run.engine.request.replay is not None
        self.view.show(page, follow=False if recorded else None)
        self.show_status()

    def push(self, page: Page, narrowed: int | None = None) -> None:
        """Show a page from which one comes back to the present one."""
        self.forget_search()
        self.pages.append(Before(self.view.page, self.view.cursor, self.view.follow, self.run_, narrowed))
        self.playing = None
        self.view.show(page, follow=False)
        self.show_status()

    def pop(self) -> bool:
        """Back to the page before; False where there is none."""
        if not self.pages:
            return False
        self.forget_search()
        before, self.playing = self.pages.pop(), None
        self._drop(self.run_, before.run)
        self.run_ = before.run
        self.view.show(before.page, cursor=before.cursor, follow=before.follow)
        self.show_status()
        return True

    def _drop(self, run: Run | None, kept: Run | None) -> None:
        """A run that was built and is left has ended; those of the overview go on."""
        if run is None or run is kept or run.engine not in self.engines[1 if not self.overview else 0 :]:
            return
        run.engine.stop()
        self.engines.remove(run.engine)
        self.ending.append(run.engine)

    def show_status(self) -> None:
        """Bring title and status line up to date; written only where they changed."""
        if not self.query("#status"):  # the screen is being taken down
            return
        status = self.status.lines(self.run_, self.engine, self.view, self.playing)
        for name, text in zip(("title", "status"), status, strict=True):
            widget = self.query_one(f"#{name}", Static)
            text = visible(text)
            shown = text if not self.looks.ascii_only else text.translate(ASCII).encode("ascii", "replace").decode()
            if getattr(widget, "shown_text", None) != shown:
                widget.shown_text = shown  # type: ignore[attr-defined]
                widget.update(shown)
        self.query_one("#status").set_class(self.status.lossy, "lossy")

    def say(self, text: str) -> None:
        """A short word in the status line."""
        self.status.said(visible(text))
        self.show_status()

    def ask(
        self,
        question: str,
        then: Callable[[str], None],
        value: str = "",
        *,
        typed: Callable[[str], None] | None = None,
        left: Callable[[], None] | None = None,
    ) -> None:
        """Ask for a line of text; Esc gives none. Shown and focused at once, and not with the next repaint.

        `typed` hears what stands there at each letter, `left` that Esc was pressed.
        """
        prompt = self.query_one(Prompt)
        self.close_prompt()
        prompt.placeholder, prompt.value = visible(question), value
        prompt.cursor_position = len(value)
        self.asked, self._typed, self._left = then, typed, left
        prompt.display = True
        self.screen.set_focus(prompt)

    def _answered(self, text: str) -> None:
        """What is wrong with the answer is said, and the question stands."""
        asked = self.asked
        try:
            if asked:
                asked(text)
        except FtracepyError as error:
            self.status.said("  ".join(visible(line.strip()) for line in error.lines()), keep=True)
            self.show_status()
            return
        if self.asked is asked:
            self.close_prompt()

    def _heard(self, text: str) -> None:
        """What is looked for is shown while it is typed."""
        if self.asked and self._typed:
            self._typed(text)

    def _pressed(self, key: str) -> bool:
        """Keys that are no part of an answer."""
        if key in ("up", "down"):
            self.view.move(-1 if key == "up" else 1)
        elif key == "escape":
            left = self._left
            self.close_prompt()
            if left:
                left()
        elif key == "ctrl+q":
            self.leave()
        return key in ("up", "down", "escape", "ctrl+q")

    def on_click(self, event: Click) -> None:
        """Pages are changed by a click on their names, too."""
        number = self.status.tab_at(event.x) if event.widget is self.query_one("#title") else None
        if number and self.asked is None:
            actions.page(self, number)

    async def on_event(self, event: Event) -> None:
        typed = isinstance(event, Key) and not event.is_forwarded
        if typed:
            self._last_key_s = time.monotonic()
        await super().on_event(event)
        if typed and self.asked:
            await self.query_one(Prompt).settled()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Our keys are letters like others while a question is asked or the palette is open."""
        return not (action in _ACTIONS and (self.asked is not None or len(self.screen_stack) > 1))

    def close_prompt(self) -> bool:
        """Take the question away; False where there was none."""
        prompt = self.query_one(Prompt)
        if self.asked is None:
            return False
        self.asked = self._typed = self._left = None
        prompt.display = False
        self.screen.set_focus(self.view)
        return True

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key's action by name, so that no key need be known."""
        for one in KEYS:
            yield SystemCommand(one.what, f"key {one.shown}", lambda action=one.action: self.run_action(action))
        yield from super().get_system_commands(screen)

    def leave(self) -> None:
        """End every run and then the screen."""
        if self.leaving:
            return
        self.leaving = True
        for engine in self.all_engines():
            engine.stop()
        self.query_one("#status", Static).update("removing what was set up in the kernel")
        self.run_worker(self._leave, thread=True)

    def all_engines(self) -> list[Engine]:
        """Every run, those of the overview too."""
        return [*self.engines, *self.ending, *(self.overview.engines if self.overview else ())]

    def _leave(self) -> None:
        deadline = time.monotonic() + _LEAVE_S
        for engine in self.all_engines():
            engine.join(max(deadline - time.monotonic(), 0.1))
        self.call_from_thread(self.exit)

    def _fatal_error(self) -> None:
        """Textual would draw a traceback with every variable in it, a megabyte: on a serial line that takes minutes."""
        if self.is_headless:  # a test is told as the test does
            super()._fatal_error()
            return
        self.error = own_fault(sys.exc_info()[1] or self._exception or RuntimeError("nobody knows which"))
        self._close_messages_no_wait()

    async def action_quit(self) -> None:
        self.leave()


for _key in KEYS:
    _name = _key.action.partition("(")[0]
    if _name != "quit":
        setattr(LiveApp, f"action_{_name}", getattr(actions, _name))


def looks_for_terminal(*, plain: bool, ascii_only: bool) -> Looks:
    """What suits the terminal: $FTRACEPY_FPS, a serial line's speed, and whether the locale has UTF-8."""
    fps = os.environ.get("FTRACEPY_FPS", "")
    rate = float(fps) if re.fullmatch(r"[0-9]*\.?[0-9]+", fps) and float(fps) > 0 else None
    slow = _serial_fps()
    calm = plain or slow is not None
    return Looks(rate or (1.0 if plain else slow or 10.0), ascii_only or not _has_utf8(), calm)


def _has_utf8() -> bool:
    """By the locale that we were started with: in the C locale Python sets LC_CTYPE to C.UTF-8 for itself (PEP 538)."""
    get = os.environ.get
    ctype = get("LC_CTYPE", "")
    with suppress(OSError), open("/proc/self/environ", "rb") as file:
        if not any(one.startswith(b"LC_CTYPE=") for one in file.read().split(b"\0")):
            ctype = ""
    return "utf" in (get("LC_ALL") or ctype or get("LANG") or "").lower()


def _serial_fps() -> float | None:
    """Repaints that half of a serial line can carry; None: this terminal is no serial line."""
    import termios

    try:
        name = os.ttyname(2)
        speed = termios.tcgetattr(2)[5]
    except (OSError, termios.error):
        return None
    if not name.startswith(("/dev/ttyS", "/dev/ttyAMA", "/dev/ttyUSB", "/dev/hvc")):
        return None
    bauds = {getattr(termios, one): int(one[1:]) for one in dir(termios) if one[0] == "B" and one[1:].isdigit()}
    frame_bytes = 5000  # a screen of 80x24 in 16 colours that changes in full
    return max(0.5, min(bauds.get(speed, 9600) / 10 / 2 / frame_bytes, 10.0))
