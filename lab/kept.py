"""What was found on each kernel last, kept beside the kernels until it is looked at again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.debian import LabFault, cache_dir

Survey = dict[str, Any]


def place(kernel: str) -> Path:
    return cache_dir() / f"survey-{kernel}.json"


def known(kernel: str) -> Survey | None:
    return json.loads(place(kernel).read_text()) if place(kernel).exists() else None


def failed(kernel: str) -> list[str]:
    """The tests that failed there in the last whole run and have not passed since. Raises LabFault where there are none."""
    suite = (known(kernel) or {}).get("suite", {})
    if not suite.get("whole"):
        raise LabFault(f"all live tests were not run on {kernel} yet\n  try     scripts/lab {kernel}")
    if not suite["failed"]:
        raise LabFault(f"no live test failed on {kernel} last")
    return [*suite["failed"]]


def keep(kernel: str, found: Survey) -> None:
    """What was found, or what of it was found anew."""
    before = known(kernel)
    place(kernel).write_text(json.dumps({**merged(before, found), "kernel": kernel}))


def merged(before: Survey | None, found: Survey) -> Survey:
    """Named tests put right what they said before; fewer tests than all leave it as it was what all of them said."""
    if before is None or found["suite"]["whole"]:
        return found
    if "again" not in found["suite"]:
        return {**found, "suite": before.get("suite", found["suite"])}
    suite, passed = before["suite"], found["suite"]["again"]
    again = [name for name in suite["failed"] if name in passed]
    tools = {name: _judged_anew(tool, found["tools"].get(name)) for name, tool in before["tools"].items()}
    suite = {
        **suite,
        "failed": [name for name in suite["failed"] if name not in again],
        "again": [*suite.get("again", ()), *again],
    }
    return {**before, "tools": tools, "suite": suite}


def _judged_anew(tool: Survey, now: Survey | None) -> Survey:
    """The proofs of one tool, with what those that were tried again came to."""
    outcomes = dict(now["proofs"]) if now else {}
    return {**tool, "proofs": [[counted, outcomes.get(counted, outcome)] for counted, outcome in tool["proofs"]]}
