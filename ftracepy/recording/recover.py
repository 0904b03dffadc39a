"""What a file of version 7 still holds when its end is missing, and with it the table that says where each CPU's pages are.

All sections lie one behind the other, so that they can be gone through without the options that name them. A buffer's
pages are known by their headers: where time jumps back, the kernel counted no more events, or a new number of chunks stands,
the next CPU begins.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ftracepy.errors import RecordingFault
from ftracepy.recording.contents import BufferData, Contents, CpuData
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.timeshift import page_decoder
from ftracepy.schema import FormatFault, PageLayout
from ftracepy.source import CpuStats
from ftracepy.values import dataclass

_HEADER_BYTES = 16
_LARGEST_NUMBER = 64  # of a section: far above those that are known
_LARGEST_CHUNK_BYTES = 64 << 20
_SMALLEST_BYTES = 12  # the number of chunks and one's two sizes
_COMMIT_MASK = (1 << 27) - 1


@dataclass(frozen=True, slots=True)
class Section:
    """One section where it lies: its number, its header's and its data's first byte, and their end as far as the file goes."""

    number: int
    header: int
    start: int
    end: int
    compressed: bool


def walk(cursor: Cursor) -> Iterator[Section]:
    """Every section from `cursor` on, as far as they follow each other; the last may be cut off."""
    place = cursor.copy()
    while place.left >= _HEADER_BYTES:
        header = place.at
        number, flags = place.u16("section number"), place.u16("section flags")
        place.u32("section name")
        size = place.u64("section size")
        if number > _LARGEST_NUMBER:
            return
        # The size of a buffer's section is written when it is whole: until then it is 0.
        end = place.end if size > place.left or not (size or _is_section(place)) else place.at + size
        yield Section(number, header, place.at, end, bool(flags & 1))
        place.at = end


def _is_section(place: Cursor) -> bool:
    """Whether a section's header could stand here."""
    if place.left < _HEADER_BYTES:
        return not place.left
    one = place.copy()
    number, flags = one.u16("section number"), one.u16("section flags")
    one.u32("section name")
    return number <= _LARGEST_NUMBER and flags <= 1 and one.u64("section size") <= one.left


def take_lost_buffers(cursor: Cursor, sections: list[Section], contents: Contents) -> None:
    """Add the buffers that no option tells of, by what their pages tell; how sure that is, is noted."""
    try:
        layout = contents.texts.layout(contents.page_bytes)
    except FormatFault as fault:
        raise cursor.fault(str(fault)) from None
    for number, section in enumerate(sections):
        runs = list(
            _packed_runs(cursor, section, contents.page_bytes) if section.compressed else _plain_runs(cursor, section, layout)
        )
        name = "" if not number else f"recovered-{number}"
        stats = [one for one in contents.stats.of(name) if one.read or one.entries]
        told = [one.cpu for one in stats]
        if not section.compressed and len(runs) < len(told):
            runs = list(_counted_runs(cursor, runs, stats, layout))
        cpus = told if len(told) >= len(runs) else [*range(len(runs))]
        found = [CpuData(cpu, start, end - start) for cpu, (start, end) in zip(cpus, runs, strict=False)]
        contents.buffers.append(BufferData(name, contents.texts.clock, contents.page_bytes, found))
        sure = (
            "their numbers are those that the kernel counted events of" if told and cpus is told else "their numbers are guessed"
        )
        contents.notices.append(
            f"the recording is cut short before it says where its pages are: between byte {section.start} and {section.end}"
            f" those of {len(runs)} CPUs were found; {sure}"
        )


def _plain_runs(cursor: Cursor, section: Section, layout: PageLayout) -> Iterator[tuple[int, int]]:
    """First and last byte of each CPU's pages, which begin at multiples of their size."""
    size, order = layout.size_bytes, ">" if layout.big_endian else "<"
    stamp, commit = struct.Struct(order + "Q"), struct.Struct(order + ("Q" if layout.commit_bytes == 8 else "I"))
    start = at = -(-section.start // size) * size
    before = 0
    while at + size <= section.end:
        head = cursor.data[at : at + layout.data_offset]
        if len(head) < layout.data_offset:
            break
        now, used = stamp.unpack_from(head)[0], commit.unpack_from(head, layout.commit_offset)[0] & _COMMIT_MASK
        if used > size - layout.data_offset:
            break
        if used and now < before and at > start:
            yield start, at
            start = at
        before = now if used else before
        at += size
    if at > start:
        yield start, at


def _counted_runs(
    cursor: Cursor, runs: list[tuple[int, int]], stats: list[CpuStats], layout: PageLayout
) -> Iterator[tuple[int, int]]:
    """The same where time did not jump back from one CPU to the next: each ends where it has the events the kernel counted."""
    decoder, waiting = page_decoder(layout, 0), [{one.read, one.read + one.entries} for one in stats]
    for first, end in runs:
        start, events = first, 0
        for at in range(first, end, layout.size_bytes):
            decoder.feed(0, cursor.data[at : at + layout.size_bytes])
            events += len(decoder.batch(max_events=1 << 30))
            if waiting and events in waiting[0] and at + layout.size_bytes < end:
                yield start, at + layout.size_bytes
                start, events = at + layout.size_bytes, 0
                waiting.pop(0)
        yield start, end
        if waiting:
            waiting.pop(0)


def _packed_runs(cursor: Cursor, section: Section, page_bytes: int) -> Iterator[tuple[int, int]]:
    """First and last byte of each CPU's chunks, which begin at multiples of the page size; the last may be cut off."""
    place = Cursor(cursor.data, cursor.path, section.start, section.end, cursor.order, cursor.within)
    while place.left > _SMALLEST_BYTES:
        place.at = start = -(-place.at // page_bytes) * page_bytes
        whole = 0
        try:
            for _ in range(place.u32("number of chunks")):
                packed, plain = place.u32("compressed size"), place.u32("decompressed size")
                if not 0 < packed <= _LARGEST_CHUNK_BYTES or not 0 < plain <= _LARGEST_CHUNK_BYTES:
                    return
                place.skip(packed, "a chunk")
                whole += 1
        except RecordingFault:
            if whole:
                yield start, section.end
            return
        if not whole:
            return
        yield start, place.at
