"""Real ring buffers of many kernels against the kernel's own text of the same events, and one decoder against the other."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.support.corpus import RawSet, raw_names, raw_set
from tests.support.decoders import decode, implementations, picture

pytestmark = pytest.mark.skipif(not raw_names(), reason="no corpus of raw sets (FTRACEPY_CORPUS)")

_RAW_LINE = re.compile(r"^(-?\d+) (\d+) (\d+) ", re.MULTILINE)
_FIELDS_LINE = re.compile(r"^.{16,}-(?P<pid>-?\d+) +\[(?P<cpu>\d+)\] \S+ +[\d.]+: (?P<fields>.*)")
_NUMBER = re.compile(r" (\w+)=0x([0-9a-f]+) \(")


@pytest.mark.parametrize("name", implementations())
@pytest.mark.parametrize("recording", raw_names())
def test_pid_cpu_and_time_of_every_event(recording: str, name: str) -> None:
    raw = raw_set(recording)
    batch = decode(name, raw.schema, raw.data)
    ours = Counter((event.pid, event.cpu, event.ts) for event in batch)
    kernels = Counter((int(at[1]), int(at[2]), int(at[3])) for at in _RAW_LINE.finditer(raw.raw_text))
    assert batch.faults == []
    assert list(batch.ts) == sorted(batch.ts)
    assert not kernels or not ours - kernels
    assert not raw.whole or ours == kernels


@pytest.mark.parametrize("recording", raw_names())
def test_both_decoders_agree(recording: str) -> None:
    raw = raw_set(recording)
    first, *others = (picture(decode(name, raw.schema, raw.data)) for name in implementations())
    assert all(first == other for other in others)


@pytest.mark.parametrize("recording", [name for name in raw_names() if re.match(r"k(6\.1\d|7)", name)])
def test_every_number_the_kernel_prints(recording: str) -> None:
    """Against the trace option `fields` (6.4+), which prints numbers in hex, as wide as the field."""
    raw = raw_set(recording)
    if not raw.whole:
        return
    compared = 0
    for line, event in zip(_field_lines(raw), decode(implementations()[0], raw.schema, raw.data), strict=True):
        assert (int(line["pid"]), int(line["cpu"])) == (event.pid, event.cpu)
        if not line["fields"].startswith(f"{event.name}:"):
            continue  # the kernel's own tracers print something else
        form = raw.schema.formats[event.id]
        for key, text in _NUMBER.findall(line["fields"]):
            field = form.field(key)
            if field is None or field.count is not None:
                continue  # within a text, or the address of one
            mask = (1 << 8 * field.size) - 1
            assert event[key] & mask == int(text, 16) & mask, (event, key)
            compared += 1
    assert compared or re.search("empty|marker|subbuf_8_big|func_stack", recording)


def _field_lines(raw: RawSet) -> list[re.Match[str]]:
    return [found for line in raw.fields_text.splitlines() if (found := _FIELDS_LINE.match(line))]
