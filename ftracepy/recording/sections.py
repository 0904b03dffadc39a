"""The sections and options of a version 7 file as bytes (trace-cmd.dat.v7(5))."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ftracepy.recording.codecs import NONE, Codec
from ftracepy.recording.head import MAGIC
from ftracepy.recording.options import OptionId
from ftracepy.recording.v7 import COMPRESSED, OPTIONS_SECTION
from ftracepy.schematexts import FTRACE, SchemaTexts

_NAMES = {
    OptionId.HEADER_INFO: "headers",
    OptionId.FTRACE_EVENTS: "ftrace events",
    OptionId.EVENT_FORMATS: "events format",
    OptionId.KALLSYMS: "kallsyms",
    OptionId.PRINTK: "printk",
    OptionId.CMDLINES: "command lines",
    OPTIONS_SECTION: "options",
    OptionId.BUFFER: "buffer flyrecord ",
    OptionId.STRINGS: "strings",
    OptionId.BTF_FILE: "BTF",
    OptionId.MODULES_FILE: "modules",
}


class Encoder:
    """Numbers in one byte order, sections compressed by one codec (None: not at all)."""

    def __init__(self, order: str, codec: Codec | None) -> None:
        self.order = order
        self.codec = codec

    def pack(self, layout: str, *numbers: int) -> bytes:
        return struct.pack(self.order + layout, *numbers)

    def head(self, long_bytes: int, page_bytes: int) -> tuple[bytes, int]:
        """The head with no options yet, and where in it the offset of the first options belongs."""
        name, version = (self.codec.name, self.codec.version) if self.codec else (NONE, "")
        start = MAGIC + b"7\0" + bytes([self.order == ">", long_bytes]) + self.pack("I", page_bytes)
        start += f"{name}\0{version}\0".encode()
        return start + self.pack("Q", 0), len(start)

    def section(self, number: int, body: bytes) -> bytes:
        """A whole section; OPTIONS stay plain in a compressed file too, as trace-cmd leaves them."""
        if self.codec is None or number == OPTIONS_SECTION:
            return self.section_header(number, len(body)) + body
        packed = self.chunk(body)
        return self.section_header(number, len(packed)) + packed

    def section_header(self, number: int, size: int) -> bytes:
        flags = COMPRESSED if self.codec and number != OPTIONS_SECTION else 0
        return self.pack("HHIQ", number, flags, _name_offset(number), size)

    def chunk(self, data: bytes | memoryview) -> bytes:
        """Compressed bytes behind their two sizes; only where there is a codec."""
        assert self.codec is not None
        packed = self.codec.compress(data)
        return self.pack("II", len(packed), len(data)) + packed

    def option(self, number: int, data: bytes) -> bytes:
        return self.pack("HI", number, len(data)) + data

    def strings(self) -> bytes:
        """The section that names all others."""
        return self.section(OptionId.STRINGS, "".join(f"{name}\0" for name in _NAMES.values()).encode())

    def texts(self, texts: SchemaTexts) -> Iterable[tuple[OptionId, bytes]]:
        """Every text section's number and body."""
        yield OptionId.HEADER_INFO, self._headers(texts)
        yield OptionId.FTRACE_EVENTS, self._formats(texts.formats.get(FTRACE, []))
        yield OptionId.EVENT_FORMATS, self._systems(texts)
        yield OptionId.KALLSYMS, self._sized("I", texts.kallsyms)
        yield OptionId.PRINTK, self._sized("I", texts.printk_formats)
        yield OptionId.CMDLINES, self._sized("Q", texts.cmdlines)

    def _headers(self, texts: SchemaTexts) -> bytes:
        page, event = self._sized("Q", texts.header_page), self._sized("Q", texts.header_event)
        return b"header_page\0" + page + b"header_event\0" + event

    def _systems(self, texts: SchemaTexts) -> bytes:
        systems = {name: formats for name, formats in texts.formats.items() if name != FTRACE}
        named = (name.encode() + b"\0" + self._formats(formats) for name, formats in systems.items())
        return self.pack("I", len(systems)) + b"".join(named)

    def _formats(self, formats: list[bytes]) -> bytes:
        return self.pack("I", len(formats)) + b"".join(self._sized("Q", one) for one in formats)

    def _sized(self, length: str, text: bytes) -> bytes:
        return self.pack(length, len(text)) + text


def _name_offset(number: int) -> int:
    offset = 0
    for one, name in _NAMES.items():
        if one == number:
            break
        offset += len(name) + 1
    return offset
