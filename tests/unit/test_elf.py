"""ELF headers against readelf's word, instruction lengths against objdump's, sites in hand-made code."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftracepy.live.ways import libraries
from ftracepy.symbols import a64, elf, sites, x86
from ftracepy.symbols.elf import Elf, ElfFault, Segment

CODE_AT = 0x1000


def elf64(code: bytes, functions: list[int], *, machine: int = elf.EM_X86_64, interpreter: bool = False) -> bytes:
    """A 64-bit little-endian ELF file: `code` at file offset and address 0x1000, a search table of its functions behind it."""
    table = struct.pack("<4BiI", 1, 0x1B, 3, 0x3B, 0, len(functions))
    table_at = CODE_AT + len(code)
    table += b"".join(struct.pack("<ii", start - table_at, 0) for start in functions)
    headers = [(1, 5, 0, table_at), (elf.PT_GNU_EH_FRAME, 4, table_at, len(table))]
    headers += [(elf.PT_INTERP, 4, 0, 0)] if interpreter else []
    raw = b"".join(struct.pack("<IIQQQQQQ", kind, flags, at, at, 0, size, size, 8) for kind, flags, at, size in headers)
    start = struct.pack("<4s5B7xHHIQQQ", b"\x7fELF", 2, 1, 1, 0, 0, 3, machine, 1, CODE_AT, 64, 0)
    start += struct.pack("<IHHHHHH", 0, 64, 56, len(headers), 0, 0, 0)
    return (start + raw).ljust(CODE_AT, b"\0") + code + table


def test_headers_of_a_made_file() -> None:
    made = Elf(elf64(b"\x90" * 32, [0x1000, 0x1010]))
    assert (made.is_64, made.machine, made.entry, made.is_dynamic) == (True, elf.EM_X86_64, 0x1000, False)
    assert made.file_offset(0x1008) == 0x1008
    assert made.function_starts == [0x1000, 0x1010]
    assert made.function_at(0x100F) == (0x1000, 0x1010)
    assert made.function_at(0x1010) is None
    assert Elf(elf64(b"", [], interpreter=True)).is_dynamic


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"MZ" + bytes(100), b"\x7fELF\3\1" + bytes(100)])
def test_what_is_no_elf(data: bytes) -> None:
    with pytest.raises(ElfFault):
        Elf(data)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ElfFault):
        elf.read(tmp_path / "missing")


@given(st.integers(0, 0x1040), st.integers(0, 255))
@example(at=39, value=128)  # the table of segments beyond what any file can hold
def test_damaged_files_fault_or_are_read(at: int, value: int) -> None:
    data = bytearray(elf64(b"\xb8\x01\x01\x00\x00\x0f\x05\xc3" * 4, [0x1000, 0x1010]))
    data[at % len(data)] = value
    try:
        made = Elf(bytes(data))
        sites.find(made, {257: {"path": 1}})
        made.file_offset(made.entry)
    except ElfFault:
        return


LIBRARIES = [library.path for library in libraries.found()]
needs_objdump = pytest.mark.skipif(shutil.which("objdump") is None or not LIBRARIES, reason="needs objdump and a libc")


@pytest.mark.skipif(shutil.which("readelf") is None, reason="needs readelf")
@pytest.mark.parametrize("path", [*LIBRARIES, sys.executable])
def test_headers_against_readelf(path: str) -> None:
    said = subprocess.run(["readelf", "-hlW", path], capture_output=True, text=True, check=True).stdout
    made = elf.read(path)
    assert made.entry == int(re.search(r"Entry point address:\s*(0x\w+)", said)[1], 16)  # type: ignore[index]
    loads = re.findall(r"LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+) 0x\w+ R E", said)
    assert [(one.offset, one.address, one.size) for one in made.code] == [tuple(int(part, 16) for part in row) for row in loads]
    assert made.is_dynamic is ("INTERP" in said)


@needs_objdump
@pytest.mark.parametrize("path", [path for path in LIBRARIES if elf.read(path).is_64])
def test_lengths_of_instructions_against_objdump(path: str) -> None:
    """Every instruction of libc and the loader but EVEX ones (first byte 62), which are refused."""
    data = elf.read(path).data
    said = subprocess.run(["objdump", "-d", "-w", path], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t(.*)$", said, re.MULTILINE)
    assert len(lines) > 10_000
    wrong = []
    for address, raw, text in lines:
        insn = x86.decode(data, int(address, 16))
        size = 0 if raw.startswith("62 ") else len(raw.split())
        if "(bad)" not in text and (insn.size if insn else 0) != size:
            wrong.append((address, raw, text))
    assert wrong == []


@given(st.binary(max_size=20))
def test_any_bytes_decode_or_do_not(code: bytes) -> None:
    insn = x86.decode(code, 0)
    assert insn is None or 0 < insn.size <= len(code)


def found(text: str, nr: int = 257, places: dict[str, int] | None = None) -> list[tuple[int, dict[str, str]]]:
    """Sites in one function given as hex, at offsets from its start."""
    code = bytes.fromhex(text) + b"\x90" * 16
    made = Elf(elf64(code, [CODE_AT, CODE_AT + len(code) - 16]))
    return [(site.offset - CODE_AT, dict(site.where)) for site in sites.find(made, {nr: places or {"path": 1, "dfd": 0}})]


MOV_SYSCALL = "b8 01010000 0f05 c3"


def test_a_function_that_begins_with_the_call_is_probed_there() -> None:
    assert found(MOV_SYSCALL) == [(0, {"path": "%si", "dfd": "%di"})]


def test_the_walk_ends_at_an_emulated_instruction() -> None:
    """cmp; je over the call; mov; syscall: the je is cheaper than the mov."""
    assert found("83ff00 7408 b801010000 0f05 c3 90") == [(3, {"path": "%si", "dfd": "%di"})]


def test_values_are_followed_through_moves_and_constants() -> None:
    """push %rbp; mov %rdi,%rsi; mov $-100,%edi; mov; syscall (an open() that calls openat)."""
    assert found("55 4889fe bf9cffffff b801010000 0f05 c3") == [(0, {"path": "%di", "dfd": "\\-100"})]


def test_values_are_followed_to_the_stack_past_a_call() -> None:
    """mov %rsi,16(%rsp); mov %edi,24(%rsp); call; mov 16(%rsp),%rsi; mov 24(%rsp),%edi; mov; syscall."""
    text = "4889742410 897c2418 e800000000 488b742410 8b7c2418 b801010000 0f05 c3"
    assert found(text) == [(9, {"path": "+16(%sp)", "dfd": "+24(%sp)"})]


def test_every_way_into_the_call_gets_a_probe() -> None:
    """je L; mov $1,%edx; jmp C; L: mov $2,%edx; nop; C: mov; syscall."""
    text = "7407 ba01000000 eb06 ba02000000 90 b801010000 0f05 c3"
    assert [offset for offset, _ in found(text)] == [7, 14]


def test_an_unknown_change_of_the_pointer_leaves_the_mov() -> None:
    """lea 8(%rdx),%rsi: what it points to was nowhere before."""
    assert found("55 488d7208 b801010000 0f05 c3") == [(5, {"path": "%si", "dfd": "%di"})]


def test_a_pointer_loaded_between_mov_and_call_is_no_site() -> None:
    assert found("b801010000 488d7208 0f05 c3") == []


@pytest.mark.parametrize(
    "text",
    [
        "b801010000 c3",  # no syscall
        "b802000000 0f05 c3",  # another number
        "b801010000 31c0 0f05 c3",  # the number is overwritten
        "b801010000 7400 0f05 c3",  # not in one line
        "48b801010000000000 000f05 c3",  # the bytes within a longer instruction
    ],
)
def test_no_site(text: str) -> None:
    assert found(text) == []


def test_sites_on_arm64() -> None:
    """mov x8, #56; svc #0 after another mov; and one whose last mov sets the pointer."""
    code = struct.pack("<8I", 0xD2800708, 0xD2800002, 0xD4000001, 0xD503201F, 0xD2800708, 0xAA0203E1, 0xD4000001, 0xD65F03C0)
    segment = Segment(elf.PT_LOAD, True, 0, 0, len(code))
    assert list(a64.sites(code, [segment], {56: {"path": 1, "dfd": 0}})) == [(4, 56, (("path", "%x1"), ("dfd", "%x0")))]


@needs_objdump
def test_libc_sites_lie_on_instructions_and_before_the_right_call() -> None:
    """Second opinion: objdump shows an instruction at each site, and `mov $NR,%eax` … `syscall` within reach of it."""
    path = next((path for path in LIBRARIES if "libc" in path), None)
    if path is None or elf.read(path).machine != elf.EM_X86_64:
        pytest.skip("no x86-64 libc")
    said = subprocess.run(["objdump", "-d", "-w", path], capture_output=True, text=True, check=True).stdout
    starts = {int(address, 16) for address in re.findall(r"^\s*([0-9a-f]+):\t", said, re.MULTILINE)}
    made = elf.read(path)
    places = sites.find(made, {257: {"path": 1, "dfd": 0}, 59: {"path": 0, "argv": 1}})
    assert {site.nr for site in places} == {257, 59}
    base = made.code[0].address - made.code[0].offset
    assert all(site.offset + base in starts for site in places)
