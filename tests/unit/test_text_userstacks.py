"""User stacks by file and offset: the kernel's option sym-userobj, from what a recording tells of processes' memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy.recording.procmaps import folder_areas, option_areas
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact, pack
from ftracepy.text import Formatter
from tests.support.decoders import decode, implementations
from tests.support.pages import PageWriter, event_format, schema

SECOND = 1_000_000_000
_STACK = ("unsigned int tgid; 8; 4; 0", "unsigned long caller[8]; 16; 64; 0")
_RAW = ("unsigned int id; 8; 4; 0", "char buf[]; 12; 0; 1")
_AREAS = [(7, 0x1000, 0x3000, b"/bin/a b"), (7, 0x5000, 0x6000, b"/lib/c.so"), (9, 0x1000, 0x2000, b"/bin/other")]
_CALLERS = (0x1000, 0x2FFF, 0x3000, 0x5010, 0x6000)


@pytest.fixture(params=implementations())
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FTRACEPY_TWIN", "0" if request.param == "_core" else "1")
    return str(request.param)


def made() -> Schema:
    stack = event_format("user_stack", 12, *_STACK, system="ftrace")
    return schema(stack, event_format("raw_data", 10, *_RAW, system="ftrace"))


def stacks(implementation: str, found: Schema, *events: bytes, options: tuple[str, ...] = ("sym-userobj",)) -> list[str]:
    """The lines of the stacks alone."""
    page = PageWriter(found).page(SECOND, *events)
    lines = Formatter(found, options=options).lines(decode(implementation, found, {0: page})).decode().splitlines()
    return [line for line in lines if line.startswith(" =>")]


def stack(found: Schema, tgid: int) -> bytes:
    callers = b"".join(address.to_bytes(8, "little") for address in (*_CALLERS, 0, 0, 0))
    return PageWriter(found).event("user_stack", delta=0, tgid=tgid, caller=callers)


def test_by_file_and_offset(implementation: str) -> None:
    """kernel/trace/trace_output.c, seq_print_user_ip: the offset is the mapping's, not the file's."""
    found = made()
    found.areas = list(_AREAS)
    assert stacks(implementation, found, stack(found, 7)) == [
        " => /bin/a b[+0x0]",
        " => /bin/a b[+0x1fff]",
        " =>  <0000000000003000>",
        " => /lib/c.so[+0x10]",
        " =>  <0000000000006000>",
    ]
    with_addresses = stacks(implementation, found, stack(found, 7), options=("sym-userobj", "sym-addr"))
    assert with_addresses[3:] == [" => /lib/c.so[+0x10] <0000000000005010>", " =>  <0000000000006000>"]
    plain = [f" =>  <{address:016x}>" for address in _CALLERS]
    assert stacks(implementation, found, stack(found, 8)) == plain
    assert stacks(implementation, found, stack(found, 7), options=()) == plain
    assert stacks(implementation, made(), stack(found, 7)) == plain


def test_as_our_own_facts_tell(implementation: str) -> None:
    """What a process could run is in the stream; told anew, the new counts."""
    found, writer = made(), PageWriter(made())
    bodies = (b"1000 3000 0 - /old\n5000 6000 200 id /lib/c.so\ndamaged\n", b"1000 3000 0 - /new\n")
    facts = [
        writer.event("raw_data", delta=0, id=int.from_bytes(one[:4], "little"), buf=one[4:])
        for body in bodies
        for one in pack(SideFact(Kind.MAPS, 7, 1, body))
    ]
    first = Formatter(found, options=("sym-userobj",))
    texts = [
        first.lines(decode(implementation, found, {0: writer.page(at * SECOND, fact, stack(found, 7))})).decode()
        for at, fact in enumerate(facts, 1)
    ]
    assert [line for line in texts[0].splitlines() if "[+" in line] == [
        " => /old[+0x0]", " => /old[+0x1fff]", " => /lib/c.so[+0x10]",
    ]  # fmt: skip
    assert [line for line in texts[1].splitlines() if "[+" in line] == [" => /new[+0x0]", " => /new[+0x1fff]"]


def test_trace_cmds_option() -> None:
    """Numbers in hex, the process's too; what is damaged is left out."""
    data = b"1f 3 cat\n400000 401000 /bin/cat\n7f00 7fff /lib/l d.so\n9000 8000 /back\nffff\n0 10000000000000001 /far\n\0rest"
    assert list(option_areas(data)) == [(0x1F, 0x400000, 0x401000, b"/bin/cat"), (0x1F, 0x7F00, 0x7FFF, b"/lib/l d.so")]
    assert list(option_areas(b"")) == list(option_areas(b"x y z\n1 2 /a\0")) == []


def test_maps_beside_raw_pages(tmp_path: Path) -> None:
    """/proc/PID/maps as the kernel writes it; what has no file is shown by no name."""
    maps = b"""\
00400000-0041f000 r--p 00000000 00:03 183                                /usr/bin/python3.11
00a85000-00aca000 rw-p 00000000 00:00 0 
35362000-353f7000 rw-p 00000000 00:00 0                                  [heap]
7f00a000-7f00b000 r-xp 00001000 fe:01 99                                 /lib/a b.so (deleted)
"""
    (tmp_path / "proc/31").mkdir(parents=True)
    (tmp_path / "proc/31/maps").write_bytes(maps)
    (tmp_path / "proc/self").mkdir()
    assert list(folder_areas(str(tmp_path))) == [
        (31, 0x400000, 0x41F000, b"/usr/bin/python3.11"), (31, 0x7F00A000, 0x7F00B000, b"/lib/a b.so (deleted)"),
    ]  # fmt: skip
    assert list(folder_areas(str(tmp_path / "none"))) == []
