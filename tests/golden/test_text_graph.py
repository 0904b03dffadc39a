"""A function_graph listing is the same in batches of any size, and from C and its twin; the kernel's own text tells which."""

from __future__ import annotations

import re

import pytest

from ftracepy.batch import decoder_for
from ftracepy.text import Formatter
from tests.golden.test_text_kernel import files, schema_of
from tests.support.corpus import ROOT, raw_names
from tests.support.decoders import implementations

NAMES = [name for name in raw_names() if "fgraph" in name]

pytestmark = pytest.mark.skipif(not NAMES, reason=f"no ring buffers under {ROOT} (FTRACEPY_CORPUS)")


@pytest.mark.parametrize("implementation", implementations())
@pytest.mark.parametrize("name", NAMES)
def test_batches_of_any_size(name: str, implementation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTRACEPY_TWIN", "0" if implementation == "_core" else "1")
    found = files(name)
    schema = schema_of(found, name)
    data = {int(at[1]): pages for path, pages in found.items() if (at := re.fullmatch(r"cpu(\d+)\.raw", path))}
    options = found["trace_options"].decode().split()
    for most in (31, 1 << 20):
        decoder = decoder_for(schema, sorted(data))
        for cpu, pages in data.items():
            decoder.feed(cpu, pages)
        formatter = Formatter(schema, tracer="function_graph", options=options, cpus=len(data))
        text = formatter.heading(len(data))
        while len(batch := decoder.batch(max_events=most)):
            text += formatter.lines(batch, more=True)
        assert text + formatter.rest() == found["trace.txt"]
