"""The table of what perf-tools' scripts and ours counted of the same work: made from what the guests found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lab", reason="only the checkout has the lab, an installed package has not")

from lab import originals

ROOT = Path(__file__).parents[2]


def found(name: str, theirs: int, ours: int, truth: int = 101, error: str = "", above: int = 0) -> dict[str, Any]:
    return {"name": name, "what": "reads", "truth": truth, "theirs": theirs, "ours": ours, "error": error, "above": above}


def test_each_cell_says_both_counts_and_ours_is_marked_where_it_is_wrong() -> None:
    wrong = "/usr/sbin/cachestat-perf: line 3: no such file"
    known = {
        "newest": {
            "release": "7.3.4-amd64",
            "findings": [found("iosnoop", 0, 101), found("cachestat", 0, 3300, 3203, wrong, 512)],
        },
        "5.10": {"release": "5.10.0-46-amd64", "findings": [found("iosnoop", 101, 100, error="not of one that is right")]},
    }
    made = originals.section(known)
    assert "| original | what | there were | 5.10 | 7.3 |\n" in made
    assert "| iosnoop | reads | 101 | 101, ours **100** | 0, ours 101 |\n" in made
    assert "| cachestat | reads | 3203 to 3715 |  | 0, ours 3300 |\n" in made
    assert made.endswith("they counted less:\n\n- cachestat: `no such file` (7.3)\n")


def test_the_page_has_what_was_found_last(tmp_path: Path) -> None:
    page = (ROOT / "docs/perf-tools.md").read_text()
    assert page.endswith(originals.section(json.loads((ROOT / "docs/originals.json").read_text())))


def test_what_is_found_is_kept_beside_what_other_kernels_said(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/perf-tools.md").write_text("# By hand\n")
    for kernel, release in (("5.10", "5.10.0"), ("6.1", "6.1.0")):
        originals.write(tmp_path, {kernel: json.dumps({"release": release, "findings": [found("tpoint", 7, 7, 7)]})})
    more = {"release": "6.1.9", "findings": [found("iosnoop", 3, 7, 7)]}
    originals.write(tmp_path, {"6.1": json.dumps(more)})
    page = (tmp_path / "docs/perf-tools.md").read_text()
    assert "| iosnoop | reads | 7 |  | 3, ours 7 |\n" in page
    assert page.startswith("# By hand\n\n## Beside the originals\n")
    assert page.count("## Beside") == 1
    assert "| tpoint | reads | 7 | 7, ours 7 | 7, ours 7 |\n" in page
