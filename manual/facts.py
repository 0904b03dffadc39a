"""What is known of a tool beside its own file: what it showed of a recording, its ways on each kernel, and what it costs."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab import table
from manual.page import Block, Section

ROOT = Path(__file__).parents[1]
_LINES = 24


def sections(tool: str) -> Iterator[Section]:
    """An example, the ways, the cost: in this order, each only where it is known."""
    yield from _example(tool)
    yield from _ways(tool)
    yield from _cost(tool)


def _example(tool: str) -> Iterator[Section]:
    """The head of what CI holds the tool to, of the recording that says it in the fewest lines."""
    folders = sorted((ROOT / "fixtures").glob(f"{tool}-k*"))
    if not folders:
        return
    lines, folder = min(((_table(folder), folder) for folder in folders), key=lambda pair: len(pair[0]))
    origin = tomllib.loads((folder / "origin.toml").read_text())
    shown = [*lines[:_LINES], *(["..."] if len(lines) > _LINES else [])]
    command = " ".join(["ftracepy", tool, origin.get("arguments", "")]).strip()
    workload = "\n".join(line.strip() for line in origin["workload"].strip().splitlines())
    yield Section(
        "An example",
        (
            Block(f"What `{command}` shows of this, recorded on {origin['kernel'].rsplit(' ', 1)[0]}:"),
            Block(workload, kept=True),
            Block("\n".join(shown), kept=True),
        ),
    )


def _table(folder: Path) -> list[str]:
    return (folder / "expected.table.txt").read_text().splitlines()


def _ways(tool: str) -> Iterator[Section]:
    surveys = json.loads((ROOT / "docs/kernels.json").read_text())
    kernels: dict[str, list[str]] = {}
    missed = {}
    for one in surveys.values():
        if here := one["tools"].get(tool):
            kernels.setdefault(f"{_how(here)}. Rows right: {table.right(here['proofs']).replace('*', '')}.", []).append(
                table.short(one)
            )
            missed.update({how: misses for _, how, misses in here["ways"] if misses})
    counted = dict.fromkeys(
        counted for one in surveys.values() for counted, _ in one["tools"].get(tool, {"proofs": []})["proofs"]
    )
    text = (
        "What it uses is found by trying, on each kernel anew; `ftracepy doctor` says it of this one. "
        f"On these it was held to counted work ({'; '.join(counted)}):"
    )
    yield Section("How it works here and there", (Block(text),), tuple((", ".join(names), how) for how, names in kernels.items()))
    if missed:
        yield Section("What it misses", terms=tuple(missed.items()))


def _how(here: Mapping[str, Any]) -> str:
    return "; ".join(f"{what}: {how}" for what, how, _ in here["ways"]) or here["reason"] or "events alone"


def _cost(tool: str) -> Iterator[Section]:
    """Rows of `scripts/bench tools` that are about it."""
    place = ROOT / "docs/overhead.json"
    rows = json.loads(place.read_text()) if place.exists() else []
    lines = [row for row in rows if row["name"].partition(",")[0] == tool]
    if lines:
        terms = tuple((row["name"].partition(", ")[2], _figure(row)) for row in lines)
        yield Section(
            "What it costs",
            (Block("Measured by `scripts/bench tools` on two cores, Linux 6.18, median (least-most):"),),
            terms,
        )


def _figure(row: Mapping[str, Any]) -> str:
    value = row["value"]
    spread = f"{value['middle']:.3g} ({value['low']:.3g}-{value['high']:.3g}) {row['unit']}"
    return "; ".join(part for part in (spread if row["unit"] else "", row["note"]) if part)
