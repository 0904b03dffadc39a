"""trace.dat version 7: a chain of OPTIONS sections that name all other sections (trace-cmd.dat.v7(5))."""

from __future__ import annotations

from collections.abc import Iterator

from ftracepy.errors import RecordingFault
from ftracepy.recording.codecs import LARGEST_BYTES, Codec, CodecFault
from ftracepy.recording.contents import BufferData, Contents, CpuData, TextData, take_common_option
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.head import Head, check_cpu_count, check_page_bytes
from ftracepy.recording.options import EXTRA_SECTIONS, Option, OptionId, options
from ftracepy.recording.progress import PROGRESS_OPTION
from ftracepy.recording.recover import Section, take_lost_buffers, walk
from ftracepy.recording.texts import TEXTS, Place
from ftracepy.schematexts import SchemaTexts

OPTIONS_SECTION = 0
COMPRESSED = 1  # the flag in a section's header
# Without these no event can be read; the others only make its text poorer.
_NEEDED_SECTIONS = (OptionId.HEADER_INFO, OptionId.FTRACE_EVENTS, OptionId.EVENT_FORMATS)


def read_v7(cursor: Cursor, head: Head, codec: Codec | None) -> Contents:
    """Everything behind the head; of a file that is cut short, what can be found without its end."""
    contents = Contents(head.version, SchemaTexts(big_endian=head.big_endian), head.page_bytes, head.compression)
    if not head.options_offset:
        fault = cursor.fault("it names no options: its recording did not end well")
        return _recovered(cursor, head, codec, fault)
    try:
        for option in _chain(cursor, head.options_offset, codec, contents.notices):
            _take_option(cursor, option, codec, contents)
    except RecordingFault as first:
        return _recovered(cursor, head, codec, first)
    unfinished = any(option.id == PROGRESS_OPTION for option in contents.options)
    if not contents.buffers and (contents.notices or not unfinished):
        return _recovered(cursor, head, codec, cursor.fault("; ".join(["its options name no buffer", *contents.notices]), 0))
    return contents


def read_places(cursor: Cursor, options_at: int) -> list[BufferData]:
    """The buffers that the options at this place name; raises RecordingFault."""
    contents = Contents(7, SchemaTexts(), 0)
    for option in _chain(cursor, options_at, None, contents.notices):
        if option.id == OptionId.BUFFER:
            _take_buffer(option.data, contents)
    return contents.buffers


def _take_option(cursor: Cursor, option: Option, codec: Codec | None, contents: Contents) -> None:
    take_common_option(contents, option)
    if option.id in TEXTS:
        _take_section(cursor, option, codec, contents)
    elif option.id in EXTRA_SECTIONS:
        contents.extra_sections[option.id] = option.data.copy().u64("offset of a section")
    elif option.id == OptionId.BUFFER:
        _take_buffer(option.data, contents)
    elif option.id == OptionId.BUFFER_TEXT:
        _take_text(cursor, option.data, codec, contents)


def _recovered(cursor: Cursor, head: Head, codec: Codec | None, fault: RecordingFault) -> Contents:
    """What the sections hold, gone through in their order; raises `fault` where that is not enough to read an event."""
    contents = Contents(head.version, SchemaTexts(big_endian=head.big_endian), head.page_bytes, head.compression, cut_short=fault)
    lost, told = list[Section](), set[int]()
    for section in walk(cursor):
        try:
            if section.number in TEXTS:
                text = open_section(cursor, section.header, section.number, codec)
                TEXTS[section.number](Place(text, contents.texts, contents.notices, alone=True))
            elif section.number == OPTIONS_SECTION:
                _take_found_options(open_section(cursor, section.header, OPTIONS_SECTION, codec), contents, told)
        except RecordingFault as damage:
            contents.notices.append(f"section {section.number} cannot be read: {damage.why}")
        if section.number == OptionId.BUFFER:
            lost.append(section)
    if not contents.texts.header_page or not any(contents.texts.formats.values()):
        raise fault
    take_lost_buffers(cursor, [one for one in lost if one.header not in told], contents)
    return contents


def _take_found_options(section: Cursor, contents: Contents, told: set[int]) -> None:
    for option in options(section, done_has_data=True):
        if option.id in (OptionId.BUFFER_TEXT, OptionId.DONE):
            continue
        take_common_option(contents, option)
        if option.id == OptionId.BUFFER:
            told.add(option.data.copy().u64("offset of the section"))
            _take_buffer(option.data, contents)


