"""reset --everything over a tracefs of plain files: what is set back, what is left, and what is only told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftracepy.cli.main import main
from ftracepy.live import everything
from ftracepy.tracefs import Tracefs

_BOOT = {
    "current_tracer": "nop\n", "tracing_on": "1\n", "tracing_thresh": "0\n", "events/enable": "0\n",
    "trace_clock": "[local] global mono\n", "set_ftrace_filter": "#### all functions enabled ####\n", "set_event_pid": "",
    "set_graph_function": "#### all functions enabled ####\n", "options/overwrite": "1\n", "options/stacktrace": "0\n",
    "options/blk_classic": "1\n", "buffer_size_kb": "7 (expanded: 1408)\n", "kprobe_events": "",
    "events/sched/sched_switch/filter": "none\n", "events/sched/sched_switch/trigger": "# Available triggers:\n",
}  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in _BOOT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "instances/theirs").mkdir(parents=True)
    return tmp_path


def told(root: Path, **options: bool) -> list[tuple[str, str, str]]:
    found = everything.everything(Tracefs(root), lock=root / "lock", **options)
    return [(one.file.removeprefix(f"{root}/"), one.before, one.after) for one in found]


def test_nothing_is_to_be_done_after_boot(tree: Path) -> None:
    assert told(tree) == []


def test_each_setting_is_put_back_in_turn(tree: Path) -> None:
    (tree / "current_tracer").write_text("function\n")
    (tree / "options/overwrite").write_text("0\n")
    (tree / "options/blk_classic").write_text("0\n")
    (tree / "trace_clock").write_text("local global [mono]\n")
    (tree / "set_event_pid").write_text("1\n2\n")
    (tree / "events/sched/sched_switch/filter").write_text("prev_pid == 0\n")
    wanted = [
        ("current_tracer", "function", "nop"),
        ("events/sched/sched_switch/filter", "prev_pid == 0", "none"),
        ("set_event_pid", "1 2", ""),
        ("options/overwrite", "0", "1"),
        ("trace_clock", "mono", "local"),
    ]
    assert told(tree, dry_run=True) == wanted
    assert (tree / "current_tracer").read_text() == "function\n"
    told(tree)
    assert (tree / "current_tracer").read_text().startswith("nop")
    assert (tree / "set_event_pid").read_text() == ""
    assert (tree / "options/blk_classic").read_text() == "0\n"


def test_triggers_that_use_others_go_first_and_by_name(tree: Path) -> None:
    trigger = tree / "events/sched/sched_switch/trigger"
    trigger.write_text("stacktrace:unlimited\nhist:keys=a:lat=common_timestamp-$ts0:size=2048 [active]\n")
    steps = list(everything._triggers_and_filters(tree))
    assert [one.before.partition(":")[0] for one in steps] == ["hist", "stacktrace"]
    trigger.write_text("")
    steps[0].do()
    assert trigger.read_text() == "!hist:keys=a:lat=common_timestamp-$ts0:size=2048"


def test_instances_of_others_go_only_when_asked_for(tree: Path) -> None:
    assert told(tree) == []
    assert told(tree, others=True) == [("instances/theirs", "there", "")]
    assert not (tree / "instances/theirs").exists()


def test_a_lock_goes_and_a_living_one_is_told(tree: Path) -> None:
    (tree / "lock").write_text(f"{os.getpid()}\n")
    assert f"perf-tools ({os.getpid()})" in everything.busy(Tracefs(tree), tree / "lock")
    (tree / "lock").write_text("4194303\n")
    assert everything.busy(Tracefs(tree), tree / "lock") == []
    assert told(tree) == [("lock", "4194303", "")]


@pytest.mark.parametrize("option", ["-f", "-n", "--instances"])
def test_everybodys_settings_have_to_be_asked_for(tree: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reset", option, "--tracefs", str(tree)]) == 2
    assert "--everything" in capsys.readouterr().err
