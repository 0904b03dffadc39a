"""How many lines of each recording equal the text it is held to: kept in equal_lines.json, shown in docs/recordings.md.

A test that compares says what it found; if that is not what the file says, better or worse, it fails. With FTRACEPY_TALLY
naming a file, what is found is written there instead, and scripts/compare-recordings makes both files anew.
"""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
KNOWN = ROOT / "tests/golden/equal_lines.json"
PAGE = ROOT / "docs/recordings.md"
_WHATS = {
    "report -N": "`report --style trace-cmd` against `trace-cmd report -N`",
    "report -R": "the same against `-R`",
    "report -l": "the same against `-l`",
    "kernel": "`report` against the kernel's own `trace` file of the same buffer",
    "fields": "the same with the option `fields`",
}
_HEAD = """\
<!-- Made by scripts/compare-recordings; not written by hand. -->

# Recordings by others, and how many lines equal

The corpus of recordings that the tests read: made by trace-cmd of several versions, kernels from 5.10 on and machines of
either byte order and word size, compressed and not, cut off, wrapped, with losses. Of each the same number of events is read
as trace-cmd reads, at the same times, of the same threads and CPUs. This is about their text, line by line; where a line
differs, `tests/golden/differences.toml` says why, and that file's reasons are part of the test. `-`: there is no such text
of it, or it holds several instances, which other tests compare.

"""


def hold(recording: str, what: str, equal: int, lines: int) -> None:
    """Hold a comparison to what is known of it; `what` is one of the page's columns."""
    assert what in _WHATS
    if place := os.environ.get("FTRACEPY_TALLY"):
        with open(place, "a") as file:
            file.write(json.dumps([recording, what, equal, lines]) + "\n")
        return
    known = _known().get(recording, {}).get(what)
    told = f"{recording}, {what}: {equal} of {lines} lines equal, {known} known; if that is right: scripts/compare-recordings"
    assert known == [equal, lines], told


@cache
def _known() -> dict[str, dict[str, list[int]]]:
    found: dict[str, dict[str, list[int]]] = json.loads(KNOWN.read_text())
    return found


def page(known: dict[str, dict[str, list[int]]]) -> str:
    """The text of docs/recordings.md."""
    sums = {
        what: [sum(column) for column in zip(*(of[what] for of in known.values() if what in of), strict=True)] for what in _WHATS
    }
    text = _HEAD + "| | compared | equal | lines | share |\n|---|---|---:|---:|---:|\n"
    for what, (equal, lines) in ((what, pair) for what, pair in sums.items() if pair):
        text += f"| {what} | {_WHATS[what]} | {equal:,} | {lines:,} | {equal / lines:.3%} |\n"
    text += f"\n| recording | {' | '.join(_WHATS)} |\n|---|{'---:|' * len(_WHATS)}\n"
    for recording, of in sorted(known.items()):
        text += f"| {recording} | {' | '.join(_cell(of.get(what)) for what in _WHATS)} |\n"
    return text


def _cell(pair: list[int] | None) -> str:
    if pair is None:
        return "-"
    equal, lines = pair
    return f"all {lines}" if equal == lines else f"{equal} of {lines}"


def _renew(place: str) -> None:
    known: dict[str, dict[str, list[int]]] = {}
    for line in Path(place).read_text().splitlines():
        recording, what, *pair = json.loads(line)
        known.setdefault(recording, {})[what] = pair
    order = {name: {what: known[name][what] for what in _WHATS if what in known[name]} for name in sorted(known)}
    KNOWN.write_text("{\n" + ",\n".join(f" {json.dumps(name)}: {json.dumps(of)}" for name, of in order.items()) + "\n}\n")
    PAGE.write_text(page(order))


if __name__ == "__main__":
    _renew(sys.argv[1])
