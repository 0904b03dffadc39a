"""The order in which a recording's pieces are handed over, so that little must be held to sort all CPUs by time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush

from ftracepy.recording.pieces import Piece
from ftracepy.source import Round


def rounds(cpus: Iterable[Iterator[Piece]], stopped: Callable[[], bool]) -> Iterator[Round]:
    """Yield one piece a round, always the one that begins earliest.

    So at most one piece per CPU, the one whose end is later than the others' beginnings, waits at
    any time in whoever sorts the events.
    """
    heads = [(piece.first_ns, number, piece, rest) for number, rest in enumerate(cpus) if (piece := next(rest, None))]
    heapify(heads)
    while heads and not stopped():
        _, number, piece, rest = heappop(heads)
        if following := next(rest, None):
            heappush(heads, (following.first_ns, number, following, rest))
        last = not heads or stopped()
        yield Round((piece.pages,), 0 if last else heads[0][0], last)
        if last:
            return
    yield Round(last=True)
