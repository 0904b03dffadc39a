"""Rounds that the core tells at once are told as all others: the same facts, written in the same order."""

from __future__ import annotations

import fcntl
import os
import random
import struct
import sys
import time
from collections.abc import Iterator
from itertools import zip_longest

import pytest

from ftracepy import _fastparse
from ftracepy.live.aides import fanotify
from ftracepy.live.aides.fanotify import FAN_MOVED_FROM, FAN_ONDIR, FAN_OPEN, FAN_Q_OVERFLOW
from ftracepy.live.aides.opens import OpensAide
from ftracepy.live.aides.relay import Relay
from ftracepy.live.aides.watch import Watch
from ftracepy.sidefacts import MAGIC, SideFact, pack
from tests.support.reports import report

FOLDERS = {b"folder-1": b"/one", b"folder-2": b"/", b"folder-3": b"", b"folder-4": b"/" + b"deep/" * 150}
NAMES = (*[b"a"] * 9, b"b c", b".", b"", b"\xff", b"long" * 60)
MASKS = (*[FAN_OPEN] * 30, FAN_OPEN | FAN_ONDIR, FAN_MOVED_FROM | FAN_ONDIR, FAN_Q_OVERFLOW)
OTHERS = (2_000_000_001, 2_000_000_002)  # no thread has those numbers
_PIPE_BYTES = 1 << 20

pytestmark = pytest.mark.skipif(_fastparse.IMPLEMENTATION != "c", reason="the twin tells each by itself")


class Known(Watch):
    """A watch that knows folders by their handles and asks no kernel."""

    def _folder(self, report: fanotify.Opened) -> bytes:
        return FOLDERS.get(report.handle[8:], b"")


class Written:
    """Facts as they are written; past the call, too, if `is_direct`."""

    def __init__(self, is_direct: bool) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK)
        fcntl.fcntl(self._write, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._is_direct = is_direct

    def __call__(self, fact: SideFact) -> None:
        for piece in pack(fact):
            os.write(self._write, piece)

    def fd(self) -> int:
        return self._write if self._is_direct else -1

    def all(self) -> bytes:
        try:
            return os.read(self._read, _PIPE_BYTES)
        except BlockingIOError:
            return b""
        finally:
            os.close(self._read)
            os.close(self._write)


def piece(dice: random.Random) -> tuple[int, bytes]:
    tids = (*OTHERS, *OTHERS, os.getpid())
    if dice.random() < 0.02:
        path = dice.choice((b"/x", b""))
        return 1, struct.pack("=QiI", FAN_OPEN, dice.choice(tids), len(path)) + path
    rows = [
        report(dice.choice(MASKS), dice.choice(tids), dice.choice((*FOLDERS, b"folder-5")), dice.choice(NAMES))
        for _ in range(dice.choice((1, 1, 1, 1, 2, 5, 70)))
    ]
    return 0, b"".join(rows) + bytes(dice.choice((0,) * 40 + (7,)))


def rounds(dice: random.Random) -> Iterator[bytes]:
    """What the relay writes: pieces, then a fence, the last round perhaps cut short."""
    at = dice.choice((0, 5_000_000_000))
    for _ in range(dice.randrange(1, 80)):
        at += dice.randrange(1, 1000)
        for _ in range(dice.choice((0, 1, 1, 1, 1, 2))):
            kind, data = piece(dice)
            yield struct.pack("=IIQQ", kind, len(data), at, at + 5) + data
        yield struct.pack("=IIQQQ", 2, 8, at, at + 10, dice.choice((0,) * 40 + (3,)))
    yield struct.pack("=IIQQ", 0, 4000, at, at + 5)[: dice.randrange(24)]


def told(data: list[bytes], is_direct: bool) -> tuple[bytes, int, int]:
    """What is written of these pieces of the pipe, up to when, and how much of it at once."""
    written = Written(is_direct)
    aide, relay = OpensAide(), Relay(-1, -1)
    aide._relay, aide._watch, aide._mark = relay, Known(wants=aide._in_scope), written
    at_once = 0
    for one in data:
        os.write(relay._out, one)
        relay.is_drained = False
        while not relay.is_drained:
            aide.report()
            at_once += aide._told_at_once
    os.close(relay._out)
    relay.close()
    return written.all(), aide._reached, at_once


def first_difference(ours: bytes, theirs: bytes) -> tuple[int, bytes | None, bytes | None] | None:
    """The first fact that differs, by its number; pytest's own comparison of all of them takes minutes."""
    mark = MAGIC.to_bytes(4, sys.byteorder)
    pairs = enumerate(zip_longest(ours.split(mark), theirs.split(mark)))
    return next(((at, one, other) for at, (one, other) in pairs if one != other), None)


@pytest.mark.parametrize("seed", range(150))
def test_what_is_told_at_once_is_what_is_told_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic_ns", lambda: 7)  # notices have the time
    dice = random.Random(seed)
    whole = b"".join(rounds(dice))
    cuts = sorted(dice.randrange(len(whole) + 1) for _ in range(3))
    data = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True) if start < end]
    quick, quick_until, _ = told(data, is_direct=True)
    slow, slow_until, at_once = told(data, is_direct=False)
    assert first_difference(quick, slow) is None
    assert (quick_until, at_once) == (slow_until, 0)


def test_most_is_told_at_once() -> None:
    made = b"".join(
        struct.pack("=IIQQ", 0, len(one), at, at + 5) + one + struct.pack("=IIQQQ", 2, 8, at, at + 10, 0)
        for at in range(1000, 2000)
        for one in (report(FAN_OPEN, OTHERS[0], b"folder-1", b"a"),)
    )
    assert told([made], is_direct=True)[2] > 990  # the first of each part teaches folder and thread


def test_only_a_stream_of_opens_is_told_together() -> None:
    """After a single open its folder may be removed at once: it is not kept waiting for more."""
    aide, relay = OpensAide(), Relay(-1, -1)
    aide._relay = relay
    assert [aide.rest_ms(10_000_000 * at) for at in range(1, 50)] == [0] * 49
    rests = [aide.rest_ms(1_000_000_000 + 3_000_000 * at) for at in range(50)]
    assert rests == [0] * 16 + [2] * 34
    relay.is_drained = False
    assert aide.rest_ms(1_151_000_000) == 0
    os.close(relay._out)
    relay.close()
