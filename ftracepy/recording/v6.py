"""trace.dat version 6: one walk through the file (trace-cmd.dat.v6(5))."""

from __future__ import annotations

import re

from ftracepy.errors import RecordingFault
from ftracepy.recording.contents import BufferData, Contents, CpuData, TextData, take_common_option
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.head import Head, check_cpu_count
from ftracepy.recording.options import OptionId, options
from ftracepy.recording.texts import TEXTS, Place
from ftracepy.schematexts import SchemaTexts, chosen_clock

_TAG_BYTES = 10
_TAG = re.compile(rb"options  \0|latency  \0|flyrecord\0")
_FAR_BYTES = 1 << 20  # that far beyond where they should the names of threads may end


def read_v6(cursor: Cursor, head: Head) -> Contents:
    """Everything behind the head."""
    contents = Contents(head.version, SchemaTexts(big_endian=head.big_endian), head.page_bytes)
    for take in TEXTS.values():
        threads_at = cursor.at
        take(Place(cursor, contents.texts, contents.notices, alone=False))
    _end_of_threads(cursor, contents, threads_at)
    cpu_count = check_cpu_count(cursor, cursor.u32("number of CPUs"))
    tag = bytes(cursor.take(_TAG_BYTES, "section tag"))
    if tag == b"options  \0":
        cpu_count = _take_options(cursor, contents, cpu_count)
        tag = bytes(cursor.take(_TAG_BYTES, "section tag"))
    contents.cpu_count = cpu_count
    _take_buffers(cursor, contents, cpu_count, tag)
    return contents


def _end_of_threads(cursor: Cursor, contents: Contents, start: int) -> None:
    """Go where the names of threads end: not where they should, if they changed while they were copied.

    Behind them stand the number of CPUs and a tag.
    """
    said = cursor.at
    if _TAG.match(bytes(cursor.data[said + 4 : said + 4 + _TAG_BYTES])):
        return
    first = start + 8
    if match := _TAG.search(bytes(cursor.data[first : min(said + _FAR_BYTES, cursor.end)])):  # names have no NUL in them
        cursor.at = first + match.start() - 4
        contents.texts.cmdlines = bytes(cursor.data[first : cursor.at])
        why = f"saved_cmdlines should have {said - first} bytes, and has {cursor.at - first}: it changed while copied"
        contents.notices.append(cursor.fault(why, first).why)


def _take_options(cursor: Cursor, contents: Contents, cpu_count: int) -> int:
    """Note the options; the answer is the number of CPUs, which one of them may raise."""
    for option in options(cursor, done_has_data=False):
        take_common_option(contents, option)
        if option.id == OptionId.CPUCOUNT and option.data.left >= 4:
            cpu_count = max(cpu_count, check_cpu_count(cursor, option.data.u32("number of CPUs")))
    return cpu_count


def _take_buffers(cursor: Cursor, contents: Contents, cpu_count: int, tag: bytes) -> None:
    """The top buffer lies here; the instances' are where their options say."""
    _take_data(cursor, contents, contents.buffer(""), cpu_count, tag)
    for option in contents.options:
        if option.id == OptionId.BUFFER:
            offset = option.data.u64("offset of an instance")
            buffer = contents.buffer(option.data.name("name of an instance"))
            try:
                place = cursor.seek(offset, f"data of instance '{buffer.name}'")
                _take_data(place, contents, buffer, cpu_count, bytes(place.take(_TAG_BYTES, "section tag")))
            except RecordingFault as fault:
                contents.notices.append(f"instance '{buffer.name}' cannot be read: {fault.why}")


def _take_data(cursor: Cursor, contents: Contents, buffer: BufferData, cpu_count: int, tag: bytes) -> None:
    if tag == b"latency  \0":
        buffer.text = TextData(cursor)
        return
    if tag != b"flyrecord\0":
        raise cursor.fault(f"the section tag {tag!r} is not known", cursor.at - _TAG_BYTES)
    _take_places(cursor, buffer, cpu_count)
    if any(option.id == OptionId.TRACECLOCK for option in contents.options) and cursor.left >= 8:
        size = cursor.u64("length of trace_clock")
        buffer.clock = chosen_clock(bytes(cursor.take(size, "trace_clock")).partition(b"\0")[0].decode("ascii", "replace"))
    buffer.clock = buffer.clock or contents.texts.clock


def _take_places(cursor: Cursor, buffer: BufferData, cpu_count: int) -> None:
    for cpu in range(cpu_count):
        buffer.cpus.append(CpuData(cpu, cursor.u64("offset of a CPU's data"), cursor.u64("size of a CPU's data")))
