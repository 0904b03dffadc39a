"""Events by pattern: which are taken, which are left out for the filter's sake, and what is said of names that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy.errors import KernelCannot, UsageFault
from ftracepy.live.plan import plan
from ftracepy.probes import Tasks, Tracepoint, Tracepoints
from ftracepy.tracefs import Tracefs

_EVENTS = {"clock:tick": "n", "clock:tock": "m", "feet:walk": "n", "ftracepy_1_2_3:path": "n", "sched:sched_process_exec": "pid"}


@pytest.fixture
def tracefs(tmp_path: Path) -> Tracefs:
    for event, field in _EVENTS.items():
        folder = tmp_path.joinpath("events", *event.split(":"))
        folder.mkdir(parents=True)
        text = f'name: {folder.name}\nID: 5\nformat:\n\tfield:int {field};\toffset:8;\tsize:4;\tsigned:1;\n\nprint fmt: ""\n'
        folder.joinpath("format").write_text(text)
        folder.joinpath("id").write_text("5")
    (tmp_path / "available_events").write_text("\n".join(_EVENTS))
    return Tracefs(tmp_path)


def planned(tracefs: Tracefs, *wishes: Tracepoints | Tasks) -> list[str]:
    return [f"{one.system}:{one.name}" for one in plan(wishes, tracefs).events]


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("clock:tick", ["clock:tick"]),
        ("clock:*", ["clock:tick", "clock:tock"]),
        ("walk", ["feet:walk"]),
        ("*:*", ["clock:tick", "clock:tock", "feet:walk", "sched:sched_process_exec"]),
    ],
)
def test_what_a_pattern_takes(tracefs: Tracefs, pattern: str, taken: list[str]) -> None:
    assert planned(tracefs, Tracepoints(pattern)) == taken


def test_events_without_the_filters_fields_are_left_out_and_told(tracefs: Tracefs) -> None:
    made = plan([Tracepoints("*:*", 'n > 1 && comm ~ "a*" && common_pid != 0')], tracefs)
    assert [one.name for one in made.events] == ["tick", "walk"]
    assert made.notices == ["left out, for they lack a field of the filter: clock:tock, sched:sched_process_exec"]
    with pytest.raises(KernelCannot, match="no event of clock:\\* has n and nothing"):
        plan([Tracepoints("clock:*", "n > 1 && nothing == 2")], tracefs)
    assert planned(tracefs, Tracepoints("clock:tock", "n > 1")) == ["clock:tock"], "by name: the kernel may say it"


def test_what_others_want_unfiltered_is_unfiltered(tracefs: Tracefs) -> None:
    made = plan([Tracepoints("sched:*", "pid == 1", True), Tasks()], tracefs)
    assert made.events == [Tracepoint("sched", "sched_process_exec", "", stack=True)]


def test_formats_alone(tracefs: Tracefs) -> None:
    made = plan([Tracepoints("clock:*", only_formats=True)], tracefs)
    assert (made.events, [one.name for one in made.formats]) == ([], ["tick", "tock"])


@pytest.mark.parametrize(("pattern", "near"), [("clock:tik", "*tick*"), ("clokc:*", "*clock*"), ("wlak", "*walk*")])
def test_names_that_are_not_there(tracefs: Tracefs, pattern: str, near: str) -> None:
    with pytest.raises(KernelCannot) as caught:
        plan([Tracepoints(pattern)], tracefs)
    assert caught.value.hint == f"ftracepy tpoint -l '{near}'"


def test_no_pattern(tracefs: Tracefs) -> None:
    with pytest.raises(UsageFault, match="which tracepoint"):
        plan([Tracepoints("")], tracefs)
