"""The screen by its keys: what is pressed, and what stands there then."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Static

from ftracepy.pipeline.watch import WatchRequest
from ftracepy.tools import kit
from ftracepy.tui import actions
from ftracepy.tui.app import LiveApp, Looks
from ftracepy.tui.keys import KEYS
from ftracepy.tui.model.counting import Top
from ftracepy.tui.model.engine import Engine
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.page import Lines
from ftracepy.tui.widgets.lineview import LineView

FIXTURE = Path(__file__).parents[2] / "fixtures/opensnoop-k6.18/trace.dat"
Steps = Callable[[Pilot[None], LiveApp], Awaitable[None]]


def play(steps: Steps, *, size: tuple[int, int] = (100, 24), looks: Looks | None = None) -> LiveApp:
    """Let `steps` press keys in a view of the fixture."""
    tool = kit.load("opensnoop")
    app = LiveApp(Engine(WatchRequest(tool=(tool, tool.options()), replay=str(FIXTURE))), looks=looks or Looks(fps=50))

    async def session() -> None:
        async with app.run_test(size=size) as pilot:
            while app.run_ is None or app.run_.engine.join(0) is False:
                await pilot.pause(0.02)
            await pilot.pause(0.1)
            await steps(pilot, app)
            await pilot.press("q")

    asyncio.run(asyncio.wait_for(session(), 60))
    return app


def screen(app: LiveApp) -> list[str]:
    """The lines of the page as they are drawn."""
    return [app.view.render_line(y).text.rstrip() for y in range(app.view.size.height)]


def page(app: LiveApp) -> ListPage:
    assert isinstance(app.view.page, ListPage)
    return app.view.page


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause(0.1)


def test_rows_then_detail_then_back() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        assert "/etc/ld.so.cache" in screen(app)[1]
        await press(pilot, "down", "down", "enter")
        assert any("path" in line and "workload" in line for line in screen(app))
        await press(pilot, "escape")
        assert app.view.cursor == 2

    play(steps)


def test_a_filter_is_asked_for_and_a_wrong_one_explained() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "f", *"fd = 3", "enter")
        assert "cannot be read" in str(app.query_one("#status").render())
        await press(pilot, *["backspace"] * 6, *'comm == "cat"', "enter")
        assert {page(app).item(place).comm for place in range(page(app).first, page(app).end)} == {"cat"}
        assert 'filter comm == "cat"' in screen(app)[0]

    play(steps)


def test_what_is_typed_ahead_means_what_it_means_later() -> None:
    """As on a slow line: letters behind an Enter are commands again, however soon they come."""

    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        for key in ("f", *"wrong", *["\b"] * 5, *'comm=="cat"', "\r", "/", *"nothing", "\x1b", "/", *"ld.so", "\r", "t"):
            name = {"\r": "enter", "\b": "backspace", "\x1b": "escape", "/": "slash"}.get(key, key)
            app.post_message(Key(name, key))
        await pilot.pause(0.5)
        assert isinstance(app.view.page, Top)
        assert app.view.page.listing.filter is not None
        assert (app.view.page.listing.filter.text, app.view.found) == ('comm=="cat"', "ld.so")

    play(steps)


def test_only_this_value_and_back() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        everything = page(app).end
        await press(pilot, "right", "right", "o")
        assert {page(app).item(place).comm for place in range(page(app).end)} == {"sh"}
        await press(pilot, "O")
        assert page(app).end == 0
        await press(pilot, "escape", "escape")
        assert page(app).end == everything

    play(steps)


def test_the_mouse_chooses_sorts_opens_and_changes_pages() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await pilot.click(LineView, offset=(30, 5))
        await pilot.pause(0.1)
        assert app.view.cursor == 4
        assert page(app).listing.sorted_by is None
        for at, name in ((screen(app)[0].index("COMM"), "comm"), (98, "path")):
            await pilot.click(LineView, offset=(at, 0))
            await pilot.pause(0.1)
            assert page(app).listing.sorted_by == name
            shown = [getattr(page(app).item(place), name) for place in range(page(app).first, page(app).end)]
            assert shown == sorted(shown, reverse=True)
        await pilot.click("#title", offset=(str(app.query_one("#title", Static).render()).index("2 events") + 3, 0))
        await pilot.pause(0.1)
        assert app.view.page.title == "events"
        await pilot.click("#title", offset=(0, 0))
        await pilot.pause(0.1)
        assert app.view.page.title == "events"
        await pilot.click(LineView, offset=(30, 5), times=2)
        await pilot.pause(0.1)
        assert isinstance(app.view.page, Lines)

    play(steps)


def test_sort_hide_widen_and_undo() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, *["right"] * 7, "s")
        paths = [page(app).item(place).path for place in range(page(app).end)]
        assert paths == sorted(paths, reverse=True)
        assert "PATH▼" in screen(app)[0]
        await press(pilot, "S", "left", "left", "minus")
        assert "FLAGS" not in screen(app)[0]
        await press(pilot, "plus")
        assert "FLAGS" in screen(app)[0]

    play(steps)


def test_counting_narrows_the_list() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "right", "right", "t")
        counts = [line.split() for line in screen(app)[1:] if line]
        assert sum(int(one[0]) for one in counts) == app.run_.rows.end if app.run_ else 0
        await press(pilot, "enter")
        assert page(app).end == int(counts[0][0])

    play(steps)


def test_search_goes_to_the_line() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "slash", *"missing", "enter")
        assert page(app).item(app.view.cursor).path == "missing"
        await press(pilot, "n")
        assert "no other line holds 'missing'" in str(app.query_one("#status").render())
        await press(pilot, "end", "slash", *"ld.so.cache", "enter")
        assert page(app).item(app.view.cursor).path == "/etc/ld.so.cache"
        assert "from the top" in str(app.query_one("#status").render())

    play(steps)


def test_every_page_and_the_help_can_be_shown() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        assert app.run_
        for number in range(1, len(app.run_.pages) + 1):
            await press(pilot, str(number))
            assert any(screen(app)), number
        await press(pilot, "question_mark")
        assert any("filter, in the kernel's language" in line for line in screen(app))

    play(steps)


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 50), (20, 4)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        for key in ("1", "2", "3", "4", "5", "6", "question_mark", "escape", "end", "home", "pagedown"):
            await press(pilot, key)
        assert all(len(line) <= size[0] for line in screen(app))

    play(steps, size=size)


def test_columns_that_have_no_room_leave_the_time_out() -> None:
    """Latency stands last in 80 columns."""
    tool = kit.load("iosnoop")
    request = WatchRequest(tool=(tool, tool.options()), replay=str(FIXTURE.parents[1] / "iosnoop-k7.3/trace.dat"))
    app = LiveApp(Engine(request), looks=Looks(fps=50))

    async def session() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            while app.run_ is None or not app.run_.engine.join(0):
                await pilot.pause(0.02)
            await pilot.pause(0.1)
            assert "LATms" in screen(app)[0]
            assert "TIME" not in screen(app)[0]
            await pilot.resize_terminal(120, 24)
            await pilot.pause(0.1)
            assert "LATms" in screen(app)[0]
            assert "TIME" in screen(app)[0]
            await pilot.press("q")

    asyncio.run(asyncio.wait_for(session(), 60))


def test_ascii_is_ascii() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        for key in ("1", "s", "2", "4", "5"):
            await press(pilot, key)
            assert "".join(screen(app)).isascii()

    play(steps, looks=Looks(fps=50, ascii_only=True))


def test_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "2", "3", "4")

    play(steps)


def test_nothing_that_a_page_shows_is_obeyed() -> None:
    """Names of events and fields come from the recording, and pages are made of them in many places."""

    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        app.push(Lines("x\x1b]0;owned\x07", [[("a\x1b[2Jb\u202ec", "event")]], heading=[[("\x9b31m", "head")]]))
        await press(pilot, "down")
        drawn = [*screen(app), str(app.query_one("#title").render())]
        assert not any(set("\x1b\x07\x9b\u202e") & set(line) for line in drawn)
        assert drawn[1] == "a\\x1b[2Jb\\u202ec"

    play(steps)


@pytest.mark.parametrize("time", ["nan", "inf", "-inf", "x", "1e400"])
def test_what_is_no_time_is_told(time: str) -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "g", *time.replace("-", "\n").split("\n")[-1], "enter")
        assert "no time in seconds" in str(app.query_one("#status").render())

    play(steps)


def test_what_is_shown_can_be_written_and_nothing_is_overwritten(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        for name in ("rows.json", "rows.csv", "rows.txt", "screen.svg"):
            await press(pilot, "e")
            prompt = app.query_one("#prompt")
            prompt.value = str(tmp_path / name)  # type: ignore[attr-defined]
            await press(pilot, "enter")
        before = (tmp_path / "rows.txt").read_bytes()
        await press(pilot, "e")
        app.query_one("#prompt").value = str(tmp_path / "rows.txt")  # type: ignore[attr-defined]
        await press(pilot, "enter")
        assert "is there already" in str(app.query_one("#status").render())
        assert (tmp_path / "rows.txt").read_bytes() == before
        await press(pilot, "escape")

    app = play(steps)
    rows = app.run_.rows.end if app.run_ else 0
    assert len((tmp_path / "rows.json").read_text().splitlines()) == rows
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == rows + 1
    assert "ld.so.cache" in (tmp_path / "rows.txt").read_text()
    assert "<svg" in (tmp_path / "screen.svg").read_text()


def test_time_is_walked_and_gone_to() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        listing = page(app).listing
        middle = listing.look.ts(listing.item(listing.end // 2))
        await press(pilot, "g", *f"{middle / 1e9:.6f}", "enter")
        assert abs(listing.look.ts(page(app).item(app.view.cursor)) - middle) < 100_000
        await press(pilot, "left_square_bracket")
        assert app.view.cursor == page(app).first
        await press(pilot, "m", "right_square_bracket")
        assert "from mark" in str(app.query_one("#status").render())

    play(steps)


def test_a_recording_cannot_be_recorded_again() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "R", "enter")
        assert "on disk already" in str(app.query_one("#status").render())
        assert not os.path.exists("last.dat")

    play(steps)


def test_each_key_has_its_action_and_no_key_has_two() -> None:
    keys = [key for one in KEYS for key in one.keys]
    assert len(keys) == len(set(keys))
    for one in KEYS:
        name = one.action.partition("(")[0]
        assert name == "quit" or callable(getattr(actions, name))


def test_the_documentation_has_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs/live.md").read_text()
    assert [one.shown for one in KEYS if f"| `{one.shown}` | {one.what} |\n" not in text] == []


def test_a_recording_that_cannot_be_read_is_told_after_the_screen_is_gone(tmp_path: Path) -> None:
    bad = tmp_path / "bad.dat"
    bad.write_bytes(b"nothing of the kind")
    app = LiveApp(Engine(WatchRequest(replay=str(bad))), looks=Looks(fps=50))

    async def session() -> None:
        async with app.run_test():
            while not app.leaving:
                await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(session(), 60))
    assert app.error is not None
    assert "bad.dat" in app.error.what


def test_a_line_narrows_its_list_to_its_process_or_file_and_back() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        everything, row = page(app).end, page(app).item(2)
        await press(pilot, "down", "down", "w")
        assert [line.split()[1] for line in screen(app)[1:4]] == ["process", "programs", "file"]
        await press(pilot, "3")
        assert {page(app).item(place).path for place in range(page(app).end)} == {row.path}
        await press(pilot, "escape")
        assert (page(app).end, app.view.cursor) == (everything, 2)
        await press(pilot, "enter", "w", "enter")  # from the line in full
        assert {page(app).item(place).pid for place in range(page(app).end)} == {row.pid}

    play(steps)


def test_what_is_drilled_into_is_left_by_one_key() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "4", "end", "enter")
        assert page(app).listing.filter
        await press(pilot, "escape")
        assert app.view.page.title == "processes"
        await press(pilot, "2")
        assert page(app).listing.filter is None

    play(steps)


def test_search_goes_along_with_what_is_typed_and_escape_goes_back() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "slash", *"miss")
        assert page(app).item(app.view.cursor).path == "missing"
        found = app.view.render_line(app.view.cursor - page(app).first + 1)
        assert "miss" in [segment.text for segment in found]
        await press(pilot, "escape")
        assert app.view.cursor == page(app).first

    play(steps)


def test_lines_are_counted_by_a_field_that_is_no_column() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "2", "T", *"prev_nothing", "enter")
        assert "there is no field" in str(app.query_one("#status").render())
        await press(pilot, *["backspace"] * 12, *"system", "enter")
        counts = {line.split()[2]: int(line.split()[0]) for line in screen(app)[1:] if line}
        assert set(counts) >= {"syscalls", "task"}
        assert app.run_
        assert sum(counts.values()) == app.run_.events.end

    play(steps)


def test_from_a_call_to_its_return_and_back() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        await press(pilot, "2", "slash", *"sys_enter_open", "enter")
        call = page(app).item(app.view.cursor)
        await press(pilot, "enter")
        assert any("other end" in line and "sys_exit_open" in line for line in screen(app))
        await press(pilot, "percent_sign")
        back = page(app).item(app.view.cursor)
        assert (back.name, back.pid) == (call.name.replace("enter", "exit"), call.pid)
        assert back.ts > call.ts
        await press(pilot, "percent_sign")
        assert page(app).item(app.view.cursor).ts == call.ts

    play(steps)


def test_a_fault_of_our_own_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal no traceback with all variables, which Textual would draw."""
    monkeypatch.setattr(LiveApp, "is_headless", False)
    seen: list[LiveApp] = []

    def broken(*_given: object) -> list[object]:
        raise RuntimeError("a page that cannot be drawn")

    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        seen.append(app)
        monkeypatch.setattr(ListPage, "line", broken)
        await press(pilot, "down")

    with pytest.raises(RuntimeError, match="cannot be drawn"):
        play(steps)
    (app,) = seen
    assert app.error is not None
    assert app.error.why.startswith("RuntimeError: a page that cannot be drawn (test_app.py:")


