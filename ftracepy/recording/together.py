"""Several recordings, or instances of one, as the instances of a single new file: what must agree, and what is joined."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from ftracepy.errors import UsageFault
from ftracepy.recording.reader import Recording
from ftracepy.schema import TimeScale
from ftracepy.schematexts import SchemaTexts
from ftracepy.values import dataclass, replace

_ID = re.compile(rb"^ID:\s*(\d{1,9})\b", re.MULTILINE)
_MOST_TYPES = 1 << 16
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
    """Raises UsageFault where no file could hold both: a file has one byte order and one size of long."""
    first = inputs[0].source
    for one in (one.source for one in inputs[1:]):
        for what, mine, other in (
            ("byte orders", first.schema.page.big_endian, one.schema.page.big_endian),
            ("sizes of long", first.schema.page.long_bytes, one.schema.page.long_bytes),
        ):
            if mine != other:
                raise UsageFault(_WHAT, why=f"'{first.path}' and '{one.path}' have different {what}: {mine} and {other}")


@dataclass(frozen=True, slots=True)
class Change:
    """What an input's events become in a file of several: other numbers of their types, stamps that are the times shown."""

    ids: Mapping[int, int]
    type_offset: int
    big_endian: bool
    time: TimeScale | None = None

    @property
    def any(self) -> bool:
        return bool(self.ids) or self.time is not None

    def stamp(self, raw: int) -> int:
        return raw if self.time is None else max((raw * self.time.mult >> self.time.shift) + self.time.offset_ns, 0)

    def record(self, number: int, raw: bytes) -> bytes:
        """The record with the new number of its type."""
        if number not in self.ids:
            return raw
        at = self.type_offset
        return raw[:at] + self.ids[number].to_bytes(2, "big" if self.big_endian else "little") + raw[at + 2 :]


@dataclass(frozen=True, slots=True)
class Joined:
    """The texts of all inputs, what each one's events become, and what to tell of it. `one_time`: stamps are as shown."""

    texts: SchemaTexts
    changes: Sequence[Change]
    one_time: bool
    notices: Sequence[str]


def together(inputs: Sequence[Input]) -> Joined:
    """Every format once, the names of all threads, the largest table of symbols.

    Where two kernels mean different events by one number, the later input's get another; where clocks are shown
    with different scales or offsets, all stamps become the times as shown. Raises UsageFault where numbers run out.
    """
    texts = [one.source.texts for one in inputs]
    if all(one.source.contents is inputs[0].source.contents for one in inputs):
        return Joined(texts[0], [Change({}, 0, False)] * len(inputs), False, [])
    numbers = _Numbers()
    scales = [one.source.schema.time for one in inputs]
    one_time = len({(one.mult, one.shift, one.offset_ns) for one in scales}) > 1
    changes = [
        Change(numbers.take(one.source), _type_offset(one.source), one.source.schema.page.big_endian, scale if one_time else None)
        for one, scale in zip(inputs, scales, strict=True)
    ]
    kallsyms = max((one.kallsyms for one in texts), key=len)
    made = replace(
        texts[0],
        formats=numbers.formats,
        kallsyms=kallsyms,
        printk_formats=_joined([one.printk_formats for one in texts]),
        cmdlines=_joined([one.cmdlines for one in texts]),
        time=replace(scales[0], mult=1, shift=0, offset_ns=0) if one_time else texts[0].time,
    )
    return Joined(made, changes, one_time, list(_told(inputs, kallsyms)))


def _told(inputs: Sequence[Input], kallsyms: bytes) -> Iterator[str]:
    """What one file of several cannot keep apart."""
    different = {one.source.texts.kallsyms for one in inputs if one.source.texts.kallsyms}
    if len(different) > 1:
        whose = next(one.source.path for one in inputs if one.source.texts.kallsyms == kallsyms)
        yield f"kernel addresses are named by the symbols of '{whose}', for all recordings"
    names: dict[int, str] = {}
    for one in inputs:
        for pid, comm in one.source.schema.cmdlines.items():
            if names.setdefault(pid, comm) != comm:
                yield "some threads of different recordings have one number: their names are the last recording's"
                return


def _type_offset(one: Recording) -> int:
    common = next((event.common for event in one.schema.formats.values() if event.common), ())
    return next((field.offset for field in common if field.name == "common_type"), 0)


class _Numbers:
    """Every different format of all inputs once, each with a number of its own."""

    def __init__(self) -> None:
        self.formats: dict[str, list[bytes]] = {}
        self._numbers: dict[tuple[str, bytes], list[int]] = {}
        self._taken: set[int] = set()

    def take(self, source: Recording) -> dict[int, int]:
        """Add an input's formats; the answer is the new numbers of those that cannot keep theirs."""
        changed = {}
        for system, some in source.texts.formats.items():
            here = self.formats.setdefault(system, [])
            for text in some:
                if not (match := _ID.search(text)):
                    here.append(text)
                    continue
                number, same = int(match[1]), self._numbers.setdefault((system, _ID.sub(b"", text)), [])
                if number in same:
                    continue
                new = same[0] if same else number if number not in self._taken else self._unused(source)
                if new != number:
                    changed[number] = new
                if not same:
                    here.append(_ID.sub(b"ID: %d" % new, text))
                    same.append(new)
                    self._taken.add(new)
        return changed

    def _unused(self, source: Recording) -> int:
        largest = max(self._taken)
        number = next((one for one in range(largest + 1, _MOST_TYPES) if one not in self._taken), 0)
        if not number:
            raise UsageFault(_WHAT, why=f"with '{source.path}' they have more types of events than 16 bits can number")
        return number


def _joined(texts: Sequence[bytes]) -> bytes:
    """Each different text once, whole lines."""
    different = list(dict.fromkeys(text for text in texts if text))
    if len(different) < 2:
        return different[0] if different else b""
    lines = dict.fromkeys(line for text in different for line in text.rstrip(b"\0").splitlines() if line)
    return b"\n".join(lines) + b"\n"
