"""record: write events to a trace.dat file, as the raw pages the kernel gave."""

from __future__ import annotations

import sys

import click

from ftracepy.cli import complete
from ftracepy.cli.outputs import Progress
from ftracepy.cli.shared import events_option
from ftracepy.cli.signals import exit_code, stop_on_signals
from ftracepy.errors import UsageFault


@click.command("record", context_settings={"allow_interspersed_args": False})
@events_option("record")
@click.option(
    "--tool",
    "tools",
    multiple=True,
    shell_complete=complete.tools,
    metavar="TOOL",
    help="record what this tool needs, for `ftracepy TOOL --replay FILE`; may be repeated; with options and arguments: "
    "'TOOL -x WORD'",
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE.dat",
    type=click.Path(),
    help="the recording to write; - is standard output, at the end",
)
@click.option("-b", "--buffer-kb", type=click.IntRange(min=1), metavar="KB", help="ring buffer of each CPU")
@click.option("--clock", default="mono", show_default=True, shell_complete=complete.clocks, help="trace clock")
@click.option("-p", "--pid", type=int, help="only this process: all its threads, new ones too")
@click.option("-F", "--only-command", is_flag=True, help="only COMMAND and what it starts")
@click.option(
    "-d", "--duration", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="stop after so many seconds"
)
@click.option(
    "--compression", type=click.Choice(["none", "zlib", "zstd"]), default="none", show_default=True, help="how pages are stored"
)
@click.option("--strict", is_flag=True, help="end with exit code 5 if any event was lost")
@click.option("--tracefs", metavar="ROOT", type=click.Path(), help="another tracefs root ($FTRACEPY_TRACEFS)")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def command(
    events: tuple[str, ...], tools: tuple[str, ...], output: str, buffer_kb: int | None, clock: str, pid: int | None,
    only_command: bool, duration: float | None, compression: str, strict: bool, tracefs: str | None, command: tuple[str, ...],
) -> int:  # fmt: skip
    """Record events until COMMAND ends, the duration is over, or Ctrl-C.

    Raw pages are moved and nothing is decoded. The file is a trace.dat of version 7, which
    `ftracepy report`, `ftracepy TOOL --replay` and trace-cmd report read.
    """
    _check(events, tools, pid, only_command, command)
    from ftracepy.cli.toolcommand import chosen_tool
    from ftracepy.pipeline.record import record
    from ftracepy.pipeline.requests import RecordRequest

    request = RecordRequest(
        output=output,
        events=events,
        tools=tuple(map(chosen_tool, tools)),
        buffer_kb=buffer_kb,
        clock=clock,
        pid=pid,
        command=command,
        only_command=only_command,
        duration_s=duration,
        compression=compression,  # type: ignore[arg-type]
        tracefs_root=tracefs,
        progress=sys.stderr.isatty(),
        strict=strict,
    )
    with stop_on_signals() as stop, Progress() as say:
        code = record(request, stop, say)
    return exit_code(code, stop, live=True)


def _check(
    events: tuple[str, ...], tools: tuple[str, ...], pid: int | None, only_command: bool, command: tuple[str, ...]
) -> None:
    if not events and not tools:
        raise UsageFault("nothing to record", hint="-e SYSTEM:EVENT (see ftracepy list events) or --tool TOOL")
    if pid is not None and command:
        raise UsageFault("either a process (-p) or a command can be recorded, not both")
    if only_command and not command:
        raise UsageFault("--only-command needs a command", hint="ftracepy record ... -F -- COMMAND")
