"""Makes a small recording long: its events again and again, each time later by as much as they lasted."""

from __future__ import annotations

import struct
from collections import defaultdict
from pathlib import Path
from random import Random

from ftracepy import recording
from ftracepy.recording.codecs import NONE
from ftracepy.recording.encode import PageEncoder
from ftracepy.schema import PageLayout
from ftracepy.source import Pages
from ftracepy.stream import Stream

_GAP_NS = 1000
_BLOCK_EVENTS = 20_000  # encoded one by one; the rest is copies of their sub-buffers


def repeat(source: Path, made: Path, events: int, cpus: int = 0, compression: str = NONE) -> int:
    """Write `source` so often into `made`, in full sub-buffers, that it has at least `events`.

    Returns how many it has. Recorders that read often leave sub-buffers nearly empty, which would measure reading alone.
    With `cpus`, each event is some CPU's of so many: where one merges, no two runs of a CPU are alike.
    """
    deal = Random(cpus)
    with recording.open(source) as opened:
        every = (event for batch in Stream(opened) for event in batch)
        found = [(event.ts, deal.randrange(cpus) if cpus else event.cpu, event.raw) for event in every]
        lasted_ns = found[-1][0] - found[0][0] + _GAP_NS
        copies = max(_BLOCK_EVENTS // len(found), 1)
        layout = opened.schema.page
        block = _encoded(layout, [(ts + copy * lasted_ns, cpu, raw) for copy in range(copies) for ts, cpu, raw in found])
        times = -(-events // (len(found) * copies))
        texts, page_bytes = opened.texts, layout.size_bytes
        with recording.Writer(made, texts, sorted(block), page_bytes=page_bytes, compression=compression) as writer:
            for number in range(times):
                for cpu, pages in block.items():
                    writer.write(Pages(cpu, _later(pages, layout, number * copies * lasted_ns)))
    return len(found) * copies * times


def _encoded(layout: PageLayout, found: list[tuple[int, int, bytes]]) -> dict[int, bytes]:
    pages: dict[int, bytearray] = defaultdict(bytearray)
    encoders = {cpu: PageEncoder(layout, pages[cpu].extend) for cpu in sorted({cpu for _ts, cpu, _raw in found})}
    for ts, cpu, raw in found:
        encoders[cpu].add(ts, raw)
    for encoder in encoders.values():
        encoder.flush()
    return {cpu: bytes(data) for cpu, data in pages.items()}


def _later(pages: bytes, layout: PageLayout, by_ns: int) -> bytearray:
    stamp = struct.Struct(">Q" if layout.big_endian else "<Q")
    data = bytearray(pages)
    for at in range(0, len(data), layout.size_bytes):
        stamp.pack_into(data, at, stamp.unpack_from(data, at)[0] + by_ns)
    return data
