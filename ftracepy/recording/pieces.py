"""One CPU's page data, a piece at a time: read where it lies, or decompressed when its turn comes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from ftracepy.errors import RecordingFault
from ftracepy.recording.codecs import Codec, CodecFault
from ftracepy.recording.contents import CpuData, TextData
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.inputs import FileBytes, open_plain
from ftracepy.recording.timeshift import Shifter, TimeShift
from ftracepy.recording.v7 import decompress
from ftracepy.schema import PageLayout
from ftracepy.source import Buffer, Pages
from ftracepy.values import dataclass

_PIECE_BYTES = 256 << 10
_LARGEST_CHUNK_BYTES = 64 << 20
_CHUNK_COUNT_BYTES = 4  # trace-cmd 3.1 leaves the number of chunks out of the size it writes; 3.3 counts it
_CHUNK_SIZES_BYTES = 8
_COMMIT_MASK = (1 << 27) - 1  # the low bits of commit count bytes, the high ones flag losses


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole pages and the time stamp of the first that holds anything (0: none does)."""

    pages: Pages
    first_ns: int


class CpuReader:
    """Reads one CPU's data; what cannot be read ends it with a notice."""

    def __init__(
        self,
        cursor: Cursor,
        data: CpuData,
        layout: PageLayout,
        codec: Codec | None,
        notice: Callable[[str], None],
        shift: TimeShift | None = None,
    ) -> None:
        self._cursor = cursor
        self._data = data
        self._layout = layout
        self._codec = codec
        self._notice = notice
        self._shifter = Shifter(shift, data.cpu, layout) if shift and shift.samples(data.cpu) else None
        order = ">" if layout.big_endian else "<"
        self._stamp = struct.Struct(order + "Q")
        self._commit = struct.Struct(order + ("Q" if layout.commit_bytes == 8 else "I"))

    @property
    def cpu(self) -> int:
        return self._data.cpu

    def pieces(self) -> Iterator[Piece]:
        """Yield the data in the order it was recorded."""
        if not self._data.size:
            return
        try:
            if self._data.path:
                yield from self._spooled(self._data.path)
            else:
                yield from self._plain(self._cursor) if self._codec is None else self._unpacked(self._codec)
        except RecordingFault as fault:
            self._notice(f"the data of CPU {self._data.cpu} is incomplete: {fault.why}")

    def _plain(self, cursor: Cursor) -> Iterator[Piece]:
        """Pages as they lie; holes of the file, which are pages of nothing, are gone over."""
        place = cursor.seek(self._data.offset, f"data of CPU {self._data.cpu}")
        size = self._layout.size_bytes
        step, end = max(_PIECE_BYTES // size, 1) * size, min(place.at + self._data.size, place.end)
        while place.at < end:
            if isinstance(place.data, FileBytes):
                place.at += (min(place.data.data_from(place.at), end) - place.at) // size * size
            offset = place.at
            yield from self._piece(place.take(min(step, end - offset), f"the data of CPU {self._data.cpu}"), offset)
        if missing := self._data.offset + self._data.size - end:
            raise place.fault(f"it ends here, {missing} bytes early: cut short?")

    def _spooled(self, path: str) -> Iterator[Piece]:
        spool = Cursor(open_plain(f"cannot read '{path}'", path), path, order=self._cursor.order)
        if self._codec and self._data.half_packed:
            yield from self._half_packed(spool, self._codec)
        else:
            yield from self._plain(spool)

    def _half_packed(self, spool: Cursor, codec: Codec) -> Iterator[Piece]:
        """What was compressed in place, as far as its chunks are whole; what they do not replace is plain still behind them."""
        done, count = 0, spool.copy().u32("number of chunks") if spool.left >= _CHUNK_COUNT_BYTES else 0
        spool.at += min(_CHUNK_COUNT_BYTES, spool.left)
        for _ in range(count):
            offset = spool.at
            try:
                text = decompress(spool, codec, _LARGEST_CHUNK_BYTES)
            except RecordingFault:
                break
            done += len(text)
            yield from self._piece(memoryview(text), offset)
        else:
            return
        self._data = CpuData(self._data.cpu, done, max(self._data.size - done, 0), self._data.path)
        yield from self._plain(Cursor(spool.data, spool.path, order=spool.order)) if self._data.size else ()

    def _unpacked(self, codec: Codec) -> Iterator[Piece]:
        place = self._cursor.seek(self._data.offset, f"data of CPU {self._data.cpu}")
        place.end = min(place.at + self._data.size + _CHUNK_COUNT_BYTES, place.end)
        count = place.u32("number of chunks")
        for _ in range(count):
            offset = place.at
            yield from self._piece(memoryview(decompress(place, codec, _LARGEST_CHUNK_BYTES)), offset)
        if not count:
            yield from self._uncounted(place, codec)

    def _uncounted(self, place: Cursor, codec: Codec) -> Iterator[Piece]:
        """Big-endian trace-cmd 3.3 writes 0 for the number of chunks and for both sizes: the frames tell where they end."""
        while place.left > _CHUNK_SIZES_BYTES:
            offset = place.at
            place.take(_CHUNK_SIZES_BYTES, "sizes of a chunk")
            try:
                data = place.data[place.at : min(place.end, place.at + _LARGEST_CHUNK_BYTES)]
                text, used = codec.frame(data, _LARGEST_CHUNK_BYTES)
            except CodecFault as fault:
                raise place.fault(str(fault), offset) from None
            place.take(used, "compressed bytes")
            yield from self._piece(memoryview(text), offset)

    def _piece(self, data: memoryview, offset: int) -> Iterator[Piece]:
        size = self._layout.size_bytes
        whole = len(data) // size * size
        if rest := len(data) - whole:
            self._notice(f"CPU {self._data.cpu} ends with {rest} of a page's {size} bytes at byte {offset + whole}")
        if self._shifter:
            for page, at in self._shifter.pages(data[:whole]):
                yield Piece(Pages(self._data.cpu, page, offset + at), self.first_ns(page))
        elif whole:
            yield Piece(Pages(self._data.cpu, data[:whole], offset), self.first_ns(data[:whole]))

    def first_ns(self, data: Buffer) -> int:
        """The stamp of the first page that holds anything; 0 where none does."""
        for start in range(0, len(data), self._layout.size_bytes):
            if self._commit.unpack_from(data, start + self._layout.commit_offset)[0] & _COMMIT_MASK:
                return int(self._stamp.unpack_from(data, start)[0])
        return 0


def text_pieces(text: TextData, codec: Codec | None) -> Iterator[bytes]:
    """A saved text; raises RecordingFault where it is damaged."""
    place = text.place.copy()
    if codec is None or not text.packed:
        while place.left:
            yield bytes(place.take(min(_PIECE_BYTES, place.left), "text"))
        return
    for _ in range(place.u32("number of chunks")):
        yield decompress(place, codec, _LARGEST_CHUNK_BYTES)
