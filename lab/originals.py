"""perf-tools' own scripts beside ours: what a guest has for it, and the table in docs/perf-tools.md of what each counted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGES = ("perf-tools-unstable", "bash", "gawk", "mawk", "perl", "linux-perf", "binutils", "file")
COMMAND = "python3 -P -m pytest -q -p no:cacheprovider -o faulthandler_timeout=240 tests/kernel/test_originals.py"
FOUND = "originals.json"  # what the tests leave in /lab/out
_DATA, _PAGE = "docs/originals.json", "docs/perf-tools.md"
_BEGIN = "## Beside the originals\n"
_HEAD = """
Made by `scripts/lab 5.10 6.1 6.12 newest --originals`, not written by hand: in guests of the lab the scripts, as Debian
packages them (perf-tools-unstable, with gawk, perf 6.1, and kernel.kptr_restrict=1, without which their tcpretrans knows no
connection), and ours watch the same work, at once but for funcgraph and funcslower, which need the kernel's one set of graph
filters. Each cell says what the original counted and what ours did; how many there were stands in the third column (a prime
number, or what the kernel counted). The original's count is of what was right in its text: rows of dashes, a wrong size or
somebody else's PID are none. Cells without anything were not tried. The kernel nobpf has no debugfs, which every one of them goes
through.

"""


def write(root: Path, found: Mapping[str, str]) -> None:
    """Keep what was found on each kernel (the lab's name of it -> the tests' JSON), and make the table anew."""
    data = root / _DATA
    known = json.loads(data.read_text()) if data.exists() else {}
    known |= {name: _merged(known.get(name), json.loads(text)) for name, text in found.items()}
    data.write_text(json.dumps(known, indent=1) + "\n")
    page = root / _PAGE
    by_hand = page.read_text().partition(_BEGIN)[0].rstrip("\n")
    page.write_text(f"{by_hand}\n\n{section(known)}")


def _merged(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """What was found last of each; a run of a few tests keeps what it did not try."""
    tried = {(one["name"], one["what"]) for one in new["findings"]}
    kept = [one for one in (old or {}).get("findings", ()) if (one["name"], one["what"]) not in tried]
    return {**new, "findings": [*kept, *new["findings"]]}


def section(known: Mapping[str, Any]) -> str:
    """The part of the page that is made."""
    kernels = sorted(known.values(), key=lambda one: [int(part) for part in re.findall(r"\d+", one["release"])[:3]])
    tools = list(dict.fromkeys((one["name"], one["what"]) for kernel in kernels for one in kernel["findings"]))
    rows = [_row(tool, kernels) for tool in sorted(tools)]
    head = ["original", "what", "there were", *(_short(one["release"]) for one in kernels)]
    table = "".join("| " + " | ".join(line) + " |\n" for line in [head, ["---"] * len(head), *rows])
    said = "".join(f"- {name}: {text}\n" for name, text in _said(kernels))
    return f"{_BEGIN}{_HEAD}{table}\nWhat the originals said where they counted less:\n\n{said}"


def _short(release: str) -> str:
    return ".".join(re.findall(r"\d+", release)[:2])


def _row(tool: tuple[str, str], kernels: Sequence[Mapping[str, Any]]) -> list[str]:
    found = [next((one for one in kernel["findings"] if (one["name"], one["what"]) == tool), None) for kernel in kernels]
    truths = list(dict.fromkeys(_truth(one) for one in found if one is not None))
    return [tool[0], tool[1], ", ".join(truths), *("" if one is None else f"{one['theirs']}, ours {_ours(one)}" for one in found)]


def _truth(one: Mapping[str, Any]) -> str:
    return f"{one['truth']} to {one['truth'] + one['above']}" if one["above"] else str(one["truth"])


def _ours(one: Mapping[str, Any]) -> str:
    right = one["truth"] <= one["ours"] <= one["truth"] + one["above"]
    return str(one["ours"]) if right else f"**{one['ours']}**"


def _said(kernels: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Each original's complaint, once for all kernels that it is the same on."""
    where: dict[tuple[str, str], list[str]] = {}
    for kernel in kernels:
        for one in kernel["findings"]:
            if one["theirs"] < one["truth"] and one["error"]:
                error = re.sub(r"/usr/sbin/[\w-]+: line \d+: ", "", one["error"])
                where.setdefault((one["name"], error), []).append(_short(kernel["release"]))
    return [(name, f"`{text}` ({', '.join(dict.fromkeys(places))})") for (name, text), places in sorted(where.items())]
