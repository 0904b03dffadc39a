"""Options, rows and the registry: what front ends build on."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from ftracepy.errors import UsageFault
from ftracepy.tools import kit
from ftracepy.tools.kit import Filters, Row, argument, col, flag, option, pattern
from ftracepy.tools.rows import cell


class Options(Filters):
    failed: bool = flag("-x", help="only failures")
    top: int | None = option("-t", type=int, metavar="N", help="so many")
    name: Any = argument("name", type=pattern, help="by name")


class Line(Row):
    pid: int = col(width=7)
    file: str | None = col(width=10, title="PATH")
    took_ns: int = col(width=8, show=lambda ns: f"{ns / 1000:.0f}us")


def test_options_have_defaults_and_values() -> None:
    assert (Options().failed, Options().top, Options().pid, Options().limit) == (False, None, None, None)
    assert Options(failed=True, pid=3).pid == 3


def test_a_letter_the_tool_takes_is_taken_from_the_common_option() -> None:
    letters = {spec.name: spec.letters for spec in Options.specs()}
    assert letters["top"] == ("-t", "--top")
    assert letters["timestamps"] == ("--timestamps",)
    assert letters["name"] == ()
    assert [spec.name for spec in Options.specs() if not spec.common] == ["failed", "top", "name"]


def test_every_spelling_means_one_option() -> None:
    for name in kit.names():
        spellings = [letter for spec in kit.load(name).options.specs() for letter in spec.letters]
        assert len(set(spellings)) == len(spellings), name


@pytest.mark.parametrize(("name", "text"), [("top", "many"), ("name", "("), ("duration", "long")])
def test_a_value_that_means_nothing_is_the_users_fault(name: str, text: str) -> None:
    spec = next(spec for spec in Options.specs() if spec.name == name)
    with pytest.raises(UsageFault):
        spec.parse(text)


def test_rows_know_their_columns() -> None:
    assert [(one.name, one.title, one.align) for one in Line.columns()] == [
        ("pid", "PID", "right"), ("file", "PATH", "left"), ("took_ns", "TOOK_NS", "right"),
    ]  # fmt: skip
    row = Line(pid=1, file=None, took_ns=2000, ts_ns=5)
    assert row.as_dict() == {"pid": 1, "file": None, "took_ns": 2000}
    assert [cell(column, getattr(row, column.name)) for column in Line.columns()] == ["1", "-", "2us"]
    assert (row.ts_ns, row.block) == (5, None)


@pytest.mark.parametrize(
    ("options", "task", "admitted"),
    [
        ({}, (7, 8, "sh"), True),
        ({"pid": 7}, (7, 8, "sh"), True),
        ({"pid": 8}, (7, 8, "sh"), False),
        ({"tid": 8}, (7, 8, "sh"), True),
        ({"tid": 7}, (7, 8, "sh"), False),
        ({"comm": pattern("^s")}, (7, 8, "sh"), True),
        ({"comm": pattern("^h")}, (7, 8, "sh"), False),
    ],
)
def test_filters(options: dict[str, Any], task: tuple[int, int, str], admitted: bool) -> None:
    pid, tid, comm = task
    assert Filters(**options).admits(pid=pid, tid=tid, comm=comm) is admitted


def test_the_folder_is_the_registry() -> None:
    assert {"execsnoop", "opensnoop", "killsnoop", "syscount"} <= set(kit.names())
    for name in kit.names():
        tool = kit.load(name)
        assert tool.name == name
        assert tool.summary == kit.summary(name) != ""


def test_an_unknown_tool_names_the_nearest() -> None:
    with pytest.raises(UsageFault) as fault:
        kit.load("opensnop")
    assert "opensnoop" in fault.value.hint
    with pytest.raises(UsageFault):
        kit.load("../kit")


def test_names_and_summaries_import_no_tool() -> None:
    code = "import sys; from ftracepy.tools import kit; [kit.summary(n) for n in kit.names()]; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {f"ftracepy.tools.{name}" for name in kit.names()} & set(loaded)
    assert not {"ftracepy._fastparse", "click", "textual", "rich"} & set(loaded)
