"""The six questions of docs/live.md: each answered over a fixture by just the keys that the page counts."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from ftracepy.pipeline.watch import WatchRequest
from ftracepy.tools import kit
from ftracepy.tui.app import LiveApp, Looks
from ftracepy.tui.model.engine import Engine
from tests.tui.test_app import page, press, screen

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/live.md").read_text()
NAMES = {"right": "→", "left": "←", "enter": "Enter", "slash": "/", "left_square_bracket": "["}


def asked(question: str) -> str:
    """The line of the page's table."""
    return next(line for line in PAGE.splitlines() if line.startswith(f"| {question}"))


def answer(fixture: str, options: dict[str, Any], *keys: str) -> tuple[list[str], LiveApp]:
    """What the screen shows after these keys."""
    tool = kit.load(fixture.partition("-")[0])
    request = WatchRequest(tool=(tool, tool.options(**options)), replay=str(ROOT / "fixtures" / fixture / "trace.dat"))
    app = LiveApp(Engine(request), looks=Looks(fps=50))
    found: list[str] = []

    async def session() -> None:
        async with app.run_test(size=(120, 30)) as pilot:
            await _until_read(app, pilot)
            await press(pilot, *keys)
            await pilot.pause(0.2)
            found.extend(screen(app))
            await pilot.press("q")

    asyncio.run(asyncio.wait_for(session(), 60))
    return found, app


async def _until_read(app: LiveApp, pilot: Pilot[None]) -> None:
    while app.run_ is None or not app.run_.engine.join(0):
        await pilot.pause(0.02)
    await pilot.pause(0.1)


def counted(line: str, keys: tuple[str, ...], letters: int = 0) -> None:
    """The page names these keys, and how many they are besides the letters of what is looked for."""
    named = " ".join(f"`{NAMES.get(key, key)}`" for key in keys)
    assert named in line
    number = re.search(r"\| (\d+)(?: \+ letters)? \|", line)
    assert number is not None
    assert int(number[1]) == len(keys)
    assert bool(letters) == ("+ letters" in line)


def test_who_opens_this_file() -> None:
    keys = ("right", "right", "t")
    counted(asked("who opens this file"), keys)
    lines, _app = answer("opensnoop-k7.3", {"filename": kit.pattern("/etc/passwd")}, *keys)
    assert [line.split()[0:3:2] for line in lines[1:3]] == [["1", "cat"], []]


def test_which_process_has_most_failing_calls() -> None:
    keys = ("right", "right", "s")
    counted(asked("which process has most failing system calls"), keys)
    # Rows have a time in front here, where a table of each second has none.
    lines, _app = answer("syscount-k6.18", {}, "right", *keys)
    errors = [int(line.split()[3]) for line in lines[1:] if line]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0


def test_why_is_this_disk_slow() -> None:
    keys = ("left", "left", "s", "H", "enter")
    counted(asked("why is this disk slow"), keys)
    slowest, app = answer("iosnoop-k6.1", {}, *keys[:3])
    latencies = [row.lat_ns for row in app.run_.engine.rows.items(0, 1000) if hasattr(row, "lat_ns")]  # type: ignore[union-attr]
    assert f"{max(latencies) / 1e6:.3f}" in slowest[1]
    spread, _app = answer("iosnoop-k6.1", {}, *keys)
    assert "FROM LATms" in spread[0]


def test_who_wakes_this_thread() -> None:
    """Events of one thread's wakeups; here the recording is narrowed to them, as the command's filter does live."""
    keys = ("right", "right", "t")
    counted(asked("who wakes this thread"), keys)
    tool = kit.load("runqlat")
    path = str(ROOT / "fixtures/runqlat-k6.18/trace.dat")
    app = LiveApp(Engine(WatchRequest(tool=(tool, tool.options()), replay=path)), looks=Looks(fps=50))

    async def session() -> None:
        async with app.run_test(size=(120, 30)) as pilot:
            await _until_read(app, pilot)
            assert app.run_
            woken = next(one for one in app.run_.engine.events.items(0, 1000) if getattr(one, "name", "") == "sched_wakeup")
            await press(pilot, "2", "f", *f'event == "sched_wakeup" && pid == {woken["pid"]}', "enter")  # type: ignore[index]
            wakeups = page(app).end
            await press(pilot, *keys)
            assert sum(int(line.split()[0]) for line in screen(app)[1:] if line) == wakeups > 0
            await pilot.press("q")

    asyncio.run(asyncio.wait_for(session(), 60))


def test_what_a_function_calls_and_for_how_long() -> None:
    line = asked("what does this function call, and for how long")
    counted(line, ())
    assert "`5`" in line
    lines, _app = answer("funcgraph-k6.12", {"functions": ("*",)})
    assert re.search(r"407\.699 do_sys_openat2$", lines[1])
    assert re.search(r"154\.641   getname$", lines[2])


def test_what_happened_in_the_second_before() -> None:
    keys = ("slash", "enter", "left_square_bracket")
    line = asked("what happened in the second before X")
    counted(line, keys, letters=1)
    _lines, app = answer("execsnoop-k7.3", {}, "slash", *"nice", "enter")
    there = page(app).listing.look.ts(page(app).item(app.view.cursor))
    _lines, app = answer("execsnoop-k7.3", {}, "slash", *"nice", *keys[1:])
    look = page(app).listing.look
    assert look.ts(page(app).item(app.view.cursor)) >= there - 1_000_000_000
    before = page(app).item(app.view.cursor - 1) if app.view.cursor > page(app).first else None
    assert before is None or look.ts(before) < there - 1_000_000_000


@pytest.mark.parametrize("program", ["csysdig", "below", "htop", "KernelShark", "trace-cmd"])
def test_the_page_compares_with(program: str) -> None:
    assert program in PAGE