def _chain(cursor: Cursor, offset: int, codec: Codec | None, notices: list[str]) -> Iterator[Option]:
    """Yield the options of all OPTIONS sections; what comes behind a break in the chain is given up with a notice."""
    seen: set[int] = set()
    while offset:
        if offset in seen:
            notices.append(f"the chain of options returns to byte {offset}; what follows is not read")
            return
        seen.add(offset)
        try:
            *found, done = options(open_section(cursor, offset, OPTIONS_SECTION, codec), done_has_data=True)
            offset = done.data.u64("offset of the next options")
        except RecordingFault as fault:
            if len(seen) == 1:
                raise
            notices.append(f"the recording is incomplete: {fault.why}")
            return
        yield from found


def open_section(cursor: Cursor, offset: int, number: int, codec: Codec | None) -> Cursor:
    """A cursor over one section's text, decompressed where it is compressed."""
    place, packed = section_place(cursor, offset, number, codec)
    if not packed or codec is None:
        return place
    text = decompress(place, codec)
    return Cursor(memoryview(text), place.path, order=place.order, within=f" of the decompressed section at byte {offset}")


def section_place(cursor: Cursor, offset: int, number: int, codec: Codec | None) -> tuple[Cursor, bool]:
    """A cursor over one section as it lies, and whether it is compressed."""
    place = cursor.seek(offset, f"section {number}")
    found, flags = place.u16("section number"), place.u16("section flags")
    place.u32("section name")
    size = place.u64("section size")
    if found != number:
        raise place.fault(f"section {number} should stand here, not {found}", offset)
    if not flags & COMPRESSED:
        return place.part(size, f"section {number}"), False
    if codec is None:
        raise place.fault("a compressed section in a file that says it is not compressed", offset)
    return place, True


def decompress(cursor: Cursor, codec: Codec, limit_bytes: int = LARGEST_BYTES) -> bytes:
    """The compressed bytes that follow, decompressed.

    The decompressed size stands before them, but big-endian trace-cmd 3.3 writes 0 there: then the frame itself is trusted.
    """
    at = cursor.at
    packed, size = cursor.u32("compressed size"), cursor.u32("decompressed size")
    if packed > limit_bytes + (limit_bytes >> 4):
        raise cursor.fault(f"{packed} compressed bytes cannot be meant", at)
    data = cursor.take(packed, "compressed bytes")
    try:
        text = codec.decompress(data, min(size or limit_bytes, limit_bytes))
    except CodecFault as fault:
        raise cursor.fault(str(fault), at) from None
    if size and len(text) != size:
        raise cursor.fault(f"{len(text)} decompressed bytes where {size} belong", at)
    return text


def _take_section(cursor: Cursor, option: Option, codec: Codec | None, contents: Contents) -> None:
    try:
        section = open_section(cursor, option.data.u64("offset of a section"), option.id, codec)
        TEXTS[option.id](Place(section, contents.texts, contents.notices, alone=True))
    except RecordingFault as fault:
        if option.id in _NEEDED_SECTIONS:
            raise
        contents.notices.append(f"{OptionId(option.id).name.lower()} cannot be read: {fault.why}")


def _take_text(cursor: Cursor, data: Cursor, codec: Codec | None, contents: Contents) -> None:
    offset = data.u64("offset of the section")
    buffer = contents.buffer(data.name("name of an instance"))
    buffer.clock = data.name("clock of an instance") if data.left else ""
    try:
        place, packed = section_place(cursor, offset, OptionId.BUFFER_TEXT, codec)
        buffer.text = TextData(place, packed)
    except RecordingFault as fault:
        contents.notices.append(f"the text of a latency tracer cannot be read: {fault.why}")


def _take_buffer(data: Cursor, contents: Contents) -> None:
    data.u64("offset of the section")
    buffer = contents.buffer(data.name("name of an instance"))
    buffer.clock = data.name("clock of an instance")
    buffer.page_bytes = check_page_bytes(data, data.u32("page size"))
    for _ in range(check_cpu_count(data, data.u32("number of CPUs"))):
        cpu, offset, size = data.u32("CPU number"), data.u64("offset of a CPU's data"), data.u64("size of a CPU's data")
        buffer.cpus.append(CpuData(cpu, offset, size))
    if len({one.cpu for one in buffer.cpus}) < len(buffer.cpus):
        raise data.fault(f"the instance '{buffer.name}' names a CPU twice")
