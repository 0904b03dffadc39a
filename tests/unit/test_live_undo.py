"""Threads and undoing that an interrupt can strike: waited for to the end, and nothing is skipped."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from ftracepy.live.meanwhile import Meanwhile
from ftracepy.live.undo import UndoStack


def test_work_is_waited_for_and_its_error_raised() -> None:
    gate = threading.Lock()
    gate.acquire()
    done: list[int] = []

    def work() -> None:
        gate.acquire()
        done.append(1)
        raise ZeroDivisionError

    one = Meanwhile(work)
    one.wait()  # not begun: nothing to wait for
    one.start()
    assert not one.is_over
    gate.release()
    with pytest.raises(ZeroDivisionError):
        one.finish()
    assert (done, one.is_over) == ([1], True)
    one.wait()


def test_an_interrupt_waits_until_all_is_undone() -> None:
    undone: list[str] = []

    def struck() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        undone.append("second")

    stack = UndoStack()
    stack.callback(undone.append, "first")
    stack.callback(struck)
    stack.callback(undone.append, "third")
    with pytest.raises(KeyboardInterrupt):
        stack.close()
    assert undone == ["third", "second", "first"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_undo_without_touching_handlers() -> None:
    undone: list[str] = []

    def work() -> None:
        with UndoStack() as stack:
            stack.callback(undone.append, "there")

    one = Meanwhile(work)
    one.start()
    one.finish()
    assert undone == ["there"]
