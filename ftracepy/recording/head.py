"""The first bytes of a trace.dat: magic, version, byte order, compression (trace-cmd.dat.v7(5), INITIAL FORMAT)."""

from __future__ import annotations

from ftracepy.recording.codecs import NONE
from ftracepy.recording.cursor import Cursor
from ftracepy.values import dataclass

MAGIC = b"\x17\x08\x44tracing"
VERSIONS = (6, 7)
SMALLEST_PAGE_BYTES = 256
LARGEST_PAGE_BYTES = 64 << 20
MOST_CPUS = 1 << 16  # the kernel's NR_CPUS is at most 8192


@dataclass(frozen=True, slots=True)
class Head:
    """`long_bytes` is that of the program that wrote the file; the kernel's is in header_page."""

    version: int
    big_endian: bool
    long_bytes: int
    page_bytes: int
    compression: str = NONE
    options_offset: int = 0

    @property
    def order(self) -> str:
        return ">" if self.big_endian else "<"


def read_head(cursor: Cursor) -> Head:
    """Read the head; `cursor` then knows the byte order."""
    if bytes(cursor.data[: len(MAGIC)]) != MAGIC:
        raise cursor.fault("this is not a trace.dat file (it does not begin with its magic bytes)", 0)
    cursor.take(len(MAGIC))
    version = _version(cursor)
    big_endian = bytes(cursor.take(1, "byte order")) != b"\0"
    cursor.order = ">" if big_endian else "<"
    long_bytes = cursor.take(1, "size of long")[0]
    page_bytes = check_page_bytes(cursor, cursor.u32("page size"))
    if version < 7:
        return Head(version, big_endian, long_bytes, page_bytes)
    compression = cursor.name("name of the compression")
    cursor.name("version of the compression")
    return Head(version, big_endian, long_bytes, page_bytes, compression, cursor.u64("offset of the options"))


def check_page_bytes(cursor: Cursor, size: int) -> int:
    """A sub-buffer size that can be meant."""
    if not SMALLEST_PAGE_BYTES <= size <= LARGEST_PAGE_BYTES or size % 4:
        raise cursor.fault(f"{size} bytes cannot be the size of a page", cursor.at - 4)
    return size


def check_cpu_count(cursor: Cursor, count: int) -> int:
    """A number of CPUs that can be meant."""
    if count > MOST_CPUS:
        raise cursor.fault(f"{count} CPUs cannot be meant", cursor.at - 4)
    return count


def _version(cursor: Cursor) -> int:
    at = cursor.at
    text = cursor.name("file version")
    if text not in map(str, VERSIONS):
        raise cursor.fault(f"this is version {text[:8]!r} of the file format; versions 6 and 7 can be read", at)
    return int(text)
