"""BTF as bpftool reads it, types as C spells them, modules on top of the kernel, and blobs that are damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.symbols import btf, btf_find
from ftracepy.symbols.btf import Btf, Kind
from ftracepy.symbols.btf_types import CType, Types
from tests.support.btf import BtfWriter

_KINDS = {kind.name: kind for kind in Kind}


def _bpftool_types() -> list[dict[str, Any]]:
    tool = shutil.which("bpftool", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if tool is None or not os.path.exists(btf.VMLINUX):
        pytest.skip("needs bpftool and a kernel with BTF")
    done = subprocess.run([tool, "btf", "dump", "file", btf.VMLINUX, "format", "raw", "-j"], capture_output=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)["types"]
    return found


def test_every_type_of_this_kernel_is_what_bpftool_says() -> None:
    wanted = _bpftool_types()
    ours = btf.read(btf.VMLINUX)
    assert ours.end == len(wanted) + 1
    wrong = [one for one in wanted if not _same(ours, one)]
    assert wrong[:3] == []


def _same(ours: Btf, theirs: dict[str, Any]) -> bool:
    one = ours.type(theirs["id"])
    name = "" if theirs["name"] == "(anon)" else theirs["name"]
    if (one.kind, one.name) != (_KINDS[theirs["kind"]], name):
        return False
    if one.kind in (Kind.STRUCT, Kind.UNION):
        rows = [(m["name"], m["type_id"], m["bits_offset"], m.get("bitfield_size", 0)) for m in theirs["members"]]
        found = [(m.name or "(anon)", m.type, m.bit_offset, m.bits) for m in ours.members(one)]
        return bool(one.size == theirs["size"] and found == rows)
    if one.kind in (Kind.ENUM, Kind.ENUM64):
        mask = (1 << 8 * one.size) - 1
        values = [(v["name"], v["val"] & mask) for v in theirs["values"]]
        return [(called, value & mask) for called, value in ours.enumerators(one)] == values
    if one.kind == Kind.FUNC_PROTO:
        params = [("" if p["name"] == "(anon)" else p["name"], p["type_id"]) for p in theirs["params"]]
        return bool(one.target == theirs["ret_type_id"]) and [(p.name, p.type) for p in ours.params(one)] == params
    if one.kind == Kind.ARRAY:
        return (one.target, one.count) == (theirs["type_id"], theirs["nr_elems"])
    if one.kind == Kind.INT:
        return (one.size, ours.int_encoding(one)[0]) == (theirs["size"], theirs["encoding"] == "SIGNED")
    return bool(one.target == theirs.get("type_id", 0))


def kernel() -> BtfWriter:
    """A few types as a kernel has them."""
    made = BtfWriter()
    int_ = made.integer("int", 4, signed=True)
    char = made.integer("char", 1, signed=True)
    made.integer("long unsigned int", 8)
    text = made.ptr(made.to(Kind.CONST, char))
    inner = made.record("", 8, ("a", int_, 0), ("b", int_, 32), kind=Kind.UNION)
    flags = made.to(Kind.TYPEDEF, int_, "flags_t")
    made.record("outer", 40, ("first", int_, 0), ("", inner, 64), ("name", made.array(char, 16), 128), ("flags", flags, 256, 3))
    callback = made.function("", int_, ("", text))
    made.record("ops", 16, ("call", made.ptr(callback), 0), ("text", made.to(Kind.CONST, text), 64))
    made.function("do_it", 0, ("ops", made.ptr(9 + 2)), ("n", flags))
    return made


@pytest.fixture
def types() -> Types:
    return Types(Btf(kernel().blob()))


def test_members_through_unnamed_unions(types: Types) -> None:
    outer = types.named("struct outer")
    assert outer is not None
    found = {name: (one.bit_offset, one.bits) for name, one in types.members(outer)}
    assert found == {"first": (0, 0), "a": (64, 0), "b": (96, 0), "name": (128, 0), "flags": (256, 3)}
    assert types.size(outer) == 40
    assert types.near_members(outer, "nam")[0] == "name"


@pytest.mark.parametrize(
    ("cast", "spelled"),
    [
        ("struct outer", "struct outer"), ("struct outer *", "struct outer *"), ("const struct outer * *", "struct outer **"),
        ("unsigned long", "long unsigned int"), ("flags_t", "flags_t"), ("void *", "void *"), ("char", "char"),
    ],
)  # fmt: skip
def test_casts(types: Types, cast: str, spelled: str) -> None:
    found = types.named(cast)
    assert found is not None
    assert types.spell(found) == spelled


def test_no_such_cast(types: Types) -> None:
    assert types.named("struct nothing") is None
    assert types.named("union outer") is None


def test_declarations(types: Types) -> None:
    ops = types.named("struct ops")
    assert ops is not None
    declared = {name: types.spell(one.type, name) for name, one in types.members(ops)}
    assert declared == {"call": "int (*call)(const char *)", "text": "const char *const text"}
    assert types.function("nothing") == ""


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_module_stands_on_the_kernel(order: str) -> None:
    base = BtfWriter(order=order)
    int_ = base.integer("int", 4, signed=True)
    shared = base.record("shared", 4, ("n", int_, 0))
    module = BtfWriter(base, order=order)
    mine = module.record("mine", 16, ("to", module.ptr(shared), 0), ("m", int_, 64))
    module.function("of_module", int_, ("it", module.ptr(mine)))
    kernel = Btf(base.blob())
    both = Types(Btf(module.blob(), kernel))
    assert (both.btf.end, kernel.end) == (mine + 4, int_ + 2)
    assert both.function("of_module") == "int of_module(struct mine *it)"
    found = both.named("struct mine")
    assert found is not None
    assert [both.spell(one.type, name) for name, one in both.members(found)] == ["struct shared *to", "int m"]
    assert both.named("struct shared") == CType(shared)
    assert kernel.find("of_module", Kind.FUNC) is None


def test_enums_of_both_widths_and_signs() -> None:
    made = BtfWriter()
    made.enum("small", {"A": 0, "B": 2, "ALSO_B": 2})
    made.enum("minus", {"LOW": -1, "HIGH": 1}, signed=True)
    made.enum("wide", {"TOP": 1 << 40}, size=8)
    made.enum("wide_minus", {"BOTTOM": -(1 << 40)}, size=8, signed=True)
    types = Types(Btf(made.blob()))
    names = {
        name: types.enumerators(types.named(f"enum {name}") or CType(0)) for name in ("small", "minus", "wide", "wide_minus")
    }
    assert names == {
        "small": {0: "A", 2: "B"},
        "minus": {-1: "LOW", 1: "HIGH"},
        "wide": {1 << 40: "TOP"},
        "wide_minus": {-(1 << 40): "BOTTOM"},
    }


def test_bit_fields_as_old_compilers_wrote_them() -> None:
    made = BtfWriter()
    made.record("old", 4, ("three", made.integer("int", 4, signed=True, bits=3, offset=5), 0))
    types = Types(Btf(made.blob()))
    found = types.member(types.named("struct old") or CType(0), "three")
    assert found is not None
    assert (found.bit_offset, found.bits) == (5, 3)


def test_files_that_hold_types_and_files_that_do_not(tmp_path: Path) -> None:
    (tmp_path / "vmlinux.btf").write_bytes(kernel().blob())
    assert btf_find.in_file(str(tmp_path / "vmlinux.btf")).find("outer", Kind.STRUCT) is not None
    (tmp_path / "text").write_text("no types")
    for path in ("text", "missing"):
        with pytest.raises(UsageFault):
            btf_find.in_file(str(tmp_path / path))
    with pytest.raises(UsageFault, match="holds no types"):
        btf_find.in_file("/bin/true")
    with pytest.raises(KernelCannot) as caught:
        btf_find.Kernel(folder=tmp_path / "nowhere").types()
    assert "--btf FILE" in caught.value.hint
    (tmp_path / "vmlinux").write_bytes(kernel().blob())
    with pytest.raises(KernelCannot, match="no types of the module 'ext9'"):
        btf_find.Kernel(folder=tmp_path).types("ext9")


def test_the_section_of_an_object_file(tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    (tmp_path / "s.c").write_text("struct point { int x, y; }; int get(struct point *p) { return p->y; }")
    if subprocess.run(["gcc", "-gbtf", "-c", "s.c"], cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("this gcc writes no BTF")
    assert Types(btf_find.in_file(str(tmp_path / "s.o"))).function("get") == "int get(struct point *p)"
    assert btf_find.Kernel(str(tmp_path / "s.o")).machine == os.uname().machine
    data = bytearray((tmp_path / "s.o").read_bytes())
    data[18] = 183  # e_machine
    (tmp_path / "arm.o").write_bytes(data)
    assert btf_find.Kernel(str(tmp_path / "arm.o")).machine == "aarch64"


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4), st.integers(0, 400))
def test_damage_is_told_and_never_crashes(at: int, junk: bytes, cut: int) -> None:
    blob = bytearray(kernel().blob())
    blob[at : at + len(junk)] = junk
    try:
        types = Types(Btf(bytes(blob[: len(blob) - cut % 40])))
        for number in range(1, min(types.btf.end, 50)):
            one = types.btf.type(number)
            if one.kind in (Kind.STRUCT, Kind.UNION):
                list(types.btf.members(one))
            elif one.kind in (Kind.ENUM, Kind.ENUM64):
                list(types.btf.enumerators(one))
            elif one.kind == Kind.FUNC_PROTO:
                list(types.btf.params(one))
        types.named("struct outer")
    except FtracepyError:
        return
