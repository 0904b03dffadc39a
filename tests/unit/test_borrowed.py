"""What is borrowed from the top level: taken only idle, journalled before, put back only if still ours; also by reset."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ftracepy.errors import FtracepyError
from ftracepy.live import borrowed
from ftracepy.live.borrowed import Borrowed
from ftracepy.live.journal import Journal
from ftracepy.live.owner import new_run_name
from ftracepy.live.reset import reset
from ftracepy.tracefs import Tracefs, functions


class Loan:
    """A top level of plain files, and one run that borrows from it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = Journal.begin("run", root)
        self.undoings: list[Callable[[], object]] = []
        self.borrowed = Borrowed(root, self.journal, self.undoings.append)

    def undo(self) -> None:
        while self.undoings:
            self.undoings.pop()()

    def deeds(self) -> list[dict[str, str]]:
        assert self.journal.path
        return [json.loads(line) for line in self.journal.path.read_text().splitlines()[1:]]


@pytest.fixture
def loan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loan:
    (tmp_path / "state").mkdir(mode=0o700)
    monkeypatch.setenv("FTRACEPY_STATE", str(tmp_path / "state"))
    for name, text in {
        "max_graph_depth": "0\n", "trace_clock": "[local] global mono\n", "buffer_size_kb": "7 (expanded: 1408)\n",
        "set_graph_function": "#### all functions enabled ####\n",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    return Loan(tmp_path)


def test_a_setting_is_noted_changed_and_put_back(loan: Loan) -> None:
    loan.borrowed.setting("max_graph_depth", "3")
    assert loan.deeds() == [{"do": "setting", "name": "max_graph_depth", "was": "0", "made": "3"}]
    loan.root.joinpath("max_graph_depth").write_text("3\n")
    loan.undo()
    assert (loan.root / "max_graph_depth").read_text().startswith("0")


@pytest.mark.parametrize(("said", "left"), [("8192", "1408"), ("8195", "1408"), ("8300", "8300"), ("4096", "4096")])
def test_a_size_is_put_back_as_the_kernel_rounds_it_too(loan: Loan, said: str, left: str) -> None:
    """5.10 says 8195 where 8192 was written: sub-buffers of 4080 bytes."""
    loan.borrowed.setting("buffer_size_kb", "8192")
    (loan.root / "buffer_size_kb").write_text(f"{said}\n")
    loan.undo()
    assert (loan.root / "buffer_size_kb").read_text().split() == [left]


def test_what_is_so_already_is_not_touched(loan: Loan) -> None:
    loan.borrowed.setting("max_graph_depth", "0")
    assert loan.deeds() == []
    assert loan.undoings == []


def test_what_others_changed_since_stays(loan: Loan) -> None:
    loan.borrowed.setting("max_graph_depth", "3")
    (loan.root / "max_graph_depth").write_text("5\n")
    loan.undo()
    assert (loan.root / "max_graph_depth").read_text() == "5\n"


@pytest.mark.parametrize(("name", "value"), [("trace_clock", "local"), ("buffer_size_kb", "1408"), ("max_graph_depth", "0")])
def test_settings_are_read_as_they_are_written(loan: Loan, name: str, value: str) -> None:
    assert borrowed.value(loan.root, name) == value


def test_a_list_in_use_is_not_taken(loan: Loan) -> None:
    (loan.root / "set_graph_function").write_text("vfs_read\n")
    with pytest.raises(FtracepyError) as fault:
        loan.borrowed.list("set_graph_function", ["vfs_open"], lambda: None)
    assert "vfs_read" in fault.value.why
    assert loan.deeds() == []


def test_a_list_is_emptied_unless_others_are_on_it(loan: Loan) -> None:
    def fill(text: str) -> None:
        (loan.root / "set_graph_function").write_text(text)

    loan.borrowed.list("set_graph_function", ["vfs_*", "tcp_*:mod:x"], lambda: fill("vfs_read\nvfs_open\ntcp_x [x]\n"))
    fill("vfs_read\next4_sync_file\n")
    loan.undo()
    assert functions.listed(loan.root, "set_graph_function") == ["vfs_read", "ext4_sync_file"]
    fill("vfs_read\ntcp_x [x]\n")
    assert borrowed.clear_own(loan.root, "set_graph_function", ["vfs_*", "tcp_*:mod:x"])
    assert functions.listed(loan.root, "set_graph_function") == []


@pytest.mark.parametrize(
    ("pattern", "kernel"),
    [
        ("vfs_read", "vfs_read"),
        ("vfs_*", "vfs_*"),
        ("ext4:*", "*:mod:ext4"),
        ("*:mod:ext4", "*:mod:ext4"),
        ("ext4:", "*:mod:ext4"),
    ],
)
def test_modules_in_either_spelling(pattern: str, kernel: str) -> None:
    assert functions.kernel_pattern(pattern) == kernel


def test_which_functions_a_pattern_names(tmp_path: Path) -> None:
    text = "vfs_read\nvfs_read\nvfs_open\next4_sync [ext4]\n__ftrace_invalid_address___496\nfree.part.0\n"
    (tmp_path / "available_filter_functions").write_text(text)
    known = functions.available(tmp_path)
    assert [(one.name, one.module) for one in functions.matching(known, ["vfs_[or]*"])] == [
        ("vfs_read", ""), ("vfs_read", ""), ("vfs_open", ""),
    ]  # fmt: skip
    assert [one.name for one in functions.matching(known, ["ext4:*", "free.part.0"])] == ["ext4_sync", "free.part.0"]
    assert functions.matching(known, ["*invalid*", "vfs"]) == []


def test_a_list_of_threads_goes_with_those_the_kernel_added(loan: Loan) -> None:
    (loan.root / "current_tracer").write_text("nop\n")
    (loan.root / "set_ftrace_pid").write_text("11\n12\n")
    assert borrowed.clear_own(loan.root, "set_ftrace_pid", ["11"])
    assert functions.listed(loan.root, "set_ftrace_pid") == []


def test_a_list_of_threads_stays_while_somebody_traces(loan: Loan) -> None:
    (loan.root / "current_tracer").write_text("function\n")
    (loan.root / "set_ftrace_pid").write_text("11\n12\n")
    assert not borrowed.clear_own(loan.root, "set_ftrace_pid", ["11"])


def test_a_journal_whose_run_was_killed_before_its_first_line_goes(loan: Loan) -> None:
    """Those of a living run, and files that are no journals of ours, stay."""
    loan.journal.close(undone=True)
    folder = loan.root / "state"
    names = (f"ftracepy_{2**22 - 1}_7_1.journal", f"{new_run_name()}.journal", "somebody.journal")
    for name in names:
        (folder / name).touch()
    for file in ("instances", "uprobe_events", "kprobe_events"):
        (loan.root / file).mkdir() if file == "instances" else (loan.root / file).touch()
    assert reset(Tracefs(loan.root)) == []
    assert sorted(os.listdir(folder)) == sorted(names[1:])
