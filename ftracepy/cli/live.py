"""live: watch the kernel, or a recording, in a terminal."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ftracepy.cli.shared import events_option
from ftracepy.cli.signals import exit_code, stop_on_signals
from ftracepy.errors import ExitCode, FtracepyError, UsageFault

if TYPE_CHECKING:
    from ftracepy.pipeline.watch import WatchRequest


# A tool that makes one table at its end makes one each second here.
_INTERVAL_S = 1.0


@click.command("live", context_settings={"allow_interspersed_args": False})
@events_option("watch")
@click.option("--replay", metavar="FILE", type=click.Path(), help="look at a recording instead of the live kernel")
@click.option("--keep", type=click.IntRange(min=1000), default=1_000_000, show_default=True, help="how many events to keep")
@click.option("-b", "--buffer-kb", type=click.IntRange(min=1), metavar="KB", help="ring buffer of each CPU")
@click.option("--plain-tui", is_flag=True, help="few repaints and no animation: for serial lines")
@click.option("--ascii", "ascii_only", is_flag=True, help="only ASCII characters")
@click.option("--tracefs", metavar="ROOT", type=click.Path(), help="another tracefs root ($FTRACEPY_TRACEFS)")
@click.argument("tool", nargs=-1, type=click.UNPROCESSED, metavar="[TOOL [OPTIONS]]")
def command(
    events: tuple[str, ...], replay: str | None, keep: int, buffer_kb: int | None, plain_tui: bool, ascii_only: bool,
    tracefs: str | None, tool: tuple[str, ...],
) -> int:  # fmt: skip
    """Watch a tool's rows, events, or (without either) an overview of the system, in a terminal.

    The keys are shown by `?`. `ftracepy live opensnoop -x`, `ftracepy live -e 'sched:*'` and
    `ftracepy live --replay FILE` show the same pages.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageFault("live needs a terminal", hint="ftracepy TOOL, or ftracepy report FILE, for pipes and files")
    from ftracepy.pipeline.watch import WatchRequest

    request = WatchRequest(events=events, replay=replay, tracefs_root=tracefs, buffer_kb=buffer_kb)
    if tool:
        request = _of_tool(tool, request)
    elif not events and not replay:
        return _show(None, keep, plain_tui, ascii_only, request)
    elif not events and replay:
        request = _as_recorded(replay, request)
    return _show(request, keep, plain_tui, ascii_only, request)


def _of_tool(words: tuple[str, ...], given: WatchRequest) -> WatchRequest:
    """The tool's own options, and those of every tool that mean something here."""
    from ftracepy.cli.toolcommand import chosen_run
    from ftracepy.pipeline.watch import WatchRequest

    tool, options, others, command = chosen_run(words)
    if getattr(options, "interval", 0) is None:
        options.interval = _INTERVAL_S  # type: ignore[attr-defined]
    return WatchRequest(
        tool=(tool, options),
        events=given.events,
        replay=given.replay or others["replay"],
        tracefs_root=given.tracefs_root or others["tracefs"],
        buffer_kb=given.buffer_kb or others["buffer_kb"],
        command=command,
    )


def _as_recorded(path: str, given: WatchRequest) -> WatchRequest:
    """With the rows of the tool that the recording was made with; as events alone where there was none, or none that is known."""
    from ftracepy.pipeline.recorded import tool_words

    words = tool_words(path)
    for tried in (words, words[:1]):
        if tried and not {"--replay", "--format"} & set(tried):
            with suppress(click.ClickException, click.exceptions.Exit, FtracepyError):
                return _of_tool(tried, given)
    return given


def _show(request: WatchRequest | None, keep: int, plain: bool, ascii_only: bool, given: WatchRequest) -> int:
    """Run the view until it is left; whatever ends it, runs are ended and the kernel is left as it was."""
    sys.stderr.write("ftracepy: starting\n")
    from ftracepy.tui.start import show

    with stop_on_signals(break_off=False) as stop:
        error = show(request, given, keep, stop, plain=plain, ascii_only=ascii_only)
    if error:
        raise error
    return exit_code(ExitCode.DONE, stop, live=True)
