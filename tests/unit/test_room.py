"""How large buffers are: what a tool asks for, and what is made of it."""

from __future__ import annotations

import pytest

from ftracepy.live import room
from ftracepy.tools import listed


@pytest.mark.parametrize(
    ("wanted", "made", "default", "grown"),
    [
        (8192, 1410, 8192, 8192),
        (64, 1410, 8192, 64),
        (room.AS_MADE, 1410, 8192, None),
        (room.AS_MADE, 1024, 8192, None),
        (room.AS_MADE, 1023, 8192, 8192),  # the kernel makes small ones here: they do not hold seconds
        (room.AS_MADE, 1410, 512, 512),  # memory is short
        (room.AS_MADE, None, 8192, 8192),  # CPUs differ
    ],
)
def test_sizes(wanted: int, made: int | None, default: int, grown: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "default_buffer_kb", lambda: default)
    assert room.grown_kb(wanted, made) == grown


def test_only_tools_of_few_events_ask_for_less() -> None:
    assert {name for name in listed.names() if room.wanted_kb(name) is not None} == {"killsnoop", "tcpretrans"}
