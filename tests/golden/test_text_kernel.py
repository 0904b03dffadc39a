"""Real ring buffers as text: ours in the kernel's style against what the kernel itself printed of the same buffer.

Pointers are hashed in the kernel's text (option hash-ptr) and therefore left out of the comparison.
"""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from ftracepy.batch import decoder_for
from ftracepy.schema import Schema, TimeScale, parse_cmdlines, parse_event_format, parse_header_page
from ftracepy.text import Formatter
from tests.support import tally
from tests.support.corpus import ROOT, raw_names

# Splice leaves the tail in the kernel; a page was read before the text.
_OTHER_EVENTS = re.compile("splice|drop_over_mid|empty|mmap")
_CANNOT_KNOW = {
    "mod_printk": "kallsyms was read after the module had gone",
}
_POINTER = re.compile(rb"\(____ptrval____\)|\b[0-9a-f]{8}(?:[0-9a-f]{8})?\b")
_EVENT = re.compile(rb"\] \S+ +[0-9.]+: (?P<name>[\w<]+)")
_LEAST_EQUAL = 0.999  # of all lines; what differs is fields in place of what only that kernel could evaluate
_SCORE: Counter[str] = Counter()

pytestmark = pytest.mark.skipif(not raw_names(), reason=f"no ring buffers under {ROOT} (FTRACEPY_CORPUS)")


def files(name: str) -> dict[str, bytes]:
    with tarfile.open(Path(ROOT, "raw", f"{name}.tar.xz")) as archive:
        opened = ((one.name.partition("/")[2], archive.extractfile(one)) for one in archive if one.isfile())
        return {path: file.read() for path, file in opened if file}


def schema_of(found: dict[str, bytes], name: str) -> Schema:
    def text(path: str) -> str:
        return found.get(path, b"").decode("utf-8", "surrogateescape")

    subbuf = text("buffer_subbuf_size_kb").strip()
    page_bytes = int(subbuf) * 1024 if subbuf else None
    page = parse_header_page(text("header_page.inst") or text("header_page"), big_endian="s390x" in name, page_bytes=page_bytes)
    schema = Schema(page=page, kallsyms=text("kallsyms.excerpt"), printk_formats=text("printk_formats"), uname=text("uname"))
    schema.dynamic_events = text("dynamic_events")
    formats = (path for path in found if path.startswith("formats/") and path.endswith("/format"))
    schema.add(parse_event_format(text(path), path.split("/")[1], page.long_bytes) for path in formats)
    schema.cmdlines = parse_cmdlines(text("saved_cmdlines"))
    schema.time = TimeScale(is_ns=not re.search(r"\[(?:counter|uptime|x86-tsc)\]", text("trace_clock")))
    return schema


def comparable(text: bytes) -> list[bytes]:
    lines = [line for line in text.rstrip(b"\n").split(b"\n") if not line.startswith((b"CPU:", b"##### CPU"))]
    first = next((at for at, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
    return [_POINTER.sub(b"PTR", line) for line in lines[first:]]


@pytest.mark.parametrize("name", [one for one in raw_names() if not _OTHER_EVENTS.search(one)])
def test_as_the_kernel_printed_it(name: str) -> None:
    if why := next((why for mark, why in _CANNOT_KNOW.items() if mark in name), ""):
        pytest.skip(why)
    found = files(name)
    schema = schema_of(found, name)
    data = {int(at[1]): pages for path, pages in found.items() if (at := re.fullmatch(r"cpu(\d+)\.raw", path))}
    decoder = decoder_for(schema, sorted(data))
    for cpu, pages in data.items():
        decoder.feed(cpu, pages)
    formatter = Formatter(schema, options=found["trace_options"].decode().split(), cpus=len(data))
    mine, kernel = comparable(formatter.lines(decoder.batch(max_events=1 << 20))), comparable(found["trace.txt"])
    assert len(mine) == len(kernel)
    tally.hold(f"raw/{name}", "kernel", sum(map(bytes.__eq__, mine, kernel)), len(kernel))
    for line, want in zip(mine, kernel, strict=True):
        _SCORE["lines"] += 1
        _SCORE["equal"] += line == want
        if line != want:
            match = _EVENT.search(want)
            _SCORE[f"differ: {match['name'].decode() if match else name}"] += 1


# Kernels since 6.16 show where in their memory such a pointer stands, not what it points to.
_PLACE = re.compile(rb"\(0x[0-9a-f]{16}|timer=\S+")  # a timer's symbol is data, of which the sets' kallsyms has none


@pytest.mark.parametrize("name", [one for one in raw_names() if not _OTHER_EVENTS.search(one)])
def test_fields_as_the_kernel_printed_them(name: str) -> None:
    """The option `fields`; of the tracers' own events it knows nothing ("UNKNOWN TYPE"), which have lines of their own."""
    found = files(name)
    if not found.get("trace.fields.txt") or "fgraph" in name:
        pytest.skip("no text of fields, or a listing, which has none")
    schema = schema_of(found, name)
    data = {int(at[1]): pages for path, pages in found.items() if (at := re.fullmatch(r"cpu(\d+)\.raw", path))}
    decoder = decoder_for(schema, sorted(data))
    for cpu, pages in data.items():
        decoder.feed(cpu, pages)
    lines = comparable(Formatter(schema, form="raw").lines(decoder.batch(max_events=1 << 20)))
    kernel = comparable(found["trace.fields.txt"])
    if len(lines) != len(kernel):
        pytest.skip("texts of several lines")
    pairs = ((_PLACE.sub(b"(", line), _PLACE.sub(b"(", want)) for line, want in zip(lines, kernel, strict=True))
    other = [pair for pair in pairs if b"UNKNOWN TYPE" not in pair[1]]
    unequal = [pair for pair in other if pair[0] != pair[1]]
    tally.hold(f"raw/{name}", "fields", len(other) - len(unequal), len(other))
    assert not unequal[:1]


def test_score(capsys: pytest.CaptureFixture[str]) -> None:
    if not _SCORE:
        pytest.skip("no ring buffer was compared in this run")
    share = _SCORE["equal"] / _SCORE["lines"]
    with capsys.disabled():
        print(f"\nkernel style: {_SCORE['equal']} of {_SCORE['lines']} lines equal ({share:.3%})")
        print(", ".join(f"{what} {count}" for what, count in _SCORE.most_common(40) if what.startswith("differ")))
    assert share >= _LEAST_EQUAL
