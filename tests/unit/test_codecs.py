"""zlib streams as zlib itself writes them, read with a checksum of our own, and damaged ones."""

from __future__ import annotations

import random
import zlib

import pytest

from ftracepy.recording.codecs import CodecFault, Zlib


def _texts() -> list[bytes]:
    chance = random.Random(20)
    sizes = [0, 1, 15, 16, 17, 31, 33, 5551, 5553, 65521, 16 * 2048 - 1, 16 * 2048, 16 * 2048 + 17, 300_007]
    return [chance.randbytes(size) for size in sizes] + [b"\xff" * 300_007, bytes(70_001)]


@pytest.mark.parametrize("text", _texts(), ids=len)
def test_the_checksum_is_zlibs(text: bytes) -> None:
    core = pytest.importorskip("ftracepy._fastparse._core", reason="built without the C core")
    for start in (0, 1, 7):
        assert core.adler32(memoryview(text)[start:]) == zlib.adler32(text[start:])


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_what_zlib_compressed_comes_back(level: int) -> None:
    for text in _texts():
        packed = zlib.compress(text, level)
        assert Zlib().frame(packed + b"what follows", len(text)) == (text, len(packed))
        assert Zlib().decompress(packed, max(len(text), 1)) == text
        assert Zlib().decompress(packed + b"what follows", max(len(text), 1)) == text
        assert Zlib().decompress(packed) == text


def test_a_smaller_window_is_read_too() -> None:
    compress = zlib.compressobj(wbits=9)
    packed = compress.compress(b"small " * 1000) + compress.flush()
    assert Zlib().decompress(packed) == b"small " * 1000


def test_no_changed_bit_passes_that_zlib_finds() -> None:
    text = b"an event, and another one, " * 20
    packed = zlib.compress(text)
    for bit in range(len(packed) * 8):
        damaged = bytearray(packed)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            found = zlib.decompress(damaged)
        except zlib.error:
            with pytest.raises(CodecFault, match=r"zlib: |too early|more than"):
                Zlib().decompress(bytes(damaged), len(text))
        else:
            assert Zlib().decompress(bytes(damaged), len(text)) == found


@pytest.mark.parametrize("cut", [0, 1, 2, 5, -4, -1])
def test_a_cut_stream_is_said_to_end_too_early(cut: int) -> None:
    packed = zlib.compress(b"whole")
    with pytest.raises(CodecFault, match=r"end too early|no zlib stream"):
        Zlib().decompress(packed[:cut])


def test_more_than_belongs_there_is_refused() -> None:
    with pytest.raises(CodecFault, match="more than the 99 bytes"):
        Zlib().decompress(zlib.compress(bytes(100)), 99)