def test_a_recording_shows_where_one_is_and_goes_to_a_share_of_it() -> None:
    async def steps(pilot: Pilot[None], app: LiveApp) -> None:
        def stamp() -> int:
            return page(app).listing.look.ts(page(app).item(app.view.cursor))

        first, last, _here = page(app).stamps(0)
        assert "0% line 1 of" in str(app.query_one("#status").render())
        await press(pilot, "g", *"50%", "enter")
        assert first + (last - first) // 2 <= stamp()
        assert page(app).listing.look.ts(page(app).item(app.view.cursor - 1)) < first + (last - first) // 2
        here = stamp()
        await press(pilot, "g", *"-0.000001", "enter")
        assert stamp() == here
        await press(pilot, "g", *"100%", "enter")
        assert stamp() == last
        assert "100% line" in str(app.query_one("#status").render())

    play(steps)


@pytest.mark.parametrize(
    ("given", "ascii_only"), [({"LANG": "C"}, True), ({"LANG": "C.UTF-8"}, False), ({"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, True)]
)
def test_the_locale_that_was_given_says_what_the_terminal_shows(given: dict[str, str], ascii_only: bool) -> None:
    """Not the one that Python gives itself."""
    code = "from ftracepy.tui.app import looks_for_terminal as looks\nprint(looks(plain=False, ascii_only=False).ascii_only)"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    told = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **given}, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert told.stdout == f"{ascii_only}\n"
