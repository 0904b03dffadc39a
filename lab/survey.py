"""Inside a guest: the live tests, what doctor finds, and the ways each tool takes, as JSON in /lab/out.

    python3 -m lab.survey [PYTEST ARGUMENTS]    without them the whole suite; the exit status is pytest's. Where tests are
                                                named, the outcome says what to put right in an earlier one (lab/kept.py)

How a tool gets its rows into docs/kernels.md: in any file of tests/kernel, mark the live tests that count what it shows,

    @pytest.mark.counted("iosnoop", "101 reads", options={"device": "loop0"})
    def test_every_read_is_shown(clean_kernel: Tracefs, ...) -> None: ...

- The tool's name, what was done and counted (a prime number of it, so that no doubling or halving goes unseen), and, where
  the tool asks for another thing under other options than its defaults, those: doctor is asked for the ways under them.
- The test does a workload with those counts, compares every row or sum with what was done, and passes, fails, or skips
  with "this kernel has no ..." (best by `requires("kprobes")`, doctor's name of the feature).
- Several tests may be marked for one tool. It runs as it is on this machine too: `pytest -m counted tests/kernel`.
- `examine=False` beside a name that is no tool of the folder (`record`, `report`): only the rows are judged.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

OUT = Path("/lab/out/survey.json")
_PYTEST = ("-q", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=120", "--durations=12", "-rs")


@dataclass(slots=True)
class Proof:
    """What a marked test says of its tool; `outcome` "passed", "failed", or why it could not be tried on this kernel."""

    tool: str
    counted: str
    options: Mapping[str, Any] = field(default_factory=dict)
    examine: bool = True
    outcome: str = "failed"


class Proofs:
    """A pytest plugin that keeps how the tests ended: how many passed, which failed, and for what reason which were left out."""

    def __init__(self) -> None:
        self.found: dict[str, Proof] = {}
        self.passed: list[str] = []
        self.failed: list[str] = []
        self.left_out: dict[str, list[str]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            for mark in item.iter_markers("counted"):
                self.found[item.nodeid] = Proof(*mark.args, **mark.kwargs)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.passed and report.when != "call":
            return
        reason = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        if report.passed:
            self.passed.append(report.nodeid)
        elif report.skipped:
            self.left_out.setdefault(reason, []).append(report.nodeid)
        else:
            self.failed.append(report.nodeid)
            # At once: a guest that hangs later takes pytest's own account with it.
            print(f"\n{report.nodeid} ({report.when}) failed:\n{report.longreprtext[-6000:]}", flush=True)
        if (proof := self.found.get(report.nodeid)) is not None:
            proof.outcome = reason or report.outcome


def survey(arguments: Sequence[str]) -> tuple[dict[str, object], int]:
    """What was found, and pytest's exit status. Needs root and a kernel that can be traced; raises FtracepyError otherwise."""
    from ftracepy.live import doctor

    with_bpf = has_bpf()
    proofs = Proofs()
    named = [word for word in arguments if word.startswith("tests/")]
    status = int(pytest.main([*_PYTEST, *arguments, *([] if named else ["tests/kernel"])], plugins=[proofs]))
    found = list(proofs.found.values())
    return {
        "release": os.uname().release,
        "machine": os.uname().machine,
        "bpf": with_bpf,
        "findings": [[one.name, one.ok, one.detail] for one in doctor.examine()],
        "tools": {name: {**_ways(name, found), "proofs": _of(name, found)} for name in _tools(found)},
        "suite": {
            "whole": not arguments,
            "passed": len(proofs.passed),
            "failed": proofs.failed,
            "left_out": proofs.left_out,
            **({"again": proofs.passed} if named else {}),
        },
    }, status


def has_bpf() -> bool:
    """Whether the kernel has bpf(2), asked for no command that there is; before the tests' guard is up."""
    number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(number, -1, 0, 0) == -1 and ctypes.get_errno() != errno.ENOSYS


def _tools(found: list[Proof]) -> list[str]:
    from ftracepy.tools import kit

    return [*kit.names(), *sorted({one.tool for one in found if not one.examine})]


def _of(name: str, found: list[Proof]) -> list[list[str]]:
    return [[one.counted, one.outcome] for one in found if one.tool == name]


def _ways(name: str, found: list[Proof]) -> dict[str, object]:
    """The ways under every set of options that was counted under, and why there is none."""
    from ftracepy import tracefs
    from ftracepy.errors import FtracepyError
    from ftracepy.live import doctor
    from ftracepy.tools import kit

    ways: dict[tuple[str, str, str], None] = {}
    reason = ""
    for options in _options(name, found):
        tool = kit.load(name)
        try:
            report = doctor.tool(name, tool.wishes(tool.options(**options)), tracefs.find())
        except FtracepyError as error:
            reason = error.what
        else:
            ways.update(dict.fromkeys((way.what, way.how, way.misses) for way in report.ways))
            reason = reason or report.reason
    return {"ways": list(ways), "reason": reason}


def _options(name: str, found: list[Proof]) -> Iterator[Mapping[str, Any]]:
    marked = [one.options for one in found if one.tool == name]
    if any(not one.examine for one in found if one.tool == name):
        return
    seen: list[Mapping[str, Any]] = []
    for options in marked or [{}]:
        if options not in seen:
            seen.append(options)
            yield options


if __name__ == "__main__":
    outcome, code = survey(sys.argv[1:])
    OUT.write_text(json.dumps(outcome))
    sys.exit(code)
