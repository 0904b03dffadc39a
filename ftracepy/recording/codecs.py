"""Compression of sections and page data by the name in the file's head; a codec is imported when first used."""

from __future__ import annotations

import importlib
import zlib
from typing import Any, Protocol

from ftracepy.errors import FtracepyError

try:
    from ftracepy._fastparse._core import adler32
except ImportError:
    from zlib import adler32

NONE = "none"
# A mutated length must not make us allocate: what is larger than this decompressed is not a section of a recording.
LARGEST_BYTES = 256 << 20
# What zlib may allocate without being asked how much: an inflated byte takes at least a 1032nd of a compressed one.
_AT_ONCE_BYTES = 40 << 20
_ZLIB_MOST = 1032


class CodecFault(ValueError):
    """Bytes that the codec cannot decompress."""


class Codec(Protocol):
    """One compression: `version` is what the file's head says beside the name."""

    name: str
    version: str

    def compress(self, data: bytes | bytearray | memoryview) -> bytes: ...

    def decompress(self, data: bytes | memoryview, limit_bytes: int = LARGEST_BYTES) -> bytes:
        """The whole text; raises CodecFault where the bytes are damaged or say more than `limit_bytes`."""
        ...

    def frame(self, data: bytes | memoryview, limit_bytes: int = LARGEST_BYTES) -> tuple[bytes, int]:
        """The same of the first frame alone, and how many bytes that takes."""
        ...


class Zlib:
    name = "zlib"
    version = zlib.ZLIB_VERSION

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        return zlib.compress(data)

    def decompress(self, data: bytes | memoryview, limit_bytes: int = LARGEST_BYTES) -> bytes:
        if limit_bytes <= _AT_ONCE_BYTES and len(data) <= _AT_ONCE_BYTES // _ZLIB_MOST:
            text = _inflated(memoryview(data), limit_bytes)
            if text is not None:
                return text
        return self.frame(data, limit_bytes)[0]

    def frame(self, data: bytes | memoryview, limit_bytes: int = LARGEST_BYTES) -> tuple[bytes, int]:
        _check_head(data)
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)  # without its checksum, which takes zlib longer than inflating pages
        try:
            text = inflate.decompress(memoryview(data)[2:], limit_bytes + 1)
        except zlib.error as error:
            raise CodecFault(f"zlib: {error}") from None
        tail = inflate.unused_data
        _whole(text, len(tail) >= 4, limit_bytes)
        if int.from_bytes(tail[:4], "big") != adler32(text):
            raise CodecFault("zlib: the checksum is another")
        return text, len(data) - len(tail) + 4


class Zstd:
    name = "zstd"

    def __init__(self, module: Any) -> None:
        self._zstd = module
        self.version = str(module.zstd_version)

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        return bytes(self._zstd.compress(data))

    def decompress(self, data: bytes | memoryview, limit_bytes: int = LARGEST_BYTES) -> bytes:
        return self.frame(data, limit_bytes)[0]

    def frame(self, data: bytes | memoryview, limit_bytes: int = LARGEST_BYTES) -> tuple[bytes, int]:
        frame = self._zstd.ZstdDecompressor()
        try:
            text = frame.decompress(data, max_length=limit_bytes + 1)
        except (self._zstd.ZstdError, EOFError) as error:
            raise CodecFault(f"zstd: {error}") from None
        return _whole(text, frame.eof, limit_bytes), len(data) - len(frame.unused_data)


def _inflated(data: memoryview, size_bytes: int) -> bytes | None:
    """The text of one whole stream, written where it stays; None where anything is not as it should be."""
    try:
        _check_head(data)
        text = zlib.decompress(data[2:-4], -zlib.MAX_WBITS, size_bytes)
    except (CodecFault, zlib.error):
        return None
    return text if len(text) <= size_bytes and int.from_bytes(data[-4:], "big") == adler32(text) else None


def _check_head(data: bytes | memoryview) -> None:
    """RFC 1950, 2.2: deflate, a window of at most 32 KB, no dictionary, both bytes together a multiple of 31."""
    if len(data) < 2 or data[0] & 0x0F != 8 or data[0] >> 4 > 7 or data[1] & 0x20 or (data[0] << 8 | data[1]) % 31:
        raise CodecFault("zlib: no zlib stream begins here")


def _whole(text: bytes, ended: bool, limit_bytes: int) -> bytes:
    if len(text) > limit_bytes:
        raise CodecFault(f"more than the {limit_bytes} bytes that belong here")
    if not ended:
        raise CodecFault("the compressed bytes end too early")
    return text


def codec(name: str) -> Codec | None:
    """The codec called `name`, None for no compression; raises FtracepyError where it is unknown or not installed."""
    if name == NONE:
        return None
    if name == Zlib.name:
        return Zlib()
    if name == Zstd.name:
        return Zstd(_zstd_module())
    raise FtracepyError(f"cannot use the compression '{name}'", why="only none, zlib and zstd are known")


def _zstd_module() -> Any:
    for name in ("compression.zstd", "backports.zstd"):  # the first is in Python from 3.14 on
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise FtracepyError("cannot use the compression 'zstd'", why="this Python has no zstd", hint="pip install backports.zstd")
