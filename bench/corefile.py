"""A recording as bench/core.c takes it, and that program built: the C core is measured without Python and shared libraries."""

from __future__ import annotations

import struct
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from ftracepy import recording, text
from ftracepy.batch import decoder_arguments
from ftracepy.printfmt.target import Style
from ftracepy.recording import Recording
from ftracepy.stream import Stream

CORE = Path(__file__).parent.parent / "ftracepy" / "_fastparse" / "core"
_SOURCES = ("arena", "capture", "round", "trace_clock")  # what reads a live kernel
_SETTINGS = (
    "kernel", "big_endian", "lazy_bit", "is_ns", "long_bytes", "flag_columns", "digits", "shift", "flags_at", "preempt_at",
    "mult", "offset",
)  # fmt: skip
_GRAPH = (
    "entry", "exit", "cpu_digits", "abstime", "cpu", "proc", "duration", "overhead", "tail", "overrun", "retval",
    "entry_func_at", "entry_func_bytes", "entry_depth_at", "entry_depth_bytes", "exit_func_at", "exit_func_bytes",
    "exit_depth_at", "exit_depth_bytes", "calltime_at", "calltime_bytes", "rettime_at", "rettime_bytes",
    "exit_overrun_at", "exit_overrun_bytes", "exit_retval_at", "exit_retval_bytes", "irq_start", "irq_end",
)  # fmt: skip
_SCALAR = 0


def build(folder: Path, *options: str) -> Path:
    """The program, as the extension is built, and static so that nobody's probes on libc are met; or with other `options`."""
    program = folder / "core"
    sources = [Path(__file__).with_name("core.c"), *(one for one in sorted(CORE.glob("*.c")) if one.stem not in _SOURCES)]
    flags = options or ("-O2", "-g", "-static")
    subprocess.run(["cc", "-std=c11", *flags, f"-I{CORE}", "-o", str(program), *map(str, sources)], check=True)
    return program


class _Told:
    """What a Formatter tells its text machine."""

    def __init__(self, settings: dict[str, int]) -> None:
        self.settings = settings
        self.symbols = self.prefix = b""
        self.strings: dict[int, bytes] = {}
        self.comms: dict[int, bytes] = {}
        self.programs: dict[int, tuple[bytes, ...]] = {}
        self.graph = _numbers(0)

    def set_symbols(self, kallsyms: bytes) -> None:
        self.symbols = kallsyms

    def set_prefix(self, prefix: bytes) -> None:
        self.prefix = prefix

    def set_strings(self, strings: dict[int, bytes]) -> None:
        self.strings = strings

    def set_comms(self, comms: dict[int, bytes]) -> None:
        self.comms = comms

    def set_graph(self, settings: dict[str, int], plain_ids: Sequence[int]) -> None:
        self.graph = _numbers(1, *(settings[name] for name in _GRAPH), len(plain_ids), *plain_ids)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """What else there is to tell (binary printk, options that change the text) is none of what is measured."""
        if not name.startswith(("set_", "add_")):
            raise AttributeError(name)
        return lambda *_given: None

    def add(self, id: int, name: bytes, code: bytes, entries: bytes, literals: bytes) -> None:
        self.programs[id] = (name, code, entries, literals)

    def lines(self, batch: Any, start: int, *_rest: object) -> tuple[bytes, int, int]:
        """The first event without a program, as the C tells it."""
        missing = next(((at, id) for at, id in enumerate(batch.id) if at >= start and id not in self.programs), (len(batch), -1))
        return b"", *missing


def write(source: Path, made: Path, style: Style) -> int:
    """Write the recording `source`, to be shown in `style`, to `made`; returns how many events it has."""
    with recording.open(source) as opened:
        told, counts = _told(opened, style)
    with recording.open(source) as opened, made.open("wb") as out:
        layout, events = decoder_arguments(opened.schema)
        big_endian = layout[4]
        out.write(_numbers(*layout[:4], *layout[5:], big_endian, *(int(told.settings[name]) for name in _SETTINGS)))
        out.write(told.graph + _sized(told.symbols) + _map(told.strings) + _map(told.comms) + _numbers(len(told.programs)))
        for id, parts in told.programs.items():
            out.write(_numbers(id) + b"".join(map(_sized, parts)))
        fields = sorted(_scalars(events, counts), key=lambda one: (one[1] is not None, -counts[one[0]]))
        out.write(_numbers(len(fields), *(number for id, _first, *rest in fields for number in (id, *rest))))
        pages: dict[int, bytearray] = defaultdict(bytearray)
        for round_ in opened.rounds():
            for one in round_.pages:
                pages[one.cpu] += one.data
        out.write(_numbers(len(pages)) + b"".join(_numbers(cpu) + _sized(pages[cpu]) for cpu in sorted(pages)))
    return counts.total()


def _told(opened: Recording, style: Style) -> tuple[_Told, Counter[int]]:
    counts: Counter[int] = Counter()
    with mock.patch.object(text, "_machine_type", return_value=_Told):
        formatter = text.Formatter(opened.schema, style, cpus=opened.cpu_count)
    for batch in Stream(opened):
        formatter.lines(batch)
        counts.update(batch.id)
    told = formatter._machine
    assert isinstance(told, _Told)
    return told, counts


def _scalars(events: list[Any], counts: Counter[int]) -> Iterator[tuple[int, int | None, int, int, int]]:
    """Id, None for an event's first scalar, offset, size and sign of each."""
    for id, _system, _name, late, _common in events:
        if id in counts:
            scalars = [one for one in late()[0] if one[-1] == _SCALAR]
            for at, (_field, offset, size, signed, *_rest) in enumerate(scalars):
                yield id, at or None, offset, size, signed


def _numbers(*values: int) -> bytes:
    return struct.pack(f"={len(values)}Q", *(value & 2**64 - 1 for value in values))


def _sized(data: bytes | bytearray) -> bytes:
    return _numbers(len(data)) + data


def _map(texts: dict[int, bytes]) -> bytes:
    return _numbers(len(texts)) + b"".join(_numbers(key) + _sized(text) for key, text in texts.items())
