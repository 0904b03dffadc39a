"""A cursor over a recording's bytes: each read checks the bounds first and does not move when it fails."""

from __future__ import annotations

import struct
from typing import Protocol

from ftracepy.errors import RecordingFault
from ftracepy.values import dataclass

_LONGEST_NAME_BYTES = 4096
_LARGEST_PART_BYTES = 1 << 30  # read at once; no text of a kernel has a tenth of it
_U16 = {"<": struct.Struct("<H"), ">": struct.Struct(">H")}
_U32 = {"<": struct.Struct("<I"), ">": struct.Struct(">I")}
_U64 = {"<": struct.Struct("<Q"), ">": struct.Struct(">Q")}


class Bytes(Protocol):
    """A memoryview, or a file read where it is asked for: a slice of this may have fewer bytes than were there at first."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> memoryview: ...


@dataclass(slots=True)
class Cursor:
    """Reads `data` from `at` up to `end`, numbers in byte order `order` ("<" or ">").

    `within` says what the offsets count from where `data` is not the file itself
    (" of the section at byte 40").
    """

    data: Bytes
    path: str
    at: int = 0
    end: int = -1
    order: str = "<"
    within: str = ""

    def __post_init__(self) -> None:
        self.end = len(self.data) if self.end < 0 else min(self.end, len(self.data))

    @property
    def left(self) -> int:
        return max(self.end - self.at, 0)

    def copy(self) -> Cursor:
        """The same place, to be read without moving this one."""
        return Cursor(self.data, self.path, self.at, self.end, self.order, self.within)

    def rest(self) -> bytes:
        """All that follows; the cursor does not move."""
        return bytes(self.copy().take(self.left))

    def fault(self, why: str, at: int | None = None) -> RecordingFault:
        """What cannot be read here, and why (not raised)."""
        place = self.at if at is None else at
        return RecordingFault(f"cannot read the recording '{self.path}'", why=f"at byte {place}{self.within}: {why}")

    def seek(self, at: int, what: str) -> Cursor:
        """A cursor at another place of the same bytes."""
        if not 0 <= at < self.end:
            raise self.fault(f"the {what} should be at byte {at}, but there are only {self.end} bytes: cut short?")
        return Cursor(self.data, self.path, at, self.end, self.order, self.within)

    def take(self, size: int, what: str = "bytes") -> memoryview:
        """The next `size` bytes."""
        if size > _LARGEST_PART_BYTES:
            raise self.fault(f"{size} bytes of {what} cannot be meant")
        start = self.skip(size, what)
        data = self.data[start : self.at]
        if len(data) < size:
            self.at = start
            raise self.fault(f"the file has become shorter: {size - len(data)} bytes of {what} are gone")
        return data

    def skip(self, size: int, what: str) -> int:
        """Go over the next `size` bytes; the answer is where they begin."""
        if not 0 <= size <= self.left:
            raise self.fault(f"{size} bytes of {what} should follow, but only {self.left} are left: cut short?")
        self.at += size
        return self.at - size

    def part(self, size: int, what: str) -> Cursor:
        """A cursor that sees only the next `size` bytes."""
        start = self.skip(size, what)
        return Cursor(self.data, self.path, start, self.at, self.order, self.within)

    def u16(self, what: str) -> int:
        return int(_U16[self.order].unpack(self.take(2, what))[0])

    def u32(self, what: str) -> int:
        return int(_U32[self.order].unpack(self.take(4, what))[0])

    def u64(self, what: str) -> int:
        return int(_U64[self.order].unpack(self.take(8, what))[0])

    def name(self, what: str) -> str:
        """A text that ends with NUL."""
        head = bytes(self.data[self.at : min(self.at + _LONGEST_NAME_BYTES, self.end)])
        length = head.find(0)
        if length < 0:
            raise self.fault(f"the {what} does not end")
        self.at += length + 1
        return head[:length].decode("utf-8", "backslashreplace")

    def expect(self, tag: bytes) -> None:
        """The bytes of `tag` must follow."""
        start = self.at
        if bytes(self.take(len(tag), "tag")) != tag:
            self.at = start
            raise self.fault(f"{tag!r} should stand here")
