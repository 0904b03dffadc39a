"""Small recordings made of known pages: what tests of the reader and the writer start from."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from ftracepy.recording import Recording, Writer
from ftracepy.schematexts import SchemaTexts
from ftracepy.source import CpuStats, Pages

PAGE_BYTES = 4096
HEADER_PAGE = b"""\
\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""
_FORMAT = """\
name: %s
ID: %d
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int number;\toffset:8;\tsize:4;\tsigned:1;

print fmt: "number=%%d", REC->number
"""


def texts(order: str = "<") -> SchemaTexts:
    """What a kernel with two events of the system `sample` would say."""
    made = SchemaTexts(
        header_page=HEADER_PAGE,
        header_event=b"# compressed entry header\n",
        kallsyms=b"ffffffff81000000 T _stext\n",
        printk_formats=b'0xffffffff82000000 : "hello %d\\n"\n',
        cmdlines=b"7 a name with spaces\n9 cat\n",
        clock="mono",
        uname="Linux box 6.18.0 x86_64",
        big_endian=order == ">",
    )
    made.add("ftrace", format_text("print", 5))
    made.add("sample", format_text("first", 300))
    made.add("sample", format_text("second", 301))
    return made


def format_text(name: str, number: int) -> bytes:
    return (_FORMAT % (name, number)).encode()


def page(start_ns: int, numbers: Sequence[int], order: str = "<", lost: int = 0) -> bytes:
    """A sub-buffer with one event of id 300 for each of `numbers`, 1 ns apart; `lost` events before the first."""
    data = b"".join(_event(number, int(at > 0), order) for at, number in enumerate(numbers))
    commit = len(data) | (0xFFFFFFFF_C0000000 if lost else 0)
    data += struct.pack(order + "Q", lost) if lost else b""
    return (struct.pack(order + "QQ", start_ns, commit) + data).ljust(PAGE_BYTES, b"\0")


def _event(number: int, delta: int, order: str) -> bytes:
    length = 3  # words: common fields and the number
    word = delta << 5 | length if order == "<" else length << 27 | delta
    return struct.pack(order + "IHBBii", word, 300, 0, 0, 7, number)


def pages(cpu: int, starts_ns: Sequence[int], order: str = "<") -> Pages:
    """Pages of one CPU, each with 100 events from its start on."""
    return Pages(cpu, b"".join(page(start, range(100), order) for start in starts_ns))


def write(
    path: Path, parts: Sequence[Pages], order: str = "<", compression: str = "none", stats: Sequence[CpuStats] = ()
) -> Path:
    """A whole recording of `parts`."""
    with Writer(path, texts(order), sorted({part.cpu for part in parts}), compression=compression) as writer:
        for part in parts:
            writer.write(part)
        writer.finish(stats)
    return path


def read_back(recording: Recording) -> dict[int, bytes]:
    """All bytes of pages by CPU, as handed over."""
    found = dict.fromkeys(recording.cpus, b"")
    for round_ in recording.rounds():
        for part in round_.pages:
            found[part.cpu] += bytes(part.data)
    return found
