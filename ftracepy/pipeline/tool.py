"""Run one tool, over the live kernel or over a recording, into one sink."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ftracepy.analysis.feed import Feed
from ftracepy.errors import ExitCode
from ftracepy.pipeline.endings import Ending, until_duration
from ftracepy.stream import Stream

if TYPE_CHECKING:
    from ftracepy.pipeline.requests import Common, Stop
    from ftracepy.sinks import Sink
    from ftracepy.source import Source
    from ftracepy.tools.kit import AnyTool, Filters


def run_tool(tool: AnyTool, options: Filters, common: Common, sink: Sink, stop: Stop) -> ExitCode:
    """Show a tool's rows until the source ends, `stop` is asked, or --duration or --limit is reached.

    Raises FtracepyError for what the kernel, the recording or the options make impossible, DataLost
    at the end where `common.strict` forbids losses.
    """
    with ExitStack() as undo:
        source = undo.enter_context(_source(tool, options, common, sink, stop, undo))
        stop.on_ask(source.stop)
        stream = Stream(source, on_idle=sink.flush)
        batches = until_duration(stream, options.duration) if common.replay else iter(stream)
        header = _Header(sink, tool.name, bool(common.replay))
        feed = Feed(batches, stream.schema, notice=sink.notice, loss=sink.loss, header=header.show)
        for count, row in enumerate(tool.run(feed, options), 1):
            sink.row(row)
            if count == options.limit:
                break
        source.stop()
        sink.flush()
    return Ending(stream, sink, strict=common.strict).tell()


def _source(tool: AnyTool, options: Filters, common: Common, sink: Sink, stop: Stop, undo: ExitStack) -> Source:
    if common.replay:
        from ftracepy import recording

        return recording.open(common.replay)
    from ftracepy.pipeline.live import open_tool

    return open_tool(tool, options, common, sink.notice, stop, undo)


class _Header:
    """The ways chosen, said once: by which way texts come, and what that way misses."""

    def __init__(self, sink: Sink, tool: str, replay: bool) -> None:
        self._sink = sink
        self._tool = tool
        self._replay = replay

    def show(self, header: dict[str, Any]) -> None:
        if self._replay and header.get("tool") not in {None, self._tool, ""}:
            return
        for way in header.get("ways", ()):
            misses = f"; misses {way['misses']}" if way.get("misses") else ""
            self._sink.notice(f"{way['what']}: {way['how']} ({way['provenance']}){misses}")
