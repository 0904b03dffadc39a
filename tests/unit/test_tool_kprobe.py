"""kprobe over made-up recordings: whose probes, what values mean, filters; what it writes without a kernel."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from ftracepy import sinks
from ftracepy.errors import UsageFault
from ftracepy.probes import KernelProbe, Tasks
from ftracepy.probespec import script
from ftracepy.probespec.probes import Probe
from ftracepy.sidefacts import Kind
from ftracepy.tools import kit
from ftracepy.tools.probeoptions import told
from tests.support.btf import BtfWriter
from tests.support.recorded import Recorded, kallsyms, kernel_format

_IP = "unsigned long __probe_ip; 8; 8; 0"
SEND = kernel_format(
    "ftracepy_7_1", "send", 77,
    [_IP, "u32 type; 16; 4; 0", "__data_loc char[] name; 20; 4; 1", "u32 way; 24; 4; 0", "s32 n; 28; 4; 1"],
    r'"(%lx) type=%u name=\"%s\" way=%u n=%d", REC->__probe_ip, REC->type, __get_str(name), REC->way, REC->n',
)  # fmt: skip
BACK = kernel_format(
    "ftracepy_7_1", "back", 78, [_IP.replace("ip", "func"), "unsigned long __probe_ret_ip; 16; 8; 0", "s64 ret; 24; 8; 1"],
    '"(%lx <- %lx) ret=%Ld", REC->__probe_func, REC->__probe_ret_ip, REC->ret',
)  # fmt: skip
OTHER = kernel_format("kprobes", "foreign", 79, [_IP], '"(%lx)", REC->__probe_ip')
FIELDS = {"type": {"c": "enum type", "names": {"0": "NONE", "2": "TWO"}}, "way": {"c": "int", "signed_bits": 3}}


def recorded(filter_: str = "") -> Recorded:
    made = Recorded(SEND, BACK, OTHER, kallsyms=kallsyms({"inner": 0x1000, "outer": 0x2000, "_etext": 0x3000}))
    made.fact(5, Kind.KERNEL_PROBE, b"no JSON")
    made.fact(6, Kind.KERNEL_PROBE, json.dumps({"event": "send", "fields": FIELDS, "filter": filter_}).encode())
    made.at(10, "send", pid=7, __probe_ip=0x1000, type=2, name=" type=2 way=7", way=7, n=-4)
    made.at(20, "send", pid=8, __probe_ip=0x1000, type=9, name="b", way=3, n=5)
    made.at(30, "back", pid=7, __probe_func=0x1000, __probe_ret_ip=0x2004, ret=-2)
    made.at(40, "foreign", pid=7, __probe_ip=0x1000)
    return made


def rows(made: Recorded, **options: Any) -> list[dict[str, Any]]:
    loaded = kit.load("kprobe")
    return [row.as_dict() for row in loaded.run(made.feed(), loaded.options(**options))]


def test_values_by_name_and_with_their_sign() -> None:
    first, second, third = rows(recorded())
    assert first["text"] == '(inner+0x0/0x1000) type=TWO name=" type=2 way=7" way=-1 n=-4'
    assert second["text"] == '(inner+0x0/0x1000) type=9 name="b" way=3 n=5'
    assert third["text"] == "(outer+0x4/0x1000 <- inner) ret=-2"
    assert (first["event"], first["fields"]["type"], first["fields"]["way"], second["fields"]["type"]) == ("send", "TWO", -1, 9)


@pytest.mark.parametrize(
    ("pointers", "shown"),
    [
        ((-0x7000_0000_0000, -0x6FFF_0000_0000), "7"),
        ((-0x7000_0000_0000, -4096), "7"),
        ((-0x7000_0000_0000, 0), "(fault)"),
        ((0, -0x6FFF_0000_0000), "(fault)"),
        ((0x7FFF_0000_0000, -0x6FFF_0000_0000), "(fault)"),
        ((-0x7000_0000_0000, -2), "(fault)"),
    ],
)
def test_what_a_pointer_that_leads_nowhere_was_to_give_is_not_shown(pointers: tuple[int, int], shown: str) -> None:
    form = kernel_format(
        "ftracepy_7_1", "at", 80, [_IP, "s32 n; 16; 4; 1", "u64 via__; 24; 8; 0", "u64 via___2; 32; 8; 0"],
        '"(%lx) n=%d via__=0x%Lx via___2=0x%Lx", REC->__probe_ip, REC->n, REC->via__, REC->via___2',
    )  # fmt: skip
    made = Recorded(form, kallsyms=kallsyms({"inner": 0x1000, "_etext": 0x3000}))
    fields = {"n": {"c": "int", "via": ["via__", "via___2"]}}
    made.fact(6, Kind.KERNEL_PROBE, json.dumps({"event": "at", "fields": fields}).encode())
    first, second = (one & (1 << 64) - 1 for one in pointers)
    made.at(10, "at", pid=7, __probe_ip=0x1000, n=7, via__=first, via___2=second)
    [row] = rows(made)
    assert row["text"] == f"(inner+0x0/0x2000) n={shown}"
    assert (row["fields"]["n"], "via__" in row["fields"]) == (None if shown == "(fault)" else 7, False)
    passing = [bool(rows(made, filter=one)) for one in ("n == 7", "n != 3", "!(n == 7)", "n == 7 || common_pid == 7")]
    assert passing == [shown == "7", shown == "7", shown != "7", True]


@pytest.mark.parametrize(
    ("definition", "filter_", "shown"),
    [
        ("", "", ["send", "send", "back"]),
        ("p:send x; r:nothing y", "", ["send", "send"]),
        ("r:back somewhere $retval", "ret < 0", ["back"]),
        ("p:send x", "type == TWO", ["send"]),
        ("p:send x", "type != TWO && n > 4", ["send"]),
        ("p:send x", 'name ~ "*way*"', ["send"]),
        ("", "type == TWO", ["send", "back"]),
        ("", "ret == -2 || common_pid == 0", ["send", "send", "back"]),
    ],
)
def test_which_hits(definition: str, filter_: str, shown: list[str]) -> None:
    assert [row["event"] for row in rows(recorded(), definition=definition, filter=filter_)] == shown


def test_a_filter_it_was_recorded_with_has_been_applied() -> None:
    """The kernel knows words of filters that we do not."""
    assert len(rows(recorded("CPUS{0}"), definition="p:send x", filter="CPUS{0}")) == 2
    with pytest.raises(UsageFault):
        rows(recorded(), definition="p:send x", filter="CPUS{0}")


SP = "u64 sp__; {}; 8; 0"
BEGIN = kernel_format(
    "ftracepy_7_1", "call_entry", 80, [_IP, "u32 type; 16; 4; 0", "s32 n; 20; 4; 1", SP.format(24)],
    '"(%lx) type=%u n=%d sp__=0x%Lx", REC->__probe_ip, REC->type, REC->n, REC->sp__',
)  # fmt: skip
END = kernel_format(
    "ftracepy_7_1", "call", 81, [_IP.replace("ip", "func"), _IP.replace("ip", "ret_ip").replace("; 8; 8", "; 16; 8"),
    "s32 ret; 24; 4; 1", SP.format(32)],
    '"(%lx <- %lx) ret=%d sp__=0x%Lx", REC->__probe_func, REC->__probe_ret_ip, REC->ret, REC->sp__',
)  # fmt: skip


def calls() -> Recorded:
    made = Recorded(BEGIN, END, kallsyms=kallsyms({"inner": 0x1000, "outer": 0x2000, "_etext": 0x3000}))
    made.schema.arch = "x86_64"
    made.fact(6, Kind.KERNEL_PROBE, json.dumps({"event": "call_entry", "fields": FIELDS}).encode())
    return made


def begins(made: Recorded, ts: int, pid: int, sp: int, n: int) -> None:
    made.at(ts, "call_entry", pid=pid, __probe_ip=0x1000, type=2, n=n, sp__=sp)


def ends(made: Recorded, ts: int, pid: int, sp: int, ret: int) -> None:
    made.at(ts, "call", pid=pid, __probe_func=0x1000, __probe_ret_ip=0x2000, ret=ret, sp__=sp)


def test_returns_find_their_entries_through_recursion_and_misses() -> None:
    made = calls()
    begins(made, 10, 7, 0x900, 1)
    begins(made, 20, 8, 0x900, 2)
    begins(made, 30, 7, 0x800, 3)  # a call within the first; its return is missed
    begins(made, 40, 7, 0x700, 4)
    ends(made, 50, 7, 0x708, -4)
    ends(made, 60, 8, 0x908, -2)
    ends(made, 70, 7, 0x908, -1)
    ends(made, 80, 7, 0x508, -9)
    shown = rows(made)
    assert [(row["fields"]["ret"], row["fields"].get("n")) for row in shown] == [(-4, 4), (-2, 2), (-1, 1), (-9, None)]
    assert shown[0]["text"] == "(outer+0x0/0x1000 <- inner) ret=-4 type=TWO n=4"
    assert shown[3]["text"] == "(outer+0x0/0x1000 <- inner) ret=-9 (its entry is not known)"
    assert "sp__" not in shown[0]["fields"]
    assert [row["fields"]["n"] for row in rows(made, filter="type == TWO && ret > -4")] == [2, 1]
    assert [row["n"] for row in rows(made, fields=("n", "ret"))] == [4, 2, 1, None]


def test_a_loss_forgets_entries() -> None:
    made = calls()
    begins(made, 10, 7, 0x900, 1)
    made.lose(1)
    ends(made, 20, 7, 0x908, -1)
    assert [row["fields"].get("n") for row in rows(made)] == [None]


def test_fields_as_columns() -> None:
    (first, _) = rows(recorded(), definition="p:send x", fields=("type", "n"))
    assert (first["type"], first["n"]) == ("TWO", -4)


def printed(**options: Any) -> list[str]:
    loaded = kit.load("kprobe")
    asked, out = loaded.options(**options), io.BytesIO()
    sink = sinks.open("table", loaded.row_for(asked), out, messages=io.StringIO())
    listed = loaded.listing(asked)
    for row in loaded.run(Recorded().feed(), asked) if listed is None else listed:
        sink.row(row)
    sink.close()
    return out.getvalue().decode().splitlines()


@pytest.fixture
def types(tmp_path: Any) -> str:
    made = BtfWriter()
    int_ = made.integer("int", 4, signed=True)
    made.record("pair", 8, ("a", int_, 0), ("b", int_, 32, 3))
    made.enum("way", {"UP": 0, "DOWN": 1})
    made.function("first", int_, ("n", int_))
    made.function("second", 0)
    (tmp_path / "some.btf").write_bytes(made.blob())
    return str(tmp_path / "some.btf")


def test_dry_run_says_what_would_be_written(types: str) -> None:
    assert printed(dry_run=True, btf=types, definition="first %di", filter="arg1 > 2", stacks=True) == [
        "FILE                                         TEXT",
        "kprobe_events                                p:ftracepy/first first %di",
        "instances/ftracepy/events/ftracepy/first/filter arg1 > 2",
        "instances/ftracepy/events/ftracepy/first/trigger stacktrace if arg1 > 2",
        "instances/ftracepy/events/ftracepy/first/enable 1",
    ]


def test_a_script_has_no_heading(types: str) -> None:
    lines = printed(script=True, btf=types, definition="first %di")
    assert lines[0] == "#!/bin/sh"
    assert "printf '%s\\n' \"p:$name/first \"'first %di' >>\"$root/kprobe_events\" ||" in lines


def test_lists_functions_and_members(types: str) -> None:
    assert printed(listing=True, btf=types)[1:] == ["int first(int n)", "void second(void)"]
    assert printed(listing=True, btf=types, definition="sec*")[1:] == ["void second(void)"]
    assert printed(listing=True, btf=types, definition="struct pair")[1:] == ["int a;  /* 0 */", "int b : 3;  /* 4 */"]
    assert printed(listing=True, btf=types, definition="enum way")[1:] == ["UP = 0", "DOWN = 1"]
    with pytest.raises(UsageFault, match="there is no type 'struct pear'") as caught:
        printed(listing=True, btf=types, definition="struct pear")
    assert caught.value.hint == "struct pair"


def test_what_it_asks_for() -> None:
    tool = kit.load("kprobe")
    asked = tool.options(definition="x y", filter="y > 1", stacks=True, btf="some.btf")
    assert tool.wishes(asked) == (KernelProbe("x y", "y > 1", True, "some.btf"), Tasks())
    assert all(tool.wishes(tool.options(definition="x", **{name: True})) == () for name in ("dry_run", "script", "listing"))
    with pytest.raises(UsageFault, match="which kernel function"):
        tool.options(dry_run=True)


@pytest.mark.parametrize(
    ("words", "filter_", "said"),
    [
        (("n=%di:s99",), "", "Unknown type is specified\n  f n=%di:s99\n          ^"),
        (("n=%di:s32",), "n == 1 && m > 2", "Field not found\n  n == 1 && m > 2\n            ^"),
        (("n=%di:s32",), "n >", ""),
    ],
)
def test_what_any_kernel_would_refuse_no_dry_run_writes(words: tuple[str, ...], filter_: str, said: str) -> None:
    probe = Probe("p", "f", "f", words, f"f {words[0]}", (0, 2))
    with pytest.raises(UsageFault) as caught:
        told(kit.load("kprobe").options(definition="f", dry_run=True), script.Asked([probe], filter_))
    assert caught.value.kernel == said


def test_a_dry_run_takes_what_kernels_take() -> None:
    words = ("a=+0(%di):string[3]", "b=%ax:b4@2/32", "c=%di:%pd", "d=@jiffies:u64", "e=%cx")
    probe = Probe("p", "f", "f", words, " ".join(("f", *words)), tuple(range(6)))
    asked = script.Asked([probe], 'a ~ "x*" && common_pid > 1 && COMM != "y"')
    assert len(list(told(kit.load("kprobe").options(definition="f", dry_run=True), asked))) == 3
