"""Seeded damage to sub-buffers: bits, bytes, words that mean something, and cuts."""

from __future__ import annotations

from random import Random

_WORDS = [0, 1, 3, 4, 0x1D, 0x1E, 0x1F, 0x3D, 0x7FFFFFFF, 0x80000000, 0xC0000FF0, 0xFFFFFFFF]


def mutated(data: bytes, seed: int, page_bytes: int = 4096) -> bytes:
    """`data` with one to eight places changed, page headers and their first events more often than the rest."""
    random, copy = Random(seed), bytearray(data)
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(copy))
        if random.random() < 0.4:
            at = min(at // page_bytes * page_bytes + random.randrange(64), len(copy) - 1)
        if random.random() < 0.5:
            at -= at % 4
            word = random.choice(_WORDS).to_bytes(4, "little")
            copy[at : at + 4] = (word if random.random() < 0.8 else word[::-1])[: len(copy) - at]
        else:
            copy[at] ^= 1 << random.randrange(8)
    return bytes(copy if random.random() < 0.9 else copy[: random.randrange(len(copy))])
