"""The tool that a recording was made with."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy.cli.live import _as_recorded
from ftracepy.pipeline.recorded import _words, tool_words
from ftracepy.pipeline.watch import WatchRequest

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.mark.parametrize(("fixture", "words"), [
    ("opensnoop-k6.18", ("opensnoop",)),
    ("hist-k6.1", ("hist", "syscalls:sys_exit_read", "ret")),
    ("funcslower-k6.12", ("funcslower", "do_nanosleep", "vfs_open", "1000")),
])  # fmt: skip
def test_a_recording_tells_its_tool(fixture: str, words: tuple[str, ...]) -> None:
    path = str(FIXTURES / fixture / "trace.dat")
    assert tool_words(path) == words
    request = _as_recorded(path, WatchRequest(replay=path))
    assert request.tool is not None
    assert (request.tool[0].name, request.replay) == (words[0], path)


def test_what_is_no_recording_has_none(tmp_path: Path) -> None:
    (tmp_path / "no").write_bytes(b"nothing of the kind")
    assert tool_words(str(tmp_path / "no")) == ()
    assert tool_words(str(tmp_path / "missing")) == ()
    given = WatchRequest(replay=str(tmp_path / "no"))
    assert _as_recorded(str(tmp_path / "no"), given) is given


@pytest.mark.parametrize(("argv", "words"), [
    (["ftracepy", "live", "opensnoop", "-x"], ("opensnoop", "-x")),
    (["ftracepy", "opensnoop", "-x", "--", "make"], ("opensnoop", "-x")),
    (["ftracepy", "record", "--tool", "opensnoop"], ("opensnoop",)),
    (["ftracepy", "record", "--tool", "opensnoop 'unclosed"], ("opensnoop",)),
    (["ftracepy", "record", "--tool", "opensnoop -x /etc", "-o", "x.dat"], ("opensnoop", "-x", "/etc")),
    ("nonsense", ("opensnoop",)), (None, ("opensnoop",)),
])  # fmt: skip
def test_its_options_are_those_of_the_command_line(argv: object, words: tuple[str, ...]) -> None:
    assert _words({"tool": "opensnoop", "argv": argv}) == words


def test_no_tool_no_words() -> None:
    assert _words({"tool": "", "argv": ["ftracepy", "record"]}) == ()
    assert _words({"tool": 7}) == ()
