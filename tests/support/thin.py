"""Makes a recording small enough for a fixture: of the kernel's symbols it keeps those that its events speak of.

python -m tests.support.thin trace.dat
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

from ftracepy import recording
from ftracepy.stream import Stream

_CODE = ("ip", "parent_ip", "func", "__probe_ip", "__probe_func", "__probe_ret_ip", "caller")


def thin(path: str) -> None:
    draft = f"{path}.draft"
    with recording.open(path) as one:
        texts = replace(one.texts, kallsyms=needed(one.texts.kallsyms, set(_addresses(one))))
        again = one.again()
        with recording.Writer(draft, texts, one.cpus, compression="zlib") as writer:
            for round_ in again.rounds():
                for pages in round_.pages:
                    writer.write(pages)
            writer.finish(one.health().stats)
    os.replace(draft, path)


def _addresses(one: recording.Recording) -> Iterator[int]:
    for batch in Stream(one):
        for event in batch:
            for name in _CODE:
                value = event.get(name)
                yield from (value,) if isinstance(value, int) else value if isinstance(value, tuple) else ()


def needed(kallsyms: bytes, addresses: set[int]) -> bytes:
    """The lines of the symbols that these addresses lie in, and of those behind them, which say how far they reach."""
    rows = sorted((int(line.split(None, 1)[0], 16), line) for line in kallsyms.splitlines() if line.strip())
    starts = [start for start, _line in rows]
    keep: set[int] = set()
    for address in addresses:
        at = bisect_right(starts, address & (1 << 64) - 1) - 1
        if at >= 0:
            after = bisect_right(starts, starts[at])
            keep |= {row for row in (at, after) if row < len(starts)}
    same = {starts[row] for row in keep}
    return b"".join(line + b"\n" for start, line in rows if start in same)


if __name__ == "__main__":
    thin(sys.argv[1])
