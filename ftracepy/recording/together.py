"""Several recordings, or instances of one, as the instances of a single new file: what must agree, and what is joined."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ftracepy.errors import UsageFault
from ftracepy.recording.reader import Recording
from ftracepy.schematexts import SchemaTexts

_WHAT = "these recordings cannot become one"


@dataclass(frozen=True, slots=True)
class Input:
    """One buffer, and the instance it becomes ("" is the top-level one)."""

    source: Recording
    name: str


def named_inputs(found: Sequence[Recording]) -> list[Input]:
    """All buffers of all recordings: of one recording as they are called, of several by the files' names."""
    if len(found) == 1:
        return [Input(source, source.instance) for source in found[0].every_instance()]
    named: dict[str, Recording] = {}
    for one in found:
        stem = os.path.splitext(os.path.basename(one.path))[0]
        for source in one.every_instance():
            if source.instance or not source.buffer.is_empty or len(one.buffers) == 1:
                named[_unused(stem if not source.instance else f"{stem}.{source.instance}", named)] = source
    return [Input(source, name) for name, source in named.items()]


def _unused(name: str, taken: dict[str, Recording]) -> str:
    number = 2
    wanted = name
    while name in taken or not name:
        name, number = f"{wanted}-{number}", number + 1
    return name


def check_alike(inputs: Sequence[Input]) -> None:
    """Raises UsageFault where the file's one set of texts and of time options would be wrong for some of its events."""
    first = inputs[0].source
    for one in (one.source for one in inputs[1:]):
        for what, mine, other in (
            ("byte orders", first.schema.page.big_endian, one.schema.page.big_endian),
            ("sizes of long", first.schema.page.long_bytes, one.schema.page.long_bytes),
            ("time scales or offsets", _time(first), _time(one)),
        ):
            if mine != other:
                raise UsageFault(_WHAT, why=f"'{first.path}' and '{one.path}' have different {what}: {mine} and {other}")
        for number in first.schema.formats.keys() & one.schema.formats.keys():
            here, there = first.schema.formats[number], one.schema.formats[number]
            if here.unread != there.unread:
                both = f"{here.system}:{here.name} in '{first.path}' and {there.system}:{there.name} in '{one.path}'"
                raise UsageFault(_WHAT, why=f"event type {number} is {both}, not laid out alike: other kernels, or other probes")


def _time(one: Recording) -> tuple[int, int, int]:
    return one.schema.time.mult, one.schema.time.shift, one.schema.time.offset_ns


def together(inputs: Sequence[Input]) -> SchemaTexts:
    """The texts of all: every format once, the names of all threads, the largest table of symbols."""
    texts = [one.source.texts for one in inputs]
    formats: dict[str, list[bytes]] = {}
    for one in texts:
        for system, some in one.formats.items():
            here = formats.setdefault(system, [])
            here += [text for text in some if text not in here] if here else some
    return replace(
        texts[0],
        formats=formats,
        kallsyms=max((one.kallsyms for one in texts), key=len),
        printk_formats=_joined([one.printk_formats for one in texts]),
        cmdlines=_joined([one.cmdlines for one in texts]),
    )


def _joined(texts: Sequence[bytes]) -> bytes:
    """Each different text once, whole lines."""
    different = list(dict.fromkeys(text for text in texts if text))
    if len(different) < 2:
        return different[0] if different else b""
    lines = dict.fromkeys(line for text in different for line in text.rstrip(b"\0").splitlines() if line)
    return b"\n".join(lines) + b"\n"
