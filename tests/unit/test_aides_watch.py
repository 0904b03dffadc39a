"""What a round of the relay tells is what its reports tell one by one."""

from __future__ import annotations

import random
import struct

import pytest

from ftracepy.live.aides import fanotify
from ftracepy.live.aides.fanotify import FAN_MOVED_FROM, FAN_ONDIR, FAN_OPEN, FAN_OPEN_EXEC, FAN_Q_OVERFLOW
from ftracepy.live.aides.watch import Watch
from tests.support.reports import report

FOLDERS = {b"folder-1": b"/one", b"folder-2": b"/", b"folder-3": b""}
NAMES = (b"a", b"b c", b".", b"", b"\xff", b"long" * 60)
MASKS = (*[FAN_OPEN] * 9, FAN_OPEN | FAN_OPEN_EXEC, FAN_OPEN | FAN_ONDIR, FAN_MOVED_FROM | FAN_ONDIR, FAN_Q_OVERFLOW, 0)
_PATH = struct.Struct("=QiI")


class Known(Watch):
    """A watch that knows folders by their handles and asks no kernel."""

    def _folder(self, report: fanotify.Opened) -> bytes:
        return FOLDERS.get(report.handle[8:], b"")


def made(dice: random.Random) -> list[tuple[int, bytes]]:
    pieces = []
    for _ in range(dice.randrange(1, 5)):
        if dice.random() < 0.3:
            rows = [(dice.choice(MASKS), dice.choice((7, 8, 9)), dice.choice((b"/x", b"", b"/gone (deleted)"))) for _ in range(3)]
            pieces.append((1, b"".join(_PATH.pack(mask, tid, len(path)) + path for mask, tid, path in rows)))
        else:
            rows = [(dice.choice(MASKS), dice.choice((7, 8, 9)), dice.choice(NAMES)) for _ in range(dice.randrange(9))]
            folders = dice.choices((*FOLDERS, b"folder-4"), k=len(rows))
            reports = [report(mask, tid, folder, name) for (mask, tid, name), folder in zip(rows, folders, strict=True)]
            pieces.append((0, b"".join(reports)))
    return pieces


@pytest.mark.parametrize("seed", range(200))
def test_rounds_are_read_as_reports_one_by_one(seed: int) -> None:
    dice = random.Random(seed)
    scope = dice.choice(((7, 8, 9), (8,)))
    quick, slow = Known(wants=scope.__contains__), Known(wants=scope.__contains__)
    for _ in range(4):
        pieces = made(dice)
        parse = {0: lambda piece: fanotify.parse(piece, slow.wants), 1: fanotify.parse_paths}
        assert quick.relayed(pieces) == slow.paths([(queue, list(parse[queue](piece))) for queue, piece in pieces])


@pytest.mark.parametrize("cut", [1, 23, 24, 30, 47, 60])
def test_a_report_cut_short_ends_the_reading(cut: int) -> None:
    whole = report(FAN_OPEN, 7, b"folder-1", b"a")
    watch = Known()
    assert [path.path for path in watch.relayed([(0, whole + whole[:cut])])][:1] == [b"/one/a"]
