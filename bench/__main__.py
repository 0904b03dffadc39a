"""Run the parts of the bench and print ratios with minimum, median and maximum; --json for machines."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from bench import capture, decode, files, growth, instances, instructions, live, rows, start, tools
from bench.timing import Result

PARTS = ("decode", "instructions", "growth", "files", "capture", "start", "live", "tools", "rows")


def build_flood(folder: Path) -> Path:
    program = folder / "flood"
    source = Path(__file__).with_name("flood.c")
    subprocess.run(["cc", "-O2", "-pthread", "-o", str(program), str(source)], check=True)
    return program


def results(parts: tuple[str, ...], folder: Path, runs: int, calls: int, keep: bool) -> Iterator[Result]:
    flood = build_flood(folder)
    if "instructions" in parts:
        yield from instructions.measure(folder, keep)
    if "decode" in parts:
        yield from decode.measure(folder, flood, runs, calls)
    if "growth" in parts:
        yield from growth.measure(folder, runs)
    if "files" in parts:
        yield from files.measure(folder, runs)
    if "capture" in parts:
        yield from capture.measure(folder, flood, runs, calls * 16)
    if "start" in parts:
        yield from start.measure(runs)
    if "live" in parts:
        yield from live.measure(flood, runs)
    if "tools" in parts:
        yield from tools.measure(folder, runs)
    if "rows" in parts:
        yield from rows.measure(folder, runs)


@click.command()
@click.option("--runs", default=5, show_default=True, help="Pairs to run of each comparison.")
@click.option("--calls", default=500_009, show_default=True, help="System calls a thread makes for a recording.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Also write the figures there.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where recordings go (default: a temporary one).")
@click.option("--keep", is_flag=True, help="Make the instructions counted now the baseline.")
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
def main(runs: int, calls: int, json_path: Path | None, folder: Path | None, keep: bool, parts: tuple[str, ...]) -> None:
    """Measure PARTS (default: all) against trace-cmd and perf-tools on this machine."""
    instances.end_by_signals()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as scratch:
        rows = []
        for row in results(parts or PARTS, folder or Path(scratch), runs, calls, keep):
            rows.append(row)
            verdict = "" if row.met is None else f" [{row.goal}: {'met' if row.met else 'MISSED'}]"
            click.echo(f"{row.name}: {row.value} {row.unit}{verdict}  {row.note}")
    if json_path:
        json_path.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    raise SystemExit(any(row.met is False for row in rows))


main()
