"""A list's filter in the kernel: which names it knows, what it is told, and what is said in the trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ftracepy.analysis.filtering import parse
from ftracepy.analysis.kernelfilters import Told, told
from ftracepy.analysis.kernelhits import Facts
from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.pipeline.kernelfilter import KernelFilter
from ftracepy.probes import Tracepoint
from ftracepy.schema import EventFormat, Schema, parse_event_format
from ftracepy.sidefacts import SideFact
from ftracepy.tui.model.kernelside import Side, of_event, of_row

COLUMNS = ("pid", "comm", "cpu", "event", "tid", "fields", "text", "cpu_")
SEEK = b"""name: seek
ID: 7
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int fd;\toffset:8;\tsize:4;\tsigned:1;
\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;
\tfield:__data_loc char[] path;\toffset:28;\tsize:4;\tsigned:0;
\tfield:unsigned long args[6];\toffset:32;\tsize:48;\tsigned:0;
\tfield:int cpu;\toffset:80;\tsize:4;\tsigned:1;

print fmt: "fd=%d", REC->fd
"""
FORM = parse_event_format(SEEK, "files")


@pytest.mark.parametrize(
    ("typed", "text", "unknown"),
    [
        ("fd == 3", "fd == 3", ""),
        ("tid == 5 && COMM == sh", 'common_pid == 5 && COMM == "sh"', ""),
        ("comm == sh", 'comm == "sh"', ""),  # its own field
        ("path ~ '/etc/*'", "path ~ '/etc/*'", ""),
        ("path == 5", "", "path"),  # which the kernel would refuse
        ("fd == text", "", "fd"),
        ("args == 1", "", "args"),
        ("pid == 5", "", "pid"),
        ('event == "seek" && system == files && fd == 1', "fd == 1", ""),
        ("nothing == 5", "common_pid < 0", ""),
    ],
)
def test_names_in_a_list_of_events(typed: str, text: str, unknown: str) -> None:
    assert of_side(typed, of_event) == Told(text, frozenset([unknown] if unknown else []))


@pytest.mark.parametrize(
    ("typed", "text", "unknown"),
    [
        ("fd == 3 && tid == 5", "fd == 3 && common_pid == 5", ""),
        ("comm == sh", 'COMM == "sh"', ""),  # the column, not the field
        ("cpu == 1 && cpu_ == 2", "CPU == 1 && cpu == 2", ""),
        ('event == "files:seek"', "", ""),
        ("pid == 5", "", "pid"),
        ("text ~ '*x*'", "", "text"),
        ("nothing == 5", "common_pid < 0", ""),
    ],
)
def test_names_in_rows_of_events(typed: str, text: str, unknown: str) -> None:
    assert of_side(typed, of_row(Facts(), COLUMNS)) == Told(text, frozenset([unknown] if unknown else []))


def of_side(typed: str, side: Side) -> Told:
    return told(parse(typed).tree, lambda one: side(FORM, one))


@dataclass
class Kernel:
    """An instance that keeps filters, and refuses what holds "no"."""

    watched: list[Tracepoint]
    filters: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    schema: Schema = field(default_factory=lambda: Schema(formats={7: FORM}))

    @property
    def instance(self) -> Kernel:
        return self

    @property
    def plan(self) -> Any:
        return type("Plan", (), {"facts": []})

    def set_filter(self, one: Tracepoint) -> None:
        self.filters[one.name] = ""
        if "no" in one.filter:
            raise FtracepyError("cannot filter", kernel="no")
        self.filters[one.name] = one.filter

    def mark(self, fact: SideFact) -> None:
        self.said.append(fact.body.decode())


def given(*, own: str = "", stack: bool = False) -> tuple[Kernel, KernelFilter]:
    kernel = Kernel([Tracepoint("files", "seek", own, stack=stack)])
    return kernel, KernelFilter(kernel)  # type: ignore[arg-type]


def by(text: str, *unknown: str) -> Callable[[EventFormat], Told]:
    return lambda _form: Told(text, frozenset(unknown))


def test_a_filter_is_given_besides_the_events_own_and_taken_back() -> None:
    kernel, filter_ = given(own="fd > 1")
    assert filter_.give("fd == 3", by("fd == 3")) == 1
    assert kernel.filters == {"seek": "(fd > 1) && (fd == 3)"}
    filter_.take_back()
    assert kernel.filters == {"seek": "fd > 1"}
    assert [one.split(":")[0] for one in kernel.said] == [
        "from here on only this is recorded", f"from here on everything is recorded; since {filter_.since[:2]}",
    ]  # fmt: skip


def test_what_is_refused_leaves_everything_recorded() -> None:
    kernel, filter_ = given(own="fd > 1")
    filter_.give("fd == 3", by("fd == 3"))
    with pytest.raises(FtracepyError, match="cannot filter"):
        filter_.give("x", by("no"))
    assert (filter_.typed, kernel.filters) == ("", {"seek": "fd > 1"})
    assert "everything is recorded" in kernel.said[-1]


def test_what_the_kernel_cannot_be_told_is_named() -> None:
    _kernel, filter_ = given()
    with pytest.raises(UsageFault) as caught:
        filter_.give("cgroup == a", by("", "cgroup"))
    assert caught.value.why == "it knows nothing of cgroup"
    filter_.give("fd == 3 && cgroup == a", by("fd == 3", "cgroup"))
    assert filter_.partly == " (not minding cgroup)"


def test_events_with_stacks_are_not_filtered_there() -> None:
    kernel, filter_ = given(stack=True)
    with pytest.raises(UsageFault, match="cannot filter"):
        filter_.give("fd == 3", by("fd == 3"))
    assert (kernel.filters, kernel.said) == ({}, [])
