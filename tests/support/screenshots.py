"""Pictures of the live view for the documentation: fixtures replayed, keys pressed, the screen as SVG."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from ftracepy.pipeline.watch import WatchRequest
from ftracepy.tools import kit
from ftracepy.tui.app import LiveApp, Looks
from ftracepy.tui.keys import KEYS
from ftracepy.tui.model.engine import Engine

FIXTURES = Path(__file__).parents[2] / "fixtures"
SIZE = (100, 24)
# Name of the picture: fixture, keys.
PICTURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "rows": ("opensnoop-k7.3", ()),
    "detail": ("opensnoop-k7.3", ("down", "down", "enter")),
    "count": ("opensnoop-k7.3", ("right", "right", "t")),
    "filter": ("opensnoop-k7.3", ("f", *'comm == "cat" && path ~ "/etc/*"', "enter")),
    "processes": ("execsnoop-k7.3", ("4",)),
    "keys": ("killsnoop-k7.3", ("question_mark",)),
}


async def picture(fixture: str, keys: tuple[str, ...]) -> str:
    """The screen after these keys, as SVG whose names do not change from run to run."""
    tool = kit.load(fixture.partition("-")[0])
    request = WatchRequest(tool=(tool, tool.options()), replay=str(FIXTURES / fixture / "trace.dat"))
    app = LiveApp(Engine(request), looks=Looks(fps=50))
    async with app.run_test(size=SIZE) as pilot:
        while app.run_ is None or not app.run_.engine.join(0):
            await pilot.pause(0.05)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.6)
        svg = app.export_screenshot(title="ftracepy live", simplify=True)
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
    for name, (fixture, keys) in PICTURES.items():
        (folder / f"{name}.svg").write_text(asyncio.run(picture(fixture, keys)), encoding="utf-8")
        print(folder / f"{name}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
