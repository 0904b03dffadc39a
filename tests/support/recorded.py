"""Feeds made of real sub-buffers, for tools that need what only decoded events have: their bytes and flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftracepy.analysis.feed import Feed
from ftracepy.batch import Batch, decoder_for
from ftracepy.schema import EventFormat, Schema, parse_event_format
from ftracepy.sidefacts import Kind, SideFact, pack
from tests.support.pages import PageWriter, event_format, schema

ALL_NS = 2**64 - 1
STACK = event_format("kernel_stack", 4, "int size; 8; 4; 1", "unsigned long caller[]; 16; 0; 0", system="ftrace")
RAW = event_format("raw_data", 5, "unsigned int id; 8; 4; 0", "char buf[]; 12; 0; 0", system="ftrace")
_COMMON = "".join(
    f"\tfield:{one};\n"
    for one in (
        "unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0",
        "unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0",
        "unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0",
        "int common_pid;\toffset:4;\tsize:4;\tsigned:1",
    )
)


def kernel_format(system: str, name: str, number: int, fields: Sequence[str], print_fmt: str) -> EventFormat:
    """An event as its format file has it: `fields` are "DECLARATION; OFFSET; SIZE; SIGNED"."""
    lines = []
    for one in fields:
        declaration, offset, size, signed = (part.strip() for part in one.split(";"))
        lines.append(f"\tfield:{declaration};\toffset:{offset};\tsize:{size};\tsigned:{signed};\n")
    text = f"name: {name}\nID: {number}\nformat:\n{_COMMON}\n{''.join(lines)}\nprint fmt: {print_fmt}\n"
    return parse_event_format(text, system)


class Recorded:
    """One CPU after another: `at(cpu, ts, name, **values)` in any order; `loss` is put before the next event of its CPU."""

    def __init__(self, *formats: EventFormat, kallsyms: str = "") -> None:
        self.schema: Schema = schema(STACK, RAW, *formats)
        self.schema.kallsyms = kallsyms
        self._write = PageWriter(self.schema)
        self._pages: list[tuple[int, bytes]] = []
        self._lost: dict[int, int] = {}
        self.losses: list[tuple[int, int | None]] = []

    def at(self, ts: int, name: str, /, *, cpu: int = 0, **values: Any) -> None:
        page = self._write.page(ts, self._write.event(name, **values), lost=self._lost.pop(cpu, 0))
        self._pages.append((cpu, page))

    def fact(self, ts: int, kind: Kind, body: bytes) -> None:
        self.fact_of(1, ts, kind, body)

    def fact_of(self, tid: int, ts: int, kind: Kind, body: bytes) -> None:
        for piece in pack(SideFact(kind, tid, ts, body)):
            self.at(ts, "raw_data", id=int.from_bytes(piece[:4], "little"), buf=piece[4:])

    def lose(self, count: int, *, cpu: int = 0) -> None:
        self._lost[cpu] = count

    def feed(self, *, batch_events: int = 65536) -> Feed:
        return Feed(
            batches(self.schema, self._pages, batch_events), self.schema, loss=lambda cpu, count: self.losses.append((cpu, count))
        )


def batches(schema: Schema, pages: Sequence[tuple[int, bytes]], batch_events: int) -> Iterator[Batch]:
    """All that sub-buffers hold, of which each comes with its CPU, so many events at a time."""
    decoder = decoder_for(schema, sorted({cpu for cpu, _ in pages} or {0}))
    for cpu, page in pages:
        decoder.feed(cpu, page)
    while True:
        batch = decoder.batch(ALL_NS, batch_events)
        yield batch
        if len(batch) < batch_events:
            return


def kallsyms(symbols: Mapping[str, int]) -> str:
    return "".join(f"{address:016x} T {name}\n" for name, address in symbols.items())
