"""Both decoders, so that every test of one is a test of the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from ftracepy.batch import Batch, Decoder, decoder_arguments
from ftracepy.schema import Schema

ALL_NS = 2**64 - 1


def implementations() -> list[str]:
    """Names of the decoders that can be used here: the C one only where it was built."""
    try:
        import_module("ftracepy._fastparse._core")
    except ImportError:
        return ["twin"]
    return ["_core", "twin"]


def decoder(name: str, schema: Schema, cpus: Sequence[int] = (0,)) -> Decoder:
    made: Decoder = import_module(f"ftracepy._fastparse.{name}").Decoder(*decoder_arguments(schema), list(cpus))
    return made


def decode(name: str, schema: Schema, data: Mapping[int, bytes], until_ns: int = ALL_NS, max_events: int = 1 << 20) -> Batch:
    """Everything in `data` (CPU → sub-buffers) as one batch."""
    fed = decoder(name, schema, sorted(data))
    for cpu, pages in data.items():
        fed.feed(cpu, pages)
    return fed.batch(until_ns, max_events)


def picture(batch: Batch) -> dict[str, Any]:
    """All that a batch says, in values that can be compared."""
    return {
        "events": [
            (one.ts, one.cpu, one.pid, one.id, one.system, one.name, one.flags, one.preempt_count, one.raw, dict(one))
            for one in batch
        ],
        "columns": [column.tolist() for column in (batch.ts, batch.cpu, batch.id, batch.pid)],
        "losses": batch.losses,
        "faults": batch.faults,
        "until_ns": batch.until_ns,
    }


def columns_picture(batch: Any, wanted: dict[int, list[str]]) -> dict[str, Any]:
    """The same of columns: of every event, and of the wanted fields (event id → names)."""
    return {
        "rows": [column.tolist() for column in (batch.ts, batch.cpu, batch.id, batch.pid)],
        "fields": {(id, name): [part.tolist() for part in batch.column(id, name)] for id in wanted for name in wanted[id]},
        "rest": (len(batch), batch.losses, batch.faults, batch.until_ns),
    }
