"""Both text machines, and one event's text made by each, which must be the same."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ftracepy.printfmt import compile_for
from ftracepy.printfmt.target import Style, Target
from ftracepy.schema import EventFormat, parse_event_format
from tests.support.decoders import implementations

SETTINGS = {
    "kernel": 1, "big_endian": 0, "long_bytes": 8, "flag_columns": 5, "lazy_bit": 1, "digits": 6, "mult": 1, "shift": 0,
    "offset": 0, "is_ns": 1, "flags_at": 2, "preempt_at": 3, "latency": 0, "migrate_at": 0,
    "lazy_count_at": 0, "bare": 0,
}  # fmt: skip
COMMON = """\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;
"""


def machines(**settings: int) -> list[Any]:
    """One of each implementation that can be used here, the C one first."""
    modules = {"_core": "_core", "twin": "twin_text"}
    wanted = SETTINGS | settings
    return [import_module(f"ftracepy._fastparse.{modules[one]}").TextMachine(wanted) for one in implementations()]


def event(print_fmt: str, *fields: str, system: str = "test", name: str = "one") -> EventFormat:
    """An event whose own fields are given as `TYPE NAME@OFFSET:SIZE` with `s` behind the size where signed."""
    lines = []
    for field in fields:
        declaration, _, place = field.rpartition("@")
        offset, _, size = place.partition(":")
        lines.append(f"\tfield:{declaration};\toffset:{offset};\tsize:{size.rstrip('s')};\tsigned:{int(size.endswith('s'))};")
    text = f"name: {name}\nID: 1\nformat:\n{COMMON}\n" + "\n".join(lines) + f"\n\nprint fmt: {print_fmt}\n"
    return parse_event_format(text, system)


def show(format: EventFormat, payload: bytes, style: Style = "kernel", *, target: Target | None = None, **texts: Any) -> str:
    """The text of an event whose bytes from offset 8 on are `payload`, as every implementation makes it."""
    target = target or Target(style)
    raw = b"\x01\x00\x00\x00\x2a\x00\x00\x00" + payload
    program = compile_for(format, target)
    made = set()
    for machine in machines(kernel=target.exact, big_endian=target.big_endian, long_bytes=target.long_bytes):
        machine.set_symbols(texts.get("kallsyms", b""))
        machine.set_strings(texts.get("strings", {}))
        for address, printk in texts.get("formats", {}).items():
            machine.add_format(address, *printk)
        machine.add(1, format.name.encode(), *program)
        made.add(machine.text(1, raw))
    assert len(made) == 1, made
    return str(made.pop(), "utf-8", "backslashreplace")
