"""doctor: what this kernel and user can trace, and by which ways."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ftracepy.cli import complete
from ftracepy.cli.outputs import say, show
from ftracepy.errors import ExitCode, FtracepyError

if TYPE_CHECKING:
    from ftracepy.live.doctor import Finding, ToolReport
    from ftracepy.tools.kit import AnyTool

_MARKS = {True: "yes", False: "no", None: "-"}


@click.command("doctor")
@click.argument("tool", default="", shell_complete=complete.tools)
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="text, or json (one object a line)")
@click.option("--tracefs", metavar="ROOT", type=click.Path(), help="another tracefs root ($FTRACEPY_TRACEFS)")
def command(tool: str, format: str, tracefs: str | None) -> int:
    """Find out by trying what this kernel and user can trace, and what would change it.

    For each tool, or TOOL alone: the ways it will use here, and what they miss, or why it cannot run. Everything is
    tried in a private trace buffer, which is removed again. With TOOL, exit code 3 means that it cannot run here.
    """
    from ftracepy.live import doctor
    from ftracepy.tools import kit

    show_one = _json if format == "json" else _text
    if tool:
        report = _report(kit.load(tool), tracefs)
        show_one(report)
        return ExitCode.UNSUPPORTED if report.reason else ExitCode.DONE
    for finding in doctor.examine(tracefs):
        show_one(finding)
    try:
        for name in kit.names():
            show_one(_report(kit.load(name), tracefs))
    except FtracepyError as fault:
        show_one(doctor.ToolReport("no tool", reason="; ".join(filter(None, (fault.what, fault.why))), hint=fault.hint))
    return ExitCode.DONE


def _report(tool: AnyTool, root: str | None) -> ToolReport:
    """What one tool would use here; raises FtracepyError where there is no tracefs to look at."""
    from ftracepy import tracefs
    from ftracepy.live import doctor

    return doctor.tool(tool.name, tool.wishes(tool.options()), tracefs.find(root, say=say))


def _json(found: Finding | ToolReport) -> None:
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
    sys.stdout.flush()


def _text(found: Finding | ToolReport) -> None:
    from ftracepy.live.doctor import Finding

    for line in _finding_lines(found) if isinstance(found, Finding) else _tool_lines(found):
        show(line)
    sys.stdout.flush()


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"{_MARKS[finding.ok]:<4}{finding.name:<24} {finding.detail}"
    if finding.change:
        yield f"{'':<29}change: {finding.change}"


def _tool_lines(report: ToolReport) -> Iterator[str]:
    yield ""
    yield f"{report.tool} cannot run here: {report.reason}" if report.reason else f"{report.tool} can run here"
    if report.hint:
        yield f"  try     {report.hint}"
    for way in report.ways:
        yield f"  {way.what}: {way.how} ({way.provenance})"
        if way.misses:
            yield f"      misses {way.misses}"
