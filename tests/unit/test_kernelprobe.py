"""Kernel probes granted, and what the kernel says against them put into the user's words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.live.plan import plan
from ftracepy.live.ways import kernelprobe, refusals
from ftracepy.probes import KernelProbe
from ftracepy.probespec import ready
from ftracepy.sidefacts import Kind
from ftracepy.tracefs import Tracefs
from tests.support.btf import BtfWriter

KALLSYMS = b"""\
ffffffff81000000 T vfs_read
ffffffff81000100 T vfs_write
ffffffff81000200 t twin
ffffffff81000300 t twin
ffffffffc0000000 t ext_read\t[ext]
"""


@pytest.fixture(autouse=True)
def _symbols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernelprobe, "_keeps_arguments", lambda _tracefs: True)
    monkeypatch.setenv("FTRACEPY_STATE", str(tmp_path / "state"))
    for module in (ready, refusals):
        monkeypatch.setattr(module, "kallsyms", lambda: KALLSYMS)


@pytest.fixture
def tracefs(tmp_path: Path) -> Tracefs:
    (tmp_path / "root").mkdir()
    for name in ("kprobe_events", "dynamic_events"):
        (tmp_path / "root" / name).write_text("")
    return Tracefs(tmp_path / "root")


@pytest.fixture
def types(tmp_path: Path) -> str:
    made = BtfWriter()
    int_ = made.integer("int", 4, signed=True)
    way = made.enum("way", {"UP": 0, "DOWN": 1})
    made.function("vfs_read", int_, ("way", way), ("n", int_))
    made.function("vfs_write", int_, ("n", int_))
    (tmp_path / "some.btf").write_bytes(made.blob())
    return str(tmp_path / "some.btf")


def test_what_is_planned(tracefs: Tracefs, types: str) -> None:
    definition = "p:a vfs_read n way; p:b vfs_write n"
    made = plan([KernelProbe(definition, "n > 1 && way == DOWN", True, types)], tracefs)
    one, other = made.kprobes
    assert one.text("g").startswith("p:g/a vfs_read n=")
    assert (one.file, one.filter, one.stack) == ("kprobe_events", "n > 1 && way == 1", True)
    assert other.filter == ""
    assert made.notices == ["the filter does not concern b: no such fields there"]
    assert made.symbols
    facts = [json.loads(fact.body) for fact in made.facts if fact.kind is Kind.KERNEL_PROBE]
    assert facts[0]["fields"]["way"]["names"] == {"0": "UP", "1": "DOWN"}
    assert [(fact["event"], fact["filter"]) for fact in facts] == [("a", "n > 1 && way == DOWN"), ("b", "n > 1 && way == DOWN")]


def test_arguments_that_old_kernels_forget(tracefs: Tracefs, types: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernelprobe, "_keeps_arguments", lambda _tracefs: False)
    stack = "sp__=$stack:x64"
    made = plan([KernelProbe("r4:back vfs_read $retval way n", "retval < 0", True, types)], tracefs)
    assert [(one.event, one.filter, one.stack) for one in made.kprobes] == [
        ("back_entry", "", False),
        ("back", "retval < 0", True),
    ]
    assert made.kprobes[0].text("g").startswith("p:g/back_entry vfs_read way=")
    assert made.kprobes[0].text("g").endswith(stack)
    assert made.kprobes[1].text("g") == f"r4:g/back vfs_read retval=$retval:s32 {stack}"
    mixed = plan([KernelProbe("r:vfs_read $retval n", "retval < 0 && n > 1", btf=types)], tracefs)
    assert [one.filter for one in mixed.kprobes] == ["", ""]
    assert [json.loads(fact.body)["filter"] for fact in mixed.facts] == ["retval < 0 && n > 1", ""]
    assert mixed.notices == []


def test_what_cannot_be_planned(tracefs: Tracefs, types: str) -> None:
    with pytest.raises(UsageFault, match="which kernel function"):
        plan([KernelProbe("")], tracefs)
    (tracefs.root / "dynamic_events").unlink()
    with pytest.raises(KernelCannot, match="no kernel probes"):
        plan([KernelProbe("f:vfs_read n", btf=types)], tracefs)
    (tracefs.root / "kprobe_events").unlink()
    with pytest.raises(KernelCannot, match="no kernel probes"):
        plan([KernelProbe("")], tracefs)


def refused(tracefs: Tracefs, typed: str, kernel: str, *, types: str, filter_: str = "", errno: str = "EINVAL") -> FtracepyError:
    (probe,) = plan([KernelProbe(typed, filter_, btf=types)], tracefs).kprobes
    assert probe.explain
    what = "cannot filter g:x by 'y'" if filter_ else "cannot probe 'x'"
    return probe.explain(FtracepyError(what, kernel=kernel, wrote=f"kprobe_events ({errno})"))


def kernel_said(message: str, command: str, at: str) -> str:
    return f"{message}\n  {command}\n  {' ' * command.index(at)}^"


def caret(error: FtracepyError) -> str:
    _, typed, pointer = error.kernel.split("\n")
    return typed[pointer.index("^") :]


def test_carets_stand_in_what_was_typed(tracefs: Tracefs, types: str) -> None:
    typed = "p:a   vfs_read   x=%zz n"
    said = kernel_said("Invalid register name", "p:ftracepy_1/a vfs_read x=%zz n=%si:s32", "zz")
    assert caret(refused(tracefs, typed, said, types=types)) == "zz n"
    said = kernel_said("Some fault", "p:ftracepy_1/a vfs_read x=%zz n=%si:s32", "s32")
    assert caret(refused(tracefs, typed, said, types=types)) == "n"
    said = kernel_said("Some fault", "p:ftracepy_1/a vfs_read x=%zz n=%si:s32", "ftracepy")
    assert caret(refused(tracefs, typed, said, types=types)) == "vfs_read   x=%zz n"


def test_filters_too(tracefs: Tracefs, types: str) -> None:
    said = kernel_said("Field not found", "way == 1 && n > 4 && cont > 1", "cont")
    error = refused(tracefs, "vfs_read n way", said, types=types, filter_="way == DOWN && n > 4 && cont > 1")
    assert caret(error) == "cont > 1"
    assert "n, way, common_pid" in error.hint


@pytest.mark.parametrize(
    ("typed", "message", "errno", "why", "hint"),
    [
        ("vfs_reed %di", "Invalid probed address or symbol", "ENOENT", "no function 'vfs_reed'", "vfs_read"),
        ("twin %di", "The symbol is not unique", "EADDRNOTAVAIL", "2 functions are called 'twin'", "MODULE:FUNCTION"),
        ("nosuchmodule:x %di", "Invalid probed address or symbol", "ENOENT", "nosuchmodule is not loaded", "modprobe"),
        ("vfs_read %di", "Failed to register probe event", "EINVAL", "forbids probes there", ""),
        ("r:vfs_read $arg1:x8", "Invalid $-variable specified", "EINVAL", "Linux 6.9", ""),
        ("vfs_read %di:symstr", "Unknown type is specified", "EINVAL", "symstr", ""),
        ("f:vfs_read $arg1:u8", "Invalid argument", "EINVAL", "Linux 6.5", "p:vfs_read"),
        ("vfs_read %di", "Anything else", "EINVAL", "", ""),
    ],
)
def test_why_it_was_refused(tracefs: Tracefs, types: str, typed: str, message: str, errno: str, why: str, hint: str) -> None:
    error = refused(tracefs, typed, message, types=types, errno=errno)
    assert error.kernel.startswith(message)
    assert why in error.why
    assert hint in error.hint


def test_a_function_on_the_kernels_list(tracefs: Tracefs, types: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blacklist").write_text("0xffffffff81000000-0xffffffff81000010\tvfs_read\n")
    monkeypatch.setattr(refusals, "_BLACKLIST", tmp_path / "blacklist")
    error = refused(tracefs, "vfs_read %di", "Failed to register probe event", types=types)
    assert error.why == "vfs_read is on the kernel's list of functions that must not be probed"


def test_functions_are_told_from_names(types: str) -> None:
    assert [probe.line("g") for probe in ready.ready("p:vfs_read n", types)] == ["p:g/vfs_read vfs_read n=%si:s32"]
    assert ready.symbols("ext_read") == ["ext"]
    assert ready.symbols("twin") == ["", ""]
    assert ready.near_symbols("vfs_rite")[0] == "vfs_write"
