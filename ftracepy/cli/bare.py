"""A tool called by its name alone: every option is what it is where nothing is said."""

from __future__ import annotations

from ftracepy.cli import run
from ftracepy.tools.kit import load


def run_bare(name: str) -> int:
    """Run the tool and return its exit code; raises FtracepyError as the parsed command line would."""
    tool = load(name)
    return run.run_tool(
        tool, tool.options(), command=(), replay=None, format="table", output=None,
        strict=False, only_command=False, buffer_kb=None, tracefs=None,
    )  # fmt: skip
