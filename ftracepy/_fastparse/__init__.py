"""Sub-buffers to events: the C core where it was built, else (or with FTRACEPY_TWIN=1) its plain Python twin."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

__all__ = [
    "IMPLEMENTATION", "Batch", "CallCounter", "ColumnBatch", "Decoder", "Event", "RowMaker", "TextMachine", "call_counter",
    "row_maker",
]  # fmt: skip

IMPLEMENTATION = "python"

if TYPE_CHECKING:
    from ftracepy._fastparse._core import Batch, CallCounter, ColumnBatch, Decoder, Event, RowMaker, TextMachine
elif os.environ.get("FTRACEPY_TWIN") == "1":
    from ftracepy._fastparse.twin import Batch, ColumnBatch, Decoder, Event
else:
    try:
        from ftracepy._fastparse._core import Batch, ColumnBatch, Decoder, Event

        IMPLEMENTATION = "c"
    except ImportError:
        from ftracepy._fastparse.twin import Batch, ColumnBatch, Decoder, Event


def call_counter(batch: Batch) -> type[CallCounter]:
    """The class that counts the calls of batches like this one."""
    if IMPLEMENTATION == "c":
        from ftracepy._fastparse import _core

        if isinstance(batch, _core.Batch):
            return _core.CallCounter
    from ftracepy._fastparse import twin_calls

    return twin_calls.CallCounter  # type: ignore[return-value]


def row_maker() -> type[RowMaker]:
    """The class that makes plain rows, where IMPLEMENTATION is "c"; the twin has none: there every row is made by itself."""
    from ftracepy._fastparse import _core

    return _core.RowMaker
