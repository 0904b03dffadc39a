"""Which tools make the overview."""

from __future__ import annotations

import dataclasses
from typing import Any

from ftracepy.pipeline.watch import WatchRequest
from ftracepy.tools import kit
from ftracepy.tui.model.overview import Overview, Tile

# What to look at first, as title, tool and its options; a tool that this kernel cannot carry says so in its tile.
_TILES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("programs started", "execsnoop", {}),
    ("system calls by process", "syscount", {"interval": 1.0, "top": 5}),
    ("failed opens", "opensnoop", {"failed": True}),
    ("signals", "killsnoop", {}),
    ("block I/O", "iosnoop", {}),
    ("TCP retransmits", "tcpretrans", {}),
)


def overview(given: WatchRequest) -> Overview:
    """The overview on the tracefs of `given`."""
    known = set(kit.names())
    tiles = [(title, kit.load(name), more) for title, name, more in _TILES if name in known]
    return Overview(
        [Tile(title, dataclasses.replace(given, tool=(tool, tool.options(**more)))) for title, tool, more in tiles]
    )  # fmt: skip
