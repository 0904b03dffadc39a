"""Pictures of the live view for the documentation: fixtures replayed, keys pressed, the screen as SVG."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Static

from ftracepy.pipeline.watch import WatchRequest
from ftracepy.tools import kit
from ftracepy.tui.app import LiveApp, Looks
from ftracepy.tui.keys import KEYS
from ftracepy.tui.model.engine import Engine
from ftracepy.tui.model.overview import Overview, Tile
from ftracepy.tui.model.tiles import TILES

FIXTURES = Path(__file__).parents[2] / "fixtures"
SIZE = (100, 24)
WIDE = (140, 34)
# Name of the picture: fixture, what the tool is told, keys.
PICTURES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "rows": ("opensnoop-k7.3", {}, ()),
    "detail": ("opensnoop-k7.3", {}, ("2", "slash", *"sys_enter_openat", "enter", "enter")),
    "count": ("opensnoop-k7.3", {}, ("right", "right", "t")),
    "filter": ("opensnoop-k7.3", {}, ("f", *'comm == "cat" && path ~ "/etc/*"', "enter")),
    "narrow": ("opensnoop-k7.3", {}, ("down", "down", "w")),
    "processes": ("execsnoop-k7.3", {}, ("4",)),
    "cpus": ("runqlat-k6.18", {}, ("3", "right")),
    "tasks": ("runqlat-k6.18", {}, ("3", "t")),
    "spread": ("iosnoop-k6.1", {}, (*["right"] * 8, "H", "enter")),
    "flames": ("funcgraph-k6.12", {"functions": ("*",)}, ("5", "down", "down", "right")),
    "calls": ("funcgraph-k6.12", {"functions": ("*",)}, ("5", "t")),
    "keys": ("killsnoop-k7.3", {}, ("question_mark",)),
}
OVERVIEW: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("system calls by process", "syscount-k6.18", {"interval": 0.02}, "count"),
    ("failing system calls", "syscount-k6.18", {"interval": 0.02}, "errors"),
    ("programs started", "execsnoop-k7.3", {}, ""),
    ("run queue", "runqlat-k6.18", {"interval": 0.2}, "total_ns"),
    ("block I/O", "iosnoop-k6.1", {}, ""),
    ("failed opens", "opensnoop-k7.3", {"failed": True}, ""),
    ("TCP retransmits", "tcpretrans-k6.1", {}, ""),
    ("signals", "killsnoop-k7.3", {}, ""),
)


def engine(fixture: str, options: dict[str, Any]) -> Engine:
    """A tool over its fixture."""
    tool = kit.load(fixture.partition("-")[0])
    return Engine(WatchRequest(tool=(tool, tool.options(**options)), replay=str(FIXTURES / fixture / "trace.dat")))


async def picture(fixture: str, options: dict[str, Any], keys: tuple[str, ...]) -> str:
    """The screen after these keys."""
    app = LiveApp(engine(fixture, options), looks=Looks(fps=50))
    async with app.run_test(size=SIZE) as pilot:
        while app.run_ is None or not app.run_.engine.join(0):
            await pilot.pause(0.05)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.1)
        await pilot.pause(0.6)
        return await taken(app, pilot)


async def overview() -> str:
    """Its tiles over fixtures, for a live one never shows the same twice."""
    figures = {title: figure for title, _name, _options, _column, figure in TILES}
    tiles = [
        Tile(title, engine(fixture, options), sorted_by=column, figure=figures[title])
        for title, fixture, options, column in OVERVIEW
    ]
    app = LiveApp(None, Overview(tiles), Looks(fps=50))
    async with app.run_test(size=WIDE) as pilot:
        while not all(one.join(0) for one in app.all_engines()):
            await pilot.pause(0.05)
        await pilot.pause(1.2)
        return await taken(app, pilot)


async def taken(app: LiveApp, pilot: Pilot[None]) -> str:
    """The screen as SVG; what changes from run to run (names, the time, what we cost) is made the same."""
    app.leaving = True  # the status line stays as it is made now
    status = app.query_one("#status", Static)
    text = re.sub(r"\d\d:\d\d:\d\d", "12:00:00", str(status.render()))
    status.update(re.sub(r"self \d+% \d+MB", "self 2% 31MB", text))
    await pilot.pause(0.05)
    svg = app.export_screenshot(title="ftracepy live", simplify=True)
    app.leaving = False
    app.leave()
    await pilot.pause(0.1)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # a picture fetches nothing
    return re.sub(r"terminal-\d+", "terminal", svg)


def key_table(text: str) -> str:
    """docs/live.md with its table of keys made anew from keys.KEYS."""
    rows = "".join(f"| `{one.shown}` | {one.what} |\n" for one in KEYS)
    return re.sub(r"(\| key \| does \|\n\|---\|---\|\n)(\|.*\n)*", lambda found: found[1] + rows, text)


def main(folder: Path) -> None:
    page = folder.parent / "live.md"
    page.write_text(key_table(page.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    made = {name: picture(*given) for name, given in PICTURES.items()}
    for name, screen in {"overview": overview(), **made}.items():
        (folder / f"{name}.svg").write_text(asyncio.run(screen), encoding="utf-8")
        print(folder / f"{name}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
