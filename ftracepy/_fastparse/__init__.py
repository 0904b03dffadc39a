"""Sub-buffers to events: the C core where it was built, else (or with FTRACEPY_TWIN=1) its plain Python twin."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

__all__ = ["IMPLEMENTATION", "Batch", "CallCounter", "ColumnBatch", "Decoder", "Event", "call_counter"]

IMPLEMENTATION = "python"

if TYPE_CHECKING:
    from ftracepy._fastparse._core import Batch, CallCounter, ColumnBatch, Decoder, Event
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
