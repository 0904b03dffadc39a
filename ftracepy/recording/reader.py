"""A recording as a Source: opened, its instances named, its pages handed over as a live kernel would."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from ftracepy.errors import FtracepyError, RecordingFault
from ftracepy.recording.codecs import Codec, codec
from ftracepy.recording.contents import BufferData, Contents, CpuData, time_scale
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.head import MOST_CPUS, Head, read_head
from ftracepy.recording.inputs import open_bytes
from ftracepy.recording.leftovers import leftovers, read_leftovers
from ftracepy.recording.options import OptionId
from ftracepy.recording.pieces import CpuReader, text_pieces
from ftracepy.recording.procmaps import Area, option_areas
from ftracepy.recording.rawdir import read_folder
from ftracepy.recording.recover import Section, walk
from ftracepy.recording.rounds import rounds
from ftracepy.recording.unfinished import is_unfinished, moved_halfway, spools, take_spools
from ftracepy.recording.v6 import read_v6
from ftracepy.recording.v7 import open_section, read_v7
from ftracepy.schema import FormatFault, PageLayout, Schema
from ftracepy.schematexts import SchemaTexts
from ftracepy.source import Health, Round
from ftracepy.values import replace


class Recording:
    """One instance of a recording, as a Source.

    `contents` is all that the file says, `buffer` what of it this one reads; `instance` is its name
    ("" for the top-level buffer). `texts` are the schema's texts as they were recorded, `notices` (in
    `health()`) say what could not be read.
    """

    def __init__(self, cursor: Cursor, contents: Contents, codec: Codec | None, buffer: BufferData) -> None:
        self._cursor = cursor
        self.contents = contents
        self._codec = codec
        self.buffer = buffer
        self._stopped = False
        self._notices = [*contents.notices, *contents.remarks]
        self.texts = _texts(contents, buffer)
        if OptionId.BTF_FILE in contents.extra_sections:
            self.texts.types = self._types
        self.schema = _schema(cursor, self.texts, self._notices)
        self.schema.areas = _areas_of(contents)
        self.cpus: Sequence[int] = list(dict.fromkeys(data.cpu for data in buffer.cpus))

    @property
    def path(self) -> str:
        return self._cursor.path

    @property
    def size_bytes(self) -> int:
        """The file's size."""
        return len(self._cursor.data)

    @property
    def version(self) -> int:
        return self.contents.version

    @property
    def compression(self) -> str:
        return self.contents.compression

    @property
    def is_unfinished(self) -> bool:
        """Whether its recorder still runs, or was killed."""
        return is_unfinished(self.contents)

    @property
    def instance(self) -> str:
        return self.buffer.name

    @property
    def buffers(self) -> list[BufferData]:
        """All instances in the file, the top-level buffer ("") among them where the file has it."""
        return self.contents.buffers

    @property
    def cpu_count(self) -> int:
        """How many CPUs the machine had, as far as the file tells."""
        counts = [option.data for option in self.contents.options if option.id == OptionId.CPUCOUNT and option.data.left == 4]
        said = (data.copy().u32("number of CPUs") for data in counts)
        return max([max(self.cpus, default=-1) + 1, self.contents.cpu_count, *(min(count, MOST_CPUS) for count in said)])

    @property
    def options(self) -> list[tuple[int, bytes]]:
        """Every option's number and bytes in the order of the file, unknown ones too."""
        return [(one.id, one.data.rest()) for one in self.contents.options]

    def sections(self) -> list[Section]:
        """Every section of a file of version 7, as they lie one behind the other; of others none."""
        if self.version != 7:
            return []
        place = self._cursor.copy()
        return list(walk(place)) if (place.at or read_head(place)) else []

    def extra_sections(self) -> dict[int, bytes]:
        """The sections that no event is read with, by number: types (BTF), modules."""
        found = {number: self._extra_section(number) for number in self.contents.extra_sections}
        if OptionId.BTF_FILE not in found and (types := self.texts.types()):
            found[OptionId.BTF_FILE] = types
        return {number: data for number, data in found.items() if data is not None}

    def _extra_section(self, number: int) -> bytes | None:
        try:
            return open_section(self._cursor, self.contents.extra_sections[number], number, self._codec).rest()
        except RecordingFault as fault:
            self.notice(f"section {number} cannot be read: {fault.why}")
            return None

    def _types(self) -> bytes:
        return self._extra_section(OptionId.BTF_FILE) or b""

    def of_instance(self, name: str) -> Recording:
        """Another instance of the same file; raises FtracepyError where there is none of that name."""
        return Recording(self._cursor, self.contents, self._codec, _named(self.contents, self.path, name))

    def again(self) -> Recording:
        """The same, to be read once more."""
        return self.of_instance(self.instance)

    def every_instance(self) -> list[Recording]:
        """All instances of the file, the top-level buffer first; each tells of its own faults."""
        named = [buffer for buffer in self.buffers if buffer.name]
        return [self.of_instance(buffer.name) for buffer in [*(one for one in self.buffers if not one.name), *named]]

    def rounds(self) -> Iterator[Round]:
        """Yield all pages, the CPU whose next piece begins earliest first; memory stays at about two pieces per CPU."""
        if self.is_text:
            self.notice("this recording holds a latency tracer's text, not events")
        pieces = (self.reader(data).pieces() for data in self.buffer.cpus)
        yield from rounds(pieces, lambda: self._stopped)

    @property
    def is_text(self) -> bool:
        """Whether this is a latency tracer's text, saved instead of events."""
        return self.buffer.text is not None

    def text(self) -> Iterator[bytes]:
        """That text, a piece at a time; what cannot be read ends it with a notice."""
        if self.buffer.text is None:
            return
        try:
            yield from text_pieces(self.buffer.text, self._codec)
        except RecordingFault as fault:
            self.notice(f"the text is incomplete: {fault.why}")

    def reader(self, data: CpuData) -> CpuReader:
        """What reads one CPU's pages, or those that lie where `data` says."""
        return CpuReader(self._cursor, data, self.schema.page, self._codec, self.notice, self.contents.time_shift)

    def notice(self, text: str) -> None:
        """Add to what `health()` tells."""
        self._notices.append(text)

    def stop(self) -> None:
        self._stopped = True

    def health(self) -> Health:
        """The kernel's counts as they stood when the recording ended, and what of the file could not be read (so far)."""
        return Health(list(self.contents.stats.of(self.buffer.name)), list(self._notices))

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to undo: the file is closed with the last that reads it."""


def open_recording(
    path: str | os.PathLike[str], instance: str | None = None, *, stopped: Callable[[], bool] = lambda: False
) -> Recording:
    """Open a trace.dat of version 6 or 7; "-" is standard input. What a pipe gives is first copied to a temporary file.
    A folder is one of raw sub-buffers, see recording/rawdir.py; where only trace-cmd's files of pages are there, see
    recording/leftovers.py.

    `instance` None means the top-level buffer, or, where that is empty, the instance with the most
    data. A recording that still runs, or whose recorder was killed, is read as far as it has come.
    `stopped` ends the wait for a pipe. Raises RecordingFault where the file cannot be read.
    """
    path = os.fspath(path)
    if os.path.isdir(path) or (not os.path.lexists(path) and leftovers(path)):
        contents = read_folder(path) if os.path.isdir(path) else read_leftovers(path)
        return Recording(Cursor(memoryview(b""), path), contents, None, _named(contents, path, instance or ""))
    data, notice = open_bytes(path, stopped)
    cursor = Cursor(data, path)
    head = read_head(cursor)
    packer = _codec(cursor, head)
    contents = read_v6(cursor, head) if head.version == 6 else read_v7(cursor, head, packer)
    if not contents.cut_short and is_unfinished(contents) and (moved := moved_halfway(contents, path, data)):
        cursor = Cursor(moved[1], path, cursor.at, order=cursor.order)
        contents = read_v7(cursor, replace(head, options_offset=moved[0]), packer)
        contents.notices.append("the recorder was killed while it made the file whole: what it had not moved lies beside it")
    contents.remarks += [notice] if notice else []
    if is_unfinished(contents) or contents.cut_short:
        _take_beside(contents, path, head)
    if instance is not None:
        return Recording(cursor, contents, packer, _named(contents, cursor.path, instance))
    buffer = _default(contents)
    found = Recording(cursor, contents, packer, buffer)
    if others := [f"'{one.name}'" for one in contents.buffers if one is not buffer and not one.is_empty]:
        found.notice(f"this recording also holds the instances {', '.join(others)}")
    return found


def _take_beside(contents: Contents, path: str, head: Head) -> None:
    """The pages of a file that has not got them; raises RecordingFault where there are none in a file that is cut short."""
    beside = any(data.size for _, data in spools(path))
    if not contents.cut_short or (beside and not any(buffer.cpus for buffer in contents.buffers)):
        take_spools(contents, path, head)
    elif not any(buffer.cpus for buffer in contents.buffers):
        raise contents.cut_short


def _codec(cursor: Cursor, head: Head) -> Codec | None:
    try:
        return codec(head.compression)
    except FtracepyError as fault:
        raise RecordingFault(f"cannot read the recording '{cursor.path}': {fault.what}", why=fault.why, hint=fault.hint) from None


def _default(contents: Contents) -> BufferData:
    top = next((buffer for buffer in contents.buffers if not buffer.name), BufferData(""))
    filled = [buffer for buffer in contents.buffers if not buffer.is_empty]
    return max(filled, key=lambda buffer: sum(cpu.size for cpu in buffer.cpus)) if top.is_empty and filled else top


def _named(contents: Contents, path: str, name: str) -> BufferData:
    for buffer in contents.buffers:
        if buffer.name == name:
            return buffer
    names = ", ".join(f"'{buffer.name}'" for buffer in contents.buffers)
    raise FtracepyError(f"the recording '{path}' has no instance '{name}'", why=f"it has {names or 'none'}")


def _areas_of(contents: Contents) -> list[Area]:
    told = (option.data.rest() for option in contents.options if option.id == OptionId.PROCMAPS)
    return [*contents.areas, *(area for data in told for area in option_areas(data))]


def _texts(contents: Contents, buffer: BufferData) -> SchemaTexts:
    clock = buffer.clock or contents.texts.clock
    page_bytes = buffer.page_bytes or contents.page_bytes
    return replace(contents.texts, clock=clock, page_bytes=page_bytes, time=time_scale(contents.options, clock))


def _schema(cursor: Cursor, texts: SchemaTexts, notices: list[str]) -> Schema:
    try:
        schema = texts.schema(skipped=notices)
    except FormatFault as fault:
        raise RecordingFault(f"cannot read the recording '{cursor.path}'", why=str(fault)) from None
    if why := _unfit(schema.page):
        raise RecordingFault(f"cannot read the recording '{cursor.path}'", why=f"its header_page {why}")
    return schema


def _unfit(page: PageLayout) -> str:
    if page.commit_bytes not in (4, 8):
        return f"gives commit {page.commit_bytes} bytes"
    if not 8 <= page.commit_offset <= page.data_offset - page.commit_bytes:
        return "lays the fields of a page over each other"
    return "leaves no room for events" if page.data_offset + 8 > page.size_bytes else ""
