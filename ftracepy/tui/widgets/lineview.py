"""Shows a page: only the lines on the screen are ever made, however many there are."""

from __future__ import annotations

import time
from typing import get_args

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.events import Click
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ftracepy.sinks.escape import visible
from ftracepy.tui.model.page import Page, Spare
from ftracepy.tui.model.spans import Line, Style, length, marked

_STYLES = (*(name for name in get_args(Style) if name), "cursor")
_FIRST_S = 0.03  # what a page may take to be there at once; the rest comes with the ticks
ASCII = str.maketrans("█…─━▼▲·←→µ●│▁▂▃▄▅▆▇", "#~--v^.<>u*|_.,-=+*")


class LineView(ScrollView, can_focus=True, inherit_bindings=False):
    """A page with a cursor. `follow` keeps the cursor on the newest line; `paused` takes in nothing new."""

    COMPONENT_CLASSES = {f"line--{name}" for name in _STYLES}  # noqa: RUF012

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.page = Page()
        self.cursor = 0
        self.follow = False
        self.paused = False
        self.found = ""
        self._top = 0
        self._stale = False
        self._ascii = ascii_only
        self._rich: dict[str, RichStyle] = {}
        self._widest = 0
        self._moving = False

    def show(self, page: Page, *, cursor: int | None = None, follow: bool | None = None) -> None:
        """Show another page from its start, or from `cursor`; one that grows from its end unless `follow` is False."""
        self.page = page
        self.follow = page.grows if follow is None else follow
        self.cursor = page.first if cursor is None else cursor
        self._top, self._widest = page.first, 0
        self.scroll_to(x=0, animate=False)
        page.height = self.size.height
        deadline = time.monotonic() + _FIRST_S
        page.tick(lambda: time.monotonic() < deadline, self.room)
        self.sync()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._rich.clear()

    @property
    def room(self) -> int:
        """Columns that lines have, without the scroll bar's."""
        return self.scrollable_content_region.width

    @property
    def body_lines(self) -> int:
        """How many lines fit under the heading."""
        return max(self.size.height - len(self.page.heading(self.room)), 1)

    def tick(self, spare: Spare) -> bool:
        """Let the page take in what is new; whether it has more to do. What has changed is drawn by `take_in`, at its pace."""
        page = self.page
        page.height = self.size.height
        line = self.cursor - page.first
        if not self.paused or page.behind:
            self._stale |= page.tick(spare, self.room)
        if page.replaces:
            self.cursor = page.first + line
        if page.jump is not None:
            place, page.jump = page.jump, None
            self.move_to(place)
        return page.behind

    def take_in(self) -> None:
        """Draw what has changed since."""
        if self._stale:
            self._stale = False
            self.sync()

    def sync(self) -> None:
        """Bring cursor, scroll bar and screen into line with the page."""
        page = self.page
        first, end = page.first, page.end
        if self.follow and page.grows:
            self.cursor = end - 1
        self.cursor = max(first, min(self.cursor, end - 1))
        self._top = max(first, min(self._top, end - self.body_lines))
        if self.cursor < self._top:
            self._top = self.cursor
        elif self.cursor >= self._top + self.body_lines:
            self._top = self.cursor - self.body_lines + 1
        self._scroll(first, end)
        self.refresh()

    def _scroll(self, first: int, end: int) -> None:
        """The scroll bar says what we say, and not the other way round, while this lasts."""
        self._moving = True
        heading = self.size.height - self.body_lines
        self.virtual_size = Size(max(self._widest, self.room), end - first + heading)
        self.scroll_to(y=self._top - first, animate=False, force=True, immediate=True)
        self._moving = False

    def watch_scroll_y(self, old: float, new: float) -> None:
        """The mouse wheel or the bar moved it; that there is room for one line less moves nothing."""
        super().watch_scroll_y(old, new)
        wanted = self._top - self.page.first
        if not self._moving and round(new) != wanted and not round(new) == self.max_scroll_y < wanted:
            self._top = self.page.first + round(new)
            self.follow = False
            self.cursor = max(self._top, min(self.cursor, self._top + self.body_lines - 1))
            self.refresh()

    def on_resize(self) -> None:
        self.sync()

    def move(self, lines: int) -> None:
        """Move the cursor; upwards ends following, reaching the end does not begin it."""
        self.move_to(self.cursor + lines)

    def move_to(self, place: int) -> None:
        self.follow = False
        self.cursor = place
        self.sync()
        self.page.arrived(self.cursor)

    def steer(self, right: int, down: int) -> bool:
        """An arrow key on a page that knows what it means there; False where it does not."""
        place = self.page.steer(right, down)
        if place is None:
            return False
        self.follow = False
        self.cursor = place
        self.sync()
        return True

    def up_or_down(self, lines: int) -> None:
        """An arrow key: as the page has it, else by lines."""
        if not self.steer(0, lines):
            self.move(lines)

    def on_click(self, event: Click) -> None:
        """A click chooses a line, a second one on it opens it; on a column's title it sorts."""
        y = event.y - len(self.page.heading(self.room))
        if y >= 0:
            self.move_to(self._top + y)
            if event.chain > 1:
                self.app.simulate_key("enter")
        elif y == -1 and self.page.point(event.x + round(self.scroll_offset.x)):
            self.app.simulate_key("s")

    def render_line(self, y: int) -> Strip:
        width = self.room
        heading = self.page.heading(width)
        place = self._top + y - len(heading)
        if y < len(heading):
            return self._strip(heading[y], width)
        line = self.page.line(place, width) if self.page.first <= place < self.page.end else []
        return self._strip(line, width, cursor=place == self.cursor and place < self.page.end)

    def _strip(self, line: Line, width: int, *, cursor: bool = False) -> Strip:
        """Each piece has a style, never None: Textual's monochrome filter stumbles over that."""
        base = self.rich_style
        under = self._style("cursor") if cursor else RichStyle()
        line = [(self._safe(text), style) for text, style in line]
        if self.found:
            line = marked(line, self.found)
        segments = [Segment(text, base + self._style(style) + under) for text, style in line]
        size = length(line)
        if size > self._widest:
            self._widest = size
        x = round(self.scroll_offset.x)
        return Strip(segments, size).crop_extend(x, x + width, base + under)

    def _safe(self, text: str) -> str:
        """What this terminal can show and none obeys: whatever a page made its lines of, this is the only way out."""
        text = visible(text)
        return text.translate(ASCII).encode("ascii", "replace").decode() if self._ascii else text

    def _style(self, name: str) -> RichStyle:
        if not name:
            return RichStyle()
        if name not in self._rich:
            self._rich[name] = self.get_component_rich_style(f"line--{name}", partial=True)
        return self._rich[name]
