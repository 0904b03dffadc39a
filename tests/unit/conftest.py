"""No test may leave a thread behind: it would read and close what its numbers of files stand for in later tests."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator

import pytest

_PATIENCE_S = 10  # a thread that has been told to end may still be about it


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(sys._current_frames())
    yield
    until = time.monotonic() + _PATIENCE_S
    while (left := sys._current_frames().keys() - before) and time.monotonic() < until:
        time.sleep(0.01)
    frames = sys._current_frames()
    stacks = ["".join(traceback.format_stack(frames[one])) for one in left if one in frames]
    assert not stacks, "a thread goes on:\n" + "\n".join(stacks)
