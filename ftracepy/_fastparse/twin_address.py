"""Addresses, identifiers and bit masks as the kernel's printk shows them (Documentation/core-api/printk-formats.rst)."""

from __future__ import annotations

from collections.abc import Iterator

_GUID_ORDER = (3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15)


def mac(data: bytes, separator: int) -> bytes:
    data = data[:6].ljust(6, b"\0")
    return (data.hex(chr(separator)) if separator else data.hex()).encode()


def ip4(data: bytes, how: int) -> bytes:
    """how: 1 leading zeros, 2 bytes reversed."""
    data = data[:4].ljust(4, b"\0")
    data = data[::-1] if how & 2 else data
    return b".".join((b"%03d" if how & 1 else b"%d") % byte for byte in data)


def ip6(data: bytes, how: int) -> bytes:
    """how: 1 no colons, 2 compressed (RFC 5952, with IPv4 in the last 32 bits where mapped)."""
    data = data[:16].ljust(16, b"\0")
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, 16, 2)]
    if not how & 2:
        return (b"" if how & 1 else b":").join(b"%04x" % word for word in words)
    return _compressed(words, data)


def _compressed(words: list[int], data: bytes) -> bytes:
    mapped = (not any(words[:5]) and words[5] == 0xFFFF) or (words[4] | 0x0200 == 0x0200 and words[5] == 0x5EFE)
    count = 6 if mapped else 8
    start, length = _longest_zeros(words[:count])
    out = b""
    at = 0
    colon_needed = False
    while at < count:
        if at == start and length > 1:
            out += b"::"
            colon_needed = False
            at += length
            continue
        if colon_needed:
            out += b":"
        out += b"%x" % words[at]
        colon_needed = True
        at += 1
    if mapped:
        out += (b":" if colon_needed else b"") + ip4(data[12:], 0)
    return out


def _longest_zeros(words: list[int]) -> tuple[int, int]:
    """First longest run of zero words."""
    best = (0, 0)
    at = 0
    while at < len(words):
        end = at
        while end < len(words) and not words[end]:
            end += 1
        if end - at > best[1]:
            best = (at, end - at)
        at = max(end, at + 1)
    return best


def sockaddr(data: bytes, how: int, order: str) -> bytes:
    """how: 1 port, 2 compressed, 4 flow, 8 scope. `order` is the recording machine's, for the family."""
    family = int.from_bytes(data[:2], "big" if order == "big" else "little")
    data = data.ljust(28, b"\0")
    port = int.from_bytes(data[2:4], "big")
    if family == 2:
        return ip4(data[4:], 0) + (b":%d" % port if how & 1 else b"")
    if family != 10:
        return b"(einval)"
    text = ip6(data[8:], how & 2)
    if how & 13:
        text = b"[" + text + b"]"
    text += b":%d" % port if how & 1 else b""
    text += b"/%d" % int.from_bytes(data[4:8], "big") if how & 4 else b""
    return text + (b"%%%d" % int.from_bytes(data[24:28], "big" if order == "big" else "little") if how & 8 else b"")


def uuid(data: bytes, how: int) -> bytes:
    """how: 1 the first three groups little endian, 2 upper case."""
    data = data[:16].ljust(16, b"\0")
    data = bytes(data[at] for at in _GUID_ORDER) if how & 1 else data
    text = "-".join(data[a:b].hex() for a, b in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 16)))
    return (text.upper() if how & 2 else text).encode()


def bitmask(data: bytes, bits: int, as_list: bool, long_bytes: int, order: str) -> bytes:
    """A bitmap of longs, as hex words of 32 bits or as a list of ranges."""
    bits = min(bits, len(data) * 8)
    data = data[: (bits + 7) // 8] if order == "little" else data
    if order == "big":
        data = b"".join(data[at : at + long_bytes][::-1] for at in range(0, len(data), long_bytes))
    value = int.from_bytes(data, "little") & ((1 << bits) - 1)
    return b",".join(_ranges(value, bits) if as_list else _words(value, bits))


def _words(value: int, bits: int) -> Iterator[bytes]:
    """Words of 32 bits, highest first; the first one only as wide as its bits."""
    count = (bits + 31) // 32
    for at in range(count - 1, -1, -1):
        width = (((bits - 1) % 32 + 1) + 3) // 4 if at == count - 1 else 8
        yield b"%0*x" % (width, value >> 32 * at & 0xFFFFFFFF)


def _ranges(value: int, bits: int) -> Iterator[bytes]:
    at = 0
    while at < bits:
        if not value >> at & 1:
            at += 1
            continue
        end = at
        while end + 1 < bits and value >> (end + 1) & 1:
            end += 1
        yield b"%d" % at if end == at else b"%d-%d" % (at, end)
        at = end + 1
