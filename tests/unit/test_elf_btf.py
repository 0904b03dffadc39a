"""Struct offsets from BTF against the compiler's own offsetof, and words captured by a probe."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftracepy.errors import KernelCannot
from ftracepy.symbols import btf, words

_SOURCE = """
#include <stddef.h>
struct inner { char pad[24]; long deep; };
struct outer {
    int first; unsigned bits : 3; unsigned more : 5;
    struct { long a; union { int b; char c[40]; }; };
    struct inner in; struct outer *next; int last;
};
struct outer one; struct inner two;
_Static_assert(offsetof(struct outer, a) == 8 && offsetof(struct outer, b) == 16, "layout");
_Static_assert(offsetof(struct outer, in) == 56 && offsetof(struct outer, last) == 96, "layout");
"""


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (shutil.which("gcc") and shutil.which("objcopy")):
        pytest.skip("needs gcc and objcopy")
    folder = tmp_path_factory.mktemp("btf")
    (folder / "s.c").write_text(_SOURCE)
    if subprocess.run(["gcc", "-gbtf", "-c", "s.c", "-o", "s.o"], cwd=folder, capture_output=True).returncode:
        pytest.skip("this gcc writes no BTF")
    subprocess.run(["objcopy", "-O", "binary", "--only-section=.BTF", "--set-section-flags", ".BTF=alloc", "s.o", "s.btf"],
                   cwd=folder, check=True)  # fmt: skip
    return folder / "s.btf"


def test_offsets_through_unnamed_members(blob: Path) -> None:
    outer = {"first": 0, "a": 8, "b": 16, "c": 16, "in": 56, "last": 96}
    assert btf.member_offsets([("outer", name) for name in outer], blob) == list(outer.values())
    assert btf.member_offsets([("inner", "deep")], blob) == [24]


def test_missing_struct_member_and_file(blob: Path, tmp_path: Path) -> None:
    for members in ([("outer", "nothing")], [("nobody", "first")]):
        with pytest.raises(KernelCannot, match="types"):
            btf.member_offsets(members, blob)
    with pytest.raises(KernelCannot, match="type information"):
        btf.member_offsets([("outer", "first")], tmp_path / "missing")


def test_no_btf(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(KernelCannot):
        btf.member_offsets([("outer", "first")], tmp_path / "x")


@given(st.binary(min_size=8, max_size=64).filter(lambda data: len(data) % 8 == 0), st.sampled_from(["little", "big"]))
def test_words_are_memory(data: bytes, order: words.Order) -> None:
    cut = [int.from_bytes(data[at : at + 8], order) for at in range(0, len(data), 8)]
    assert words.raw(cut, order) == data
    signed = [word - 2**64 if word >> 63 else word for word in cut]
    assert words.raw(signed, order) == data


def test_text_ends_at_its_nul() -> None:
    assert words.text([int.from_bytes(b"/etc/x\0y", "little")], "little") == ("/etc/x", True)
    assert words.text([int.from_bytes(b"/etc/xyz", "little")], "little") == ("/etc/xyz", False)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), max_size=6))
def test_strings_of_an_argv_block(argv: list[str]) -> None:
    block = b"".join(one.encode() + b"\0" for one in argv)
    assert words.strings(block + b"HOME=/root\0", len(argv)) == (argv, True)
    assert words.strings(block + bytes(9), len(argv)) == (argv, True)


def test_strings_of_a_cut_block() -> None:
    assert words.strings(b"ls\0-l\0/usr/sha", 3) == (["ls", "-l", "/usr/sha"], False)
    assert words.strings(b"ls\0-l\0", 3) == (["ls", "-l"], False)
