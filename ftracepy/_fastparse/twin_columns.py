"""Batches of columns alone in plain Python: the readable specification of core/columns.c and bind_columns.c."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftracepy._fastparse.twin import Batch


class ColumnBatch:
    """Columns of events of all CPUs in time order, without the events; with `only`, those of wanted ids alone."""

    def __init__(self, batch: Batch, wanted: dict[int, set[str]], only: bool) -> None:
        self._wanted = wanted
        self._rows = batch.select(ids=wanted) if only else batch
        rows_before = [0, *accumulate(event.id in wanted or not only for event in batch)]
        self.losses = [(rows_before[at], cpu, count) for at, cpu, count in batch.losses]
        self.faults, self.until_ns = batch.faults, batch.until_ns

    ts = property(lambda self: self._rows.ts)
    cpu = property(lambda self: self._rows.cpu)
    id = property(lambda self: self._rows.id)
    pid = property(lambda self: self._rows.pid)

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, id: int, field: str, /) -> tuple[memoryview, memoryview]:
        if field not in self._wanted.get(id, ()):
            raise KeyError(field)
        return self._rows.column(id, field)
