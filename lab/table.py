"""docs/kernels.md from what the guests found: kernel by feature, kernel by tool and way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Survey = Mapping[str, Any]
_HEAD = """\
# Kernels: what ftracepy uses on each, as found by trying

Made by `scripts/lab --table` from `ftracepy doctor` and the live tests inside each kernel; not written by hand. The
kernels are Debian's cloud kernels for amd64, on one emulated processor.
"""
_NOT_SHOWN = frozenset({"kernel", "user", "container", "lockdown", "decoder", "tracefs", "tracing_on", "current tracer",
                        "events", "clocks", "instances", "kernel symbols"})  # fmt: skip


def render(surveys: Sequence[Survey]) -> str:
    """The whole page; `surveys` in the order of the columns."""
    return "\n".join([_HEAD, _features(surveys), _tools(surveys), _misses(surveys)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _short(survey: Survey) -> str:
    return ".".join(str(survey["release"]).split("-")[0].split("+")[0].split(".")[:2])


def _features(surveys: Sequence[Survey]) -> str:
    found = [{name: ok for name, ok, _ in one["findings"]} for one in surveys]
    names = [name for name, ok, _ in surveys[0]["findings"] if name not in _NOT_SHOWN and ok is not None]
    mark = {True: "yes", False: "-", None: ""}
    rows = [[name, *(mark[one.get(name)] for one in found)] for name in names]
    kernels = ", ".join(str(one["release"]) for one in surveys)
    return f"## Features\n\n{kernels}\n\n" + _table(["feature", *map(_short, surveys)], rows)


def _tools(surveys: Sequence[Survey]) -> str:
    rows = []
    for tool in sorted({name for one in surveys for name in one["tools"]}):
        for at, one in enumerate(surveys):
            here = one["tools"].get(tool, {"ways": [], "reason": "not tried", "proofs": []})
            ways = "; ".join(f"{what}: {how}" for what, how, _ in here["ways"]) or here["reason"] or "events alone"
            rows.append(["" if at else tool, _short(one), ways, right(here["proofs"])])
    counted = [[tool, "; ".join(_counted(surveys, tool))] for tool in dict.fromkeys(row[0] for row in rows if row[0])]
    return (
        "## Tools\n\nRight rows: the tool showed exactly what was done and counted on that kernel.\n\n"
        + _table(["tool", "kernel", "ways", "right rows"], rows)
        + "\n## What was counted\n\n"
        + _table(["tool", "done, and held to the rows"], counted)
    )


def right(proofs: Sequence[Sequence[str]]) -> str:
    """The word for all counted proofs of one tool on one kernel: pairs of what was counted and how it ended."""
    failed = [counted for counted, outcome in proofs if outcome == "failed"]
    impossible = [outcome for _, outcome in proofs if outcome not in ("passed", "failed")]
    if failed:
        return "**no**: " + "; ".join(failed)
    if len(impossible) == len(proofs):
        return "; ".join(dict.fromkeys(impossible)) or "nothing counted"
    return "; ".join(["all", *dict.fromkeys(impossible)])


def _counted(surveys: Sequence[Survey], tool: str) -> list[str]:
    known = (counted for one in surveys if tool in one["tools"] for counted, _ in one["tools"][tool]["proofs"])
    return list(dict.fromkeys(known)) or ["nothing yet"]


def _misses(surveys: Sequence[Survey]) -> str:
    known: dict[tuple[str, str], str] = {}
    for one in surveys:
        for tool in one["tools"].values():
            known.update({(what, how): misses for what, how, misses in tool["ways"]})
    rows = [[how, what, misses] for (what, how), misses in sorted(known.items(), key=lambda pair: pair[0][::-1])]
    return "## What each way misses\n\n" + _table(["way", "for", "misses"], rows)
