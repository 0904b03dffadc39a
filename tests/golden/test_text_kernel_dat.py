"""Recordings whose buffer the kernel printed as well: ours in the kernel's style against that text, pointers aside.

What may differ: sizes of a module's last symbol, an inode's age (in jiffies at the time of printing), and functions in files
that hold the names of a few symbols only.
"""

from __future__ import annotations

import gzip
import json
import lzma
import re
from collections import Counter
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.stream import Stream
from ftracepy.text import Formatter
from tests.support import tally
from tests.support.corpus import ROOT

TEXTS = sorted(ROOT.glob("dat/*/*.kernel-trace.txt.gz"))
_POINTER = re.compile(rb"\(____ptrval____\)|\b[0-9a-f]{8}(?:[0-9a-f]{8})?\b")
_MAY_DIFFER = re.compile(rb" age=\d+ |\+0x\w+/0x\w+ \[\w+\]")

pytestmark = pytest.mark.skipif(not TEXTS, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)")


def comparable(text: bytes) -> list[bytes]:
    return [_POINTER.sub(b"PTR", line) for line in text.split(b"\n") if not line.startswith((b"#", b"CPU:"))]


@pytest.mark.parametrize("kernel", TEXTS, ids=lambda path: path.name)
def test_as_the_kernel_printed_it(kernel: Path, tmp_path: Path) -> None:
    if "extract_fn" in kernel.name:
        pytest.skip("the file names a few symbols only")
    path = kernel.with_name(kernel.name.removesuffix(".kernel-trace.txt.gz") + ".dat")
    if not path.exists():
        plain = tmp_path / path.name
        plain.write_bytes(lzma.decompress(path.with_name(path.name + ".xz").read_bytes()))
        path = plain
    with recording.open(path) as source:
        formatter = Formatter(source.schema, cpus=len(source.cpus))
        text = b"".join(formatter.lines(batch, more=True) for batch in Stream(source)) + formatter.rest()
    mine, want = comparable(text), comparable(gzip.decompress(kernel.read_bytes()))
    assert not [line for line in (Counter(want) - Counter(mine)) if not _MAY_DIFFER.search(line)]
    assert len(mine) == len(want)
    tally.hold(f"{kernel.parent.name}/{path.name}", "kernel", (Counter(want) & Counter(mine)).total(), len(want))


def test_the_page_of_recordings_says_what_is_known() -> None:
    assert tally.page(json.loads(tally.KNOWN.read_text())) == tally.PAGE.read_text()
