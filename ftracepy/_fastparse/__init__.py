"""Sub-buffers to events: the C core where it was built, else (or with FTRACEPY_TWIN=1) its plain Python twin."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

__all__ = ["IMPLEMENTATION", "Batch", "Decoder", "Event"]

IMPLEMENTATION = "python"

if TYPE_CHECKING:
    from ftracepy._fastparse._core import Batch, Decoder, Event
elif os.environ.get("FTRACEPY_TWIN") == "1":
    from ftracepy._fastparse.twin import Batch, Decoder, Event
else:
    try:
        from ftracepy._fastparse._core import Batch, Decoder, Event

        IMPLEMENTATION = "c"
    except ImportError:
        from ftracepy._fastparse.twin import Batch, Decoder, Event
