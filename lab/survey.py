"""Inside a guest: what doctor finds, the ways each tool takes, and whether each tool's rows were right, as JSON in /lab/out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

OUT = Path("/lab/out/survey.json")
# Each counts: 307 opens, failed and not, 307 programs, 53 signals, 1220 calls.
PROOFS = {
    "opensnoop": ("test_every_open_shows_its_path", "test_every_failed_open_shows_its_path_and_error"),
    "execsnoop": ("test_every_program_shows_its_arguments",),
    "killsnoop": ("test_every_signal_is_shown",),
    "syscount": ("test_calls_are_counted_exactly",),
}


def survey() -> dict[str, object]:
    """Needs root and a kernel that can be traced; raises FtracepyError otherwise."""
    from ftracepy import tracefs
    from ftracepy.live import doctor
    from ftracepy.tools import kit

    findings = [[one.name, one.ok, one.detail] for one in doctor.examine()]
    found = tracefs.find()
    tools = {}
    for name in kit.names():
        tool = kit.load(name)
        report = doctor.tool(name, tool.wishes(tool.options()), found)
        tools[name] = {"ways": [[way.what, way.how, way.misses] for way in report.ways], "reason": report.reason}
    return {"release": os.uname().release, "findings": findings, "tools": tools, "proofs": proofs()}


def proofs() -> dict[str, bool]:
    """Whether a tool showed exactly what was done."""
    return {tool: all(map(_passes, tests)) for tool, tests in PROOFS.items()}


def _passes(test: str) -> bool:
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/kernel/test_commands.py::{test}"]
    return subprocess.run(command).returncode == 0


if __name__ == "__main__":
    OUT.write_text(json.dumps(survey()))
