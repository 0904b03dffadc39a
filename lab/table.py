"""docs/kernels.md from what the guests found: kernel by feature, kernel by tool and way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Survey = Mapping[str, Any]
_HEAD = """\
# Kernels: what ftracepy uses on each, as found by trying

Made by `scripts/lab --table` from `ftracepy doctor` and the live tests inside each kernel; not written by hand. The
kernels are Debian's cloud kernels for amd64 and, where it says so, for arm64, each on one emulated processor, and two built
from Debian's source: `nobpf`, as on a board, without bpf(2), BTF and modules; `tracepoints`, which also lacks kprobes,
function tracers and histograms. The live tests run on every kernel under a filter that kills who calls bpf(2) or
perf_event_open(2).
"""
_WHOLE = """\
All of them in one run of each kernel. Where that was not done, each tool's counted rows were, which the tables above are from.
"""
_OWN = ("nobpf", "tracepoints")
_NOT_SHOWN = frozenset({"kernel", "user", "container", "lockdown", "decoder", "tracefs", "tracing_on", "current tracer",
                        "events", "clocks", "instances", "kernel symbols"})  # fmt: skip


def render(surveys: Sequence[Survey]) -> str:
    """The whole page; `surveys` in the order of the columns."""
    return "\n".join([_HEAD, _features(surveys), _tools(surveys), *_suites(surveys), _misses(surveys)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def short(survey: Survey) -> str:
    if survey["kernel"] in _OWN:
        return str(survey["kernel"])
    version = ".".join(str(survey["release"]).split("-")[0].split("+")[0].split(".")[:2])
    return version if survey["machine"] == "x86_64" else f"{version} {survey['machine']}"


def _features(surveys: Sequence[Survey]) -> str:
    found = [{name: ok for name, ok, _ in one["findings"]} for one in surveys]
    known = dict.fromkeys(name for one in surveys for name, ok, _ in one["findings"] if ok is not None)
    names = [name for name in known if name not in _NOT_SHOWN]
    mark = {True: "yes", False: "-", None: ""}
    rows = [[name, *(mark[one.get(name)] for one in found)] for name in names]
    rows.append(["bpf(2), which ftracepy leaves alone", *(mark[one["bpf"]] for one in surveys)])
    kernels = ", ".join(f"{one['release']} ({short(one)})" for one in surveys)
    return f"## Features\n\n{kernels}\n\n" + _table(["feature", *map(short, surveys)], rows)


def _tools(surveys: Sequence[Survey]) -> str:
    rows = []
    for tool in sorted({name for one in surveys for name in one["tools"]}):
        for at, one in enumerate(surveys):
            here = one["tools"].get(tool, {"ways": [], "reason": "not tried", "proofs": []})
            ways = "; ".join(f"{what}: {how}" for what, how, _ in here["ways"]) or here["reason"] or "events alone"
            rows.append(["" if at else tool, short(one), ways, right(here["proofs"])])
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


def _suites(surveys: Sequence[Survey]) -> list[str]:
    """Of all live tests: how many passed on each kernel, which failed, and what each kernel lacks for the others."""
    suites = [one["suite"] if one.get("suite", {}).get("whole") else None for one in surveys]
    known = [one for one in suites if one is not None]
    if not known:
        return []
    reasons = dict.fromkeys(reason for one in known for reason in sorted(one["left_out"]))
    rows = [["passed", *("not run" if one is None else str(one["passed"]) for one in suites)]]
    if any(one and one.get("again") for one in suites):
        rows.append(
            ["passed when they ran again, alone", *("" if one is None else _number(one.get("again", ())) for one in suites)]
        )
    rows.append(["failed", *("" if one is None else str(len(one["failed"])) for one in suites)])
    for reason in sorted(reasons):
        rows.append([f"left out: {reason}", *("" if one is None else _number(one["left_out"].get(reason, ())) for one in suites)])
    failed = {name: None for one in known for name in one["failed"]}
    lines = "".join(
        f"- {name}: fails on {', '.join(short(one) for one in surveys if name in one.get('suite', {}).get('failed', ()))}\n"
        for name in failed
    )
    return [
        f"## Live tests\n\n{_WHOLE}\n" + _table(["how they ended", *map(short, surveys)], rows) + (f"\n{lines}" if lines else "")
    ]


def _number(tests: Sequence[str]) -> str:
    return str(len(tests)) if tests else ""


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
