"""Real ring buffers with the kernel's own text, from the folder that FTRACEPY_CORPUS names (default: ../shared/corpus)."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ftracepy.schema import Schema, parse_event_format, parse_header_page

ROOT = Path(os.environ.get("FTRACEPY_CORPUS") or Path(__file__).parents[3] / "shared/corpus")


def raw_names() -> list[str]:
    """Every raw set, as KERNEL/NAME; none where there is no corpus."""
    return sorted(f"{path.parent.name}/{path.name.split('.tar')[0]}" for path in ROOT.glob("raw/*/*.tar.xz"))


@dataclass(frozen=True)
class RawSet:
    """One recording of trace_pipe_raw: the bytes of each CPU, how to read them, and the kernel's text of the same events."""

    name: str
    schema: Schema
    data: dict[int, bytes]
    raw_text: str  # option raw: PID CPU STAMP …
    fields_text: str  # option fields, from kernel 6.4 on
    whole: bool  # the text and the bytes hold the same events


@cache
def raw_set(name: str) -> RawSet:
    files = dict(_files(ROOT / "raw" / f"{name}.tar.xz"))
    header = (files.get("header_page.inst") or files["header_page"]).decode()
    subbuf = files.get("buffer_subbuf_size_kb", b"").strip()
    page_bytes = int(subbuf) * 1024 if subbuf.isdigit() else None
    schema = Schema(page=parse_header_page(header, big_endian="s390x" in name, page_bytes=page_bytes))
    schema.add(
        parse_event_format(text.decode(), path.split("/")[1], schema.page.long_bytes)
        for path, text in files.items()
        if re.fullmatch("formats/[^/]+/[^/]+/format", path)
    )
    pages = re.compile(r"cpu(\d+)\.(?:raw|mmap\.readers\.bin)")
    data = {int(at[1]): text for path, text in files.items() if (at := pages.fullmatch(path))}
    # splice leaves the tail in the kernel; the graph tracer ignores the option raw
    whole = not re.search(r"splice|fgraph", name)
    texts = [files.get(one, b"").decode(errors="replace") for one in ("trace.raw.txt", "trace.fields.txt")]
    return RawSet(name, schema, data, texts[0], texts[1], whole)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if (opened := archive.extractfile(member)) is not None:
                yield member.name.partition("/")[2], opened.read()
