"""What processes could run, from our own facts in a recording's stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ftracepy.schema import EventFormat
from ftracepy.sidefacts import MAGIC, Kind, Unpacker

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch

Area = tuple[int, int, int, bytes]  # process, first address, the one behind the last, path


def areas_in(batch: Batch, facts: EventFormat, unpacker: Unpacker) -> Iterator[tuple[int, list[Area]]]:
    """Processes that `batch` tells of, and where which file lies in their memory."""
    payload = facts.field("buf")
    try:
        indices, identities = batch.column(facts.id, "id")
    except (KeyError, TypeError):  # a format without it
        return
    for index, identity in zip(indices, identities, strict=True):
        if identity & 0xFFFFFFFF != MAGIC or payload is None:
            continue
        for fact in unpacker.unpack(MAGIC, batch[index].raw[payload.offset :]):
            if fact.kind is Kind.MAPS:
                lines = (_area(fact.tid, line) for line in fact.body.split(b"\n"))
                yield fact.tid, [one for one in lines if one]


def _area(process: int, line: bytes) -> Area | None:
    """`START END OFFSET IDENTITY PATH`, numbers in hex."""
    parts = line.split(b" ", 4)
    try:
        start, end = int(parts[0], 16), int(parts[1], 16)
        return (process, start, end, parts[4]) if start < end < 1 << 64 and process >= 0 else None
    except (ValueError, IndexError):
        return None
