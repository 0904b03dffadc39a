"""Run one tool: its sink, its signals, its exit code."""

from __future__ import annotations

from ftracepy import sinks
from ftracepy.cli.outputs import output as open_output
from ftracepy.cli.signals import exit_code, stop_on_signals
from ftracepy.errors import UsageFault
from ftracepy.pipeline import tool as pipeline
from ftracepy.pipeline.requests import Common
from ftracepy.tools.kit import AnyTool, Filters


def run_tool(
    tool: AnyTool, options: Filters, *, command: tuple[str, ...], replay: str | None, format: str, output: str | None,
    strict: bool, only_command: bool, buffer_kb: int | None, tracefs: str | None,
) -> int:  # fmt: skip
    """Run until the source ends or someone asks; raises UsageFault for what cannot go together."""
    if replay is not None and command:
        raise UsageFault("a recording is shown without running a command", hint="leave out --replay, or what follows --")
    if only_command and not command:
        raise UsageFault("--only-command needs a command", hint=f"ftracepy {tool.name} ... --only-command -- COMMAND")
    common = Common(
        replay=replay,
        strict=strict,
        tracefs_root=tracefs,
        buffer_kb=buffer_kb,
        command=command,
        only_command=only_command,
    )
    with stop_on_signals() as stop, open_output(output) as out:
        sink = sinks.open(format, tool.row_for(options), out, timestamps=options.timestamps)
        code = pipeline.run_tool(tool, options, common, sink, stop)
        sink.close()
    return exit_code(code, stop, live=replay is None)
