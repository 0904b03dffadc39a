"""System call sites in arm64 code: `mov w8, #NR` shortly before `svc #0` (Arm ARM, C6.2: MOVZ, SVC)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

from ftracepy.symbols.elf import Segment

_SVC_0 = 0xD4000001
_WINDOW = 6
Where = tuple[tuple[str, str], ...]


def sites(data: bytes, code: Sequence[Segment], wanted: Mapping[int, Mapping[str, int]]) -> Iterator[tuple[int, int, Where]]:
    """(file offset, system call number, argument name -> fetch expression) of the instruction before each `svc`.

    The instruction before the `svc` is the last one that can be probed; where it writes an argument register
    itself the site is left out.
    """
    numbers = {movz: nr for nr in wanted for movz in (0x52800008 | nr << 5, 0xD2800008 | nr << 5)}
    for segment in code:
        count = segment.size // 4
        words = struct.unpack_from(f"<{count}I", data, segment.offset)
        for at in (at for at, word in enumerate(words) if word == _SVC_0 and at):
            nr = next((numbers[word] for word in reversed(words[max(0, at - _WINDOW) : at]) if word in numbers), None)
            if nr is not None and words[at - 1] & 31 not in wanted[nr].values():
                where = tuple((name, f"%x{position}") for name, position in wanted[nr].items())
                yield segment.offset + 4 * (at - 1), nr, where
