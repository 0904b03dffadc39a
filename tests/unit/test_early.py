"""Which command lines have an instance made before they are understood."""

from __future__ import annotations

import pytest

from ftracepy.cli.early import _traces


@pytest.mark.parametrize("line", ["opensnoop", "opensnoop -x -p 12", "killsnoop --limit 1", "tpoint sched:sched_switch"])
def test_a_tool_that_will_trace(line: str) -> None:
    assert _traces(line.split())


@pytest.mark.parametrize(
    "line",
    ["", "--help", "opensnoop --help", "opensnoop --replay x", "tpoint -l", "report x", "opensnoop -b 64", "execsnoop -- true"],
)
def test_what_traces_nothing_or_something_else(line: str) -> None:
    assert not _traces(line.split())
