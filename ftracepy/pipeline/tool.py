"""Run one tool, over the live kernel or over a recording, into one sink."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any

from ftracepy.analysis.feed import Feed
from ftracepy.errors import ExitCode
from ftracepy.pipeline.endings import Ending, until_duration
from ftracepy.source import Nothing
from ftracepy.stream import Stream

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.pipeline.requests import Common, Stop
    from ftracepy.sinks import Sink
    from ftracepy.source import Source
    from ftracepy.tools.kit import AnyTool, Filters


def run_tool(tool: AnyTool, options: Filters, common: Common, sink: Sink, stop: Stop) -> ExitCode:
    """Show a tool's rows until the source ends, `stop` is asked, or --duration or --limit is reached.

    Raises FtracepyError for what the kernel, the recording or the options make impossible, DataLost
    at the end where `common.strict` forbids losses.
    """
    if (listed := tool.listing(options)) is not None:
        for row in islice(listed, options.limit):
            sink.row(row)
        sink.flush()
        return ExitCode.DONE
    with ExitStack() as undo:
        source = _source(tool, options, common, sink, stop, undo)
        stream = Stream(source, on_idle=sink.flush)
        feed = Feed(
            _batches(stream, options, common, stop),
            stream.schema,
            notice=sink.notice,
            loss=sink.loss,
            header=_Header(sink, tool.name).show,
            layout=sink.layout() if options.limit is None else None,  # lines are not counted
        )
        for count, row in enumerate(tool.run(feed, options), 1):
            sink.row(row)
            if count == options.limit:
                break
        sink.flush()
    return Ending(stream, sink, strict=common.strict).tell()


def _batches(stream: Stream, options: Filters, common: Common, stop: Stop) -> Iterator[Batch]:
    """A live source is asked to end and hands over the rest; a recording just ends where it is asked to."""
    if not common.replay:
        yield from stream
        return
    for batch in until_duration(iter(stream), options.duration):
        if stop.asked:
            return
        yield batch


def _source(tool: AnyTool, options: Filters, common: Common, sink: Sink, stop: Stop, undo: ExitStack) -> Source:
    if common.replay:
        from ftracepy.pipeline.replay import open_replay

        return undo.enter_context(open_replay(common.replay, tool.wishes(options), stop))
    if not tool.wishes(options):
        return Nothing()
    from ftracepy.live.plan import Scope
    from ftracepy.live.room import wanted_kb
    from ftracepy.pipeline.live import Setting, find, open_live

    where = find(common.tracefs_root, sink.notice)
    setting = Setting(
        header={"tool": tool.name},
        scope=Scope(options.pid, options.tid),
        buffer_kb=common.buffer_kb or wanted_kb(tool.name),
        symbols=None,
        command=common.command,
        only_command=common.only_command,
        duration_s=options.duration,
    )
    return open_live(where, tool.wishes(options), setting, stop, sink.notice, undo)


class _Header:
    """The ways chosen, said once: by which way texts come, and what that way misses."""

    def __init__(self, sink: Sink, tool: str) -> None:
        self._sink = sink
        self._tool = tool

    def show(self, header: dict[str, Any]) -> None:
        for way in header.get("ways", ()):
            misses = f"; misses {way['misses']}" if way.get("misses") else ""
            self._sink.notice(f"{way['what']}: {way['how']} ({way['provenance']}){misses}")
