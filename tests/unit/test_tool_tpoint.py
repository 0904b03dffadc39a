"""tpoint over made-up recordings: which events, which hits, which columns."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from ftracepy import sinks
from ftracepy.errors import UsageFault
from ftracepy.probes import Tasks, Tracepoints
from ftracepy.tools import kit
from tests.support.recorded import Recorded, kernel_format

TICK = kernel_format(
    "clock", "tick", 77, ["int number; 8; 4; 1", "char comm[8]; 12; 8; 0", "void * who; 24; 8; 0"],
    '"number=%d comm=%s", REC->number, REC->comm',
)  # fmt: skip
TOCK = kernel_format("clock", "tock", 78, ["u8 raw[2]; 8; 2; 0", "int pid; 12; 4; 1"], '"pid=%d", REC->pid')
WALK = kernel_format("feet", "walk", 79, ["int steps; 8; 4; 1"], '"steps=%d", REC->steps')


@pytest.fixture
def made() -> Recorded:
    made = Recorded(TICK, TOCK, WALK)
    made.at(10, "tick", pid=7, number=5, comm="one", who=0xFFFF800012345678)
    made.at(20, "tock", raw=(1, 255), pid=9)
    made.at(30, "walk", pid=7, steps=-3)
    made.at(40, "tick", pid=8, number=6, comm="two")
    return made


def rows(made: Recorded, **options: Any) -> list[dict[str, Any]]:
    loaded = kit.load("tpoint")
    return [row.as_dict() for row in loaded.run(made.feed(), loaded.options(**options))]


def printed(made: Recorded, format: str = "table", **options: Any) -> list[str]:
    loaded = kit.load("tpoint")
    asked, out = loaded.options(**options), io.BytesIO()
    sink = sinks.open(format, loaded.row_for(asked), out, messages=io.StringIO())
    for row in loaded.run(made.feed(), asked):
        sink.row(row)
    sink.close()
    return out.getvalue().decode().splitlines()


def texts(made: Recorded, **options: Any) -> list[str]:
    return [row["text"] for row in rows(made, **options)]


def test_the_kernels_text_and_all_fields(made: Recorded) -> None:
    first, second, *_ = rows(made)
    assert (first["event"], first["text"], first["tid"], first["cpu"]) == ("clock:tick", "number=5 comm=one", 7, 0)
    assert first["fields"] == {"number": 5, "comm": "one", "who": 0xFFFF800012345678}
    assert (second["event"], second["fields"]) == ("clock:tock", {"raw": "01ff", "pid": 9})


@pytest.mark.parametrize(
    ("events", "shown"),
    [
        ("clock:tick", ["clock:tick", "clock:tick"]),
        ("clock:*", ["clock:tick", "clock:tock", "clock:tick"]),
        ("clock", ["clock:tick", "clock:tock", "clock:tick"]),
        ("walk", ["feet:walk"]),
        ("feet:walk,clock:tock", ["clock:tock", "feet:walk"]),
        ("*:t?ck", ["clock:tick", "clock:tock", "clock:tick"]),
        ("nothing:*", []),
        ("", ["clock:tick", "clock:tock", "feet:walk", "clock:tick"]),
    ],
)
def test_which_events(made: Recorded, events: str, shown: list[str]) -> None:
    assert [row["event"] for row in rows(made, events=events)] == shown


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"events": "clock:tick", "filter": "number == 6"}, ["number=6 comm=two"]),
        ({"events": "clock:*", "filter": 'comm ~ "o*"'}, ["number=5 comm=one"]),
        ({"events": "clock:tick/number < 6/,feet:*"}, ["number=5 comm=one", "steps=-3"]),
        ({"events": "clock:tick/number < 6/", "filter": "number > 5"}, []),
        ({"events": "*:*", "pid": 7}, ["number=5 comm=one", "steps=-3"]),
    ],
)
def test_which_hits(made: Recorded, options: dict[str, Any], shown: list[str]) -> None:
    assert texts(made, **options) == shown


def test_fields_as_columns_even_those_every_row_has(made: Recorded) -> None:
    shown = printed(made, events="clock:*", fields=("number", "pid", "comm", "who"))
    assert shown[0].split() == ["PID", "COMM", "CPU", "EVENT", "NUMBER", "PID", "COMM", "WHO"]
    assert shown[1].split() == ["7", "<...>", "0", "clock:tick", "5", "-", "one", "0xffff800012345678"]
    assert shown[2].split()[4:] == ["-", "9", "-", "-"]
    row = json.loads(printed(made, "json", events="clock:tick", fields=("comm", "who"))[0])
    assert (row["comm"], row["comm_"], row["who"]) == ("<...>", "one", 0xFFFF800012345678)


def test_a_field_that_no_event_has(made: Recorded) -> None:
    with pytest.raises(UsageFault, match="no event here has a field 'nmber'"):
        rows(made, fields=("nmber",))
    with pytest.raises(UsageFault, match="is not a field's name"):
        kit.load("tpoint").options.specs()[2].parse("a b")


def test_lists_events_and_fields(made: Recorded) -> None:
    assert printed(made, listing=True)[1:] == [
        "clock:tick                       number comm who",
        "clock:tock                       raw pid",
        "feet:walk                        steps",
    ]
    assert [row["event"] for row in rows(made, listing=True, events="*:*", filter="*id")] == ["clock:tock"]


def test_the_format_in_the_kernels_words(made: Recorded) -> None:
    (row,) = rows(made, verbose=True, events="feet:walk")
    assert row["format"][0] == "name: walk"
    assert row["format"][-1] == 'print fmt: "steps=%d", REC->steps'


def test_what_it_asks_for() -> None:
    tool = kit.load("tpoint")
    asked = tool.wishes(tool.options(events="a:b/x==1/, c:*", filter="y > 2", stacks=True))
    assert asked == (Tracepoints("a:b", "(x==1) && (y > 2)", True), Tracepoints("c:*", "y > 2", True), Tasks())
    assert tool.wishes(tool.options(listing=True)) == (Tracepoints("*:*", only_formats=True),)
