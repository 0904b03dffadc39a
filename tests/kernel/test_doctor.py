"""doctor on this machine: agrees with how the kernel was built and with the ways a plan takes, and leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy.live import config, doctor
from ftracepy.live.doctor import Finding
from ftracepy.probes import Execs, Syscalls, Tracepoint
from ftracepy.tracefs import Tracefs
from tests.support import tracefs_tree


@pytest.fixture(scope="module")
def findings(tracefs: Tracefs) -> dict[str, Finding]:
    before = tracefs_tree.snapshot(tracefs.root)
    found = {one.name: one for one in doctor.examine(str(tracefs.root))}
    assert tracefs_tree.difference(before, tracefs_tree.snapshot(tracefs.root)) == []
    return found


def test_everything_is_looked_at(findings: dict[str, Finding]) -> None:
    wanted = {
        "kernel", "user", "container", "lockdown", "decoder", "tracefs", "tracing_on", "events", "clocks", "instances",
        "side facts", "kprobes", "kretprobes", "fprobes", "tracepoint probes", "event probes", "uprobes", "uretprobes",
        "synthetic events", "hist triggers", "event filters", "string filters", "pid filter", "function tracer",
        "function_graph tracer", "sub-buffer size", "mapped buffers", "BTF", "kernel symbols", "paths: fanotify",
    }  # fmt: skip
    assert wanted - findings.keys() == set()


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("kprobes", "CONFIG_KPROBE_EVENTS"),
        ("uprobes", "CONFIG_UPROBE_EVENTS"),
        ("synthetic events", "CONFIG_SYNTH_EVENTS"),
        ("hist triggers", "CONFIG_HIST_TRIGGERS"),
        ("BTF", "CONFIG_DEBUG_INFO_BTF"),
    ],
)
def test_trying_agrees_with_the_configuration(findings: dict[str, Finding], name: str, option: str) -> None:
    built = config.read()
    if not built.readable:
        pytest.skip("this kernel's configuration cannot be read")
    assert findings[name].ok is (option in built.known)


def test_event_probes_are_there_where_their_code_is(findings: dict[str, Finding]) -> None:
    """Before 6.18 the configuration has no option of theirs."""
    names = {line.split()[2] for line in Path("/proc/kallsyms").read_text().splitlines()}
    assert findings["event probes"].ok is ("eprobe_dyn_event_create" in names)


def test_what_does_not_work_says_what_would_change_it(findings: dict[str, Finding]) -> None:
    assert [one for one in findings.values() if one.ok is False and not one.change] == []
    assert [one for one in findings.values() if not one.detail] == []


def test_a_tool_has_ways_or_a_reason(tracefs: Tracefs) -> None:
    opens = doctor.tool("opensnoop", [Syscalls(("openat",), ("filename",))], tracefs)
    assert opens.ways
    assert not opens.reason
    execs = doctor.tool("execsnoop", [Execs()], tracefs)
    assert {way.provenance for way in execs.ways} <= {"kernel-copy", "user@enter", "proc-after"}
    broken = doctor.tool("x", [Tracepoint("no", "such")], tracefs)
    assert "no:such" in broken.reason
    assert broken.hint


def test_without_a_tracefs_it_says_so_and_ends(tmp_path: object) -> None:
    last = list(doctor.examine(str(tmp_path)))[-1]
    assert (last.name, last.ok) == ("tracefs", False)
    assert last.change
