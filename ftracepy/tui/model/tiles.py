"""Which tools make the overview."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ftracepy.pipeline.watch import WatchRequest
from ftracepy.tools import kit
from ftracepy.tui.model.engine import Engine
from ftracepy.tui.model.overview import Figure, Overview, Tile

# Of each tile: the overview's runs share the memory of one.
_KEEP = 100_000
_RECALL_BYTES = 16 << 20


def _latencies(rows: Sequence[Any]) -> str:
    """Of the requests that are shown."""
    taken = sorted(one.lat_ns for one in rows if one.lat_ns is not None)
    if not taken:
        return ""
    middle, high = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
    return f"half {_ms(middle)}, 1 % from {_ms(high)}, longest {_ms(taken[-1])}"


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.2f}ms"


def _failed(rows: Sequence[Any]) -> str:
    return f"of {sum(one.count for one in rows):,} calls by these"


def _longest(rows: Sequence[Any]) -> str:
    return f"longest {_ms(max(one.max_ns for one in rows))} in {sum(one.count for one in rows):,} waits"


# What to look at first, as title, tool with its options, the column to sort by, and words about the rows; a tool that this
# kernel cannot carry says so in its tile. Those of the same tool and options share a run. What matters less comes last.
TILES: tuple[tuple[str, str, dict[str, Any], str, Figure | None], ...] = (
    ("system calls by process", "syscount", {"interval": 1.0}, "count", None),
    ("failing system calls", "syscount", {"interval": 1.0}, "errors", _failed),
    ("programs started", "execsnoop", {}, "", None),
    ("run queue", "runqlat", {"interval": 1.0}, "total_ns", _longest),
    ("block I/O", "iosnoop", {}, "", _latencies),
    ("failed opens", "opensnoop", {"failed": True}, "", None),
    ("TCP retransmits", "tcpretrans", {}, "", None),
    ("signals", "killsnoop", {}, "", None),
)


def overview(given: WatchRequest) -> Overview:
    """The overview on the tracefs of `given`."""
    known = set(kit.names())
    engines: dict[str, Engine] = {}
    tiles = []
    for title, name, options, column, figure in TILES:
        if name in known:
            tool = kit.load(name)
            key = f"{name} {options}"
            if key not in engines:
                engines[key] = Engine(
                    dataclasses.replace(given, tool=(tool, tool.options(**options)), recall_bytes=_RECALL_BYTES), keep=_KEEP
                )
            tiles.append(Tile(title, engines[key], sorted_by=column, figure=figure))
    return Overview(tiles)
