"""A folder of raw sub-buffers with the texts to read them: from a crash dump, a collector of one's own, or a copy of tracefs.

FOLDER/cpuN.raw            what trace_pipe_raw of CPU N gave (cpuN.first.raw: what was read before; or
                           cpuN.mmap.readers.bin, per_cpu/cpuN/trace_pipe_raw, cpuN/trace_pipe_raw); where none is called
                           so, cpuN, cpuN.bin, trace_pipe_raw.cpuN, trace_pipe_raw.N, ANYTHING.cpuN
FOLDER/header_page         header_page.inst, where the instance's differs; or events/header_page
FOLDER/formats/SYSTEM/EVENT/format                                         or events/…, or without the /format
and where they are there: printk_formats, saved_cmdlines, saved_tgids, kallsyms (kallsyms.excerpt), trace_clock, trace_options,
current_tracer, uname, btf (vmlinux.btf: /sys/kernel/btf/vmlinux), buffer_subbuf_size_kb, cpuN.stats.after (cpuN.stats),
proc/PID/maps
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator, Sequence

from ftracepy.errors import RecordingFault
from ftracepy.recording.contents import BufferData, Contents, CpuData
from ftracepy.recording.head import LARGEST_PAGE_BYTES
from ftracepy.recording.procmaps import folder_areas
from ftracepy.schema import FormatFault, PageLayout, parse_header_page
from ftracepy.schematexts import SchemaTexts, chosen_clock

_RAW = "trace_pipe_raw"
_PAGES = (
    (re.compile(r"cpu(\d{1,5})\.first\.raw"), ""),
    (re.compile(r"cpu(\d{1,5})\.raw"), ""),
    (re.compile(r"cpu(\d{1,5})\.mmap\.readers\.bin"), ""),
    (re.compile(r"cpu(\d{1,5})"), _RAW),
)
_LIKELY_PAGES = (
    (re.compile(r"(?:.*[._-])?cpu[_-]?(\d{1,5})(?:[._-](?:bin|pages|data|raw|trace_pipe_raw))?"), ""),
    (re.compile(r"trace_pipe_raw[._-]?(\d{1,5})(?:\.(?:bin|raw))?"), ""),
)
_MOST_BYTES = 64 << 20  # of one text
_MOST_CPUS = 1 << 16
_NO_TRACER = "nop"  # set so, perhaps, when the buffer had been written
_BIG_ENDIAN = re.compile(r"\b(s390x?|ppc64|ppc|sparc64|sparc|mips|mips64|parisc|parisc64|m68k|armv\w+b|aarch64_be)\b")


def read_folder(path: str) -> Contents:
    """All that the folder tells; raises RecordingFault where there are no pages, or not what must be known to read them."""
    layout = _layout(path, _header(path))
    found = sorted(_pages(path, _PAGES) or _pages(path, _LIKELY_PAGES), key=lambda one: (one[1].cpu, one[0]))
    if not found:
        raise _fault(path, "it is a directory without sub-buffers", "cpuN.raw beside header_page and formats/SYSTEM/EVENT/format")
    cpus = [data for _, data in found]
    texts = folder_texts(path, cpus)
    buffer = BufferData("", texts.clock, layout.size_bytes, cpus)
    buffer.options = tuple(_text(path, "trace_options").decode("ascii", "replace").split())
    tracer = _text(path, "current_tracer").decode("ascii", "replace").strip()
    buffer.tracer = tracer if tracer not in ("", _NO_TRACER) else None
    contents = Contents(0, texts, layout.size_bytes, buffers=[buffer], areas=list(folder_areas(path)))
    for cpu in {data.cpu for data in cpus}:
        if text := _text(path, f"cpu{cpu}.stats.after", f"cpu{cpu}.stats", f"per_cpu/cpu{cpu}/stats"):
            contents.stats.add(f"CPU: {cpu}\n{text.decode('ascii', 'replace')}")
    return contents


def folder_texts(path: str, cpus: Sequence[CpuData]) -> SchemaTexts:
    """The texts of a folder, or of tracefs itself; `cpus` show the byte order. Raises RecordingFault without header_page."""
    header, uname = _header(path), _text(path, "uname").decode("utf-8", "replace").strip()
    layout = _layout(path, header)
    texts = SchemaTexts(header_page=header, header_event=_text(path, "header_event", "events/header_event"))
    for system, text in _formats(path):
        texts.add(system, text)
    texts.kallsyms = _text(path, "kallsyms", "kallsyms.excerpt")
    texts.printk_formats = _text(path, "printk_formats")
    texts.dynamic_events = _text(path, "dynamic_events")
    texts.types = lambda: _text(path, "btf", "vmlinux.btf")
    texts.cmdlines = _text(path, "saved_cmdlines")
    texts.tgids = _text(path, "saved_tgids")
    texts.clock = chosen_clock(_text(path, "trace_clock").decode("ascii", "replace")) or "local"
    texts.uname = _uname(uname)
    texts.big_endian = _is_big(cpus, layout, uname)
    texts.page_bytes = layout.size_bytes
    return texts


def _header(path: str) -> bytes:
    if text := _text(path, "header_page.inst", "header_page", "events/header_page"):
        return text
    raise _fault(path, "it is a directory without header_page, which says how its sub-buffers are laid out")


def _layout(path: str, header: bytes) -> PageLayout:
    kb = _text(path, "buffer_subbuf_size_kb").strip()
    size = int(kb) << 10 if kb.isdigit() and len(kb) < 8 else 0
    try:
        layout = parse_header_page(header.decode("ascii", "replace"), page_bytes=size or None)
    except FormatFault as fault:
        raise _fault(path, str(fault)) from None
    if not layout.data_offset < layout.size_bytes <= LARGEST_PAGE_BYTES or layout.commit_bytes not in (4, 8):
        raise _fault(path, "its header_page describes no sub-buffer that can be")
    return layout


def _pages(path: str, patterns: Sequence[tuple[re.Pattern[str], str]]) -> list[tuple[int, CpuData]]:
    """Every file of pages, with its rank among those of its CPU."""
    found = []
    for folder in (path, os.path.join(path, "per_cpu")):
        for name in _names(folder):
            for rank, (pattern, inner) in enumerate(patterns):
                file = os.path.join(folder, name, inner) if inner else os.path.join(folder, name)
                if (match := pattern.fullmatch(name)) and (size := _size(file)) is not None and int(match[1]) < _MOST_CPUS:
                    found.append((rank, CpuData(int(match[1]), 0, size, file)))
                    break
    return found


def _formats(path: str) -> Iterator[tuple[str, bytes]]:
    for root in (os.path.join(path, "formats"), os.path.join(path, "events")):
        for system in _names(root):
            for event in _names(os.path.join(root, system)):
                text = _text(root, os.path.join(system, event, "format"), os.path.join(system, event))
                if text.startswith(b"name:"):
                    yield system, text


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _size(path: str) -> int | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _text(folder: str, *names: str) -> bytes:
    """The first of these files that is there and holds anything."""
    for name in names:
        path = os.path.join(folder, name)
        if _size(path) is None:
            continue
        try:
            with open(path, "rb") as file:
                if text := file.read(_MOST_BYTES):
                    return text
        except OSError:
            continue
    return b""


def _uname(text: str) -> str:
    """As a recording has it, system node release machine, from `uname -a`, which says more."""
    words = text.split()
    if len(words) < 5:
        return text
    machine = words[-2] if words[-1] == "GNU/Linux" else words[-1]
    return " ".join([*words[:3], machine])


def _is_big(cpus: Sequence[CpuData], layout: PageLayout, uname: str) -> bool:
    """The byte order in which the commit of the first page fits into it; where both do, the machine's."""
    for data in cpus:
        try:
            with open(data.path, "rb") as file:
                head = file.read(layout.size_bytes)
        except OSError:
            continue
        fits = [_fits(head, layout, order) for order in "<>"]
        if any(fits) and not all(fits):
            return fits[1]
    return bool(_BIG_ENDIAN.search(uname))


def _fits(head: bytes, layout: PageLayout, order: str) -> bool:
    if len(head) < layout.size_bytes:
        return False
    code = "Q" if layout.commit_bytes == 8 else "I"
    (commit,) = struct.unpack_from(order + code, head, layout.commit_offset)
    size = commit & 0x3FFFFFFF
    return 0 < size <= layout.size_bytes - layout.data_offset and (commit >> 32) in (0, 0xFFFFFFFF)


def _fault(path: str, why: str, hint: str = "") -> RecordingFault:
    return RecordingFault(f"cannot read the recording '{path}'", why=why, hint=hint)
