"""A run that somebody looks at while it goes on: the events of a source and, over the same stream, the rows of a tool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ftracepy.analysis.feed import Feed
from ftracepy.pipeline.kernelfilter import KernelFilter
from ftracepy.pipeline.requests import Stop
from ftracepy.pipeline.tapped import Tapped
from ftracepy.stream import Stream
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.live import LiveSource
    from ftracepy.sinks import Sink
    from ftracepy.tools.kit import AnyTool, Filters


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What to look at: a tool with its options, events (as RecordRequest has them), or both; `replay` is a recording's path.

    Of a live run the pages of the last 30 seconds are kept, up to `recall_bytes`, for whoever wants to save them.
    """

    tool: tuple[AnyTool, Filters] | None = None
    events: tuple[str, ...] = ()
    replay: str | None = None
    tracefs_root: str | None = None
    buffer_kb: int | None = None
    command: tuple[str, ...] = ()
    recall_bytes: int = 128 << 20


class Watch:
    """An open source, live or recorded. `run` is for a thread of its own; everything else any thread may call.

    `kernel_filter` is None for a recording, and for tools that make rows of several events.
    """

    def __init__(self, request: WatchRequest, stop: Stop, say: Callable[[str], None], undo: ExitStack) -> None:
        """Open the source; `undo` ends it. Raises FtracepyError for what the kernel or the file makes impossible."""
        self.request, self._stop = request, stop
        self.live: LiveSource | None = None
        source = self._recorded(undo) if request.replay else self._live(say, undo)
        self.tapped = Tapped(source, self.live, keep_bytes=request.recall_bytes)
        self.stream = Stream(self.tapped)
        self.schema = source.schema
        self.kernel_filter = KernelFilter(self.live) if self.live and self.shows_events else None

    @property
    def shows_events(self) -> bool:
        """Whether what is shown are single events, so that one that is not recorded spoils no other."""
        tool = self.request.tool
        return tool is None or any(one.name == "fields" for one in tool[0].row_for(tool[1]).columns())

    def _recorded(self, undo: ExitStack) -> Tapped.Inner:
        from ftracepy.pipeline.replay import open_replay

        tool = self.request.tool
        return undo.enter_context(open_replay(str(self.request.replay), tool[0].wishes(tool[1]) if tool else (), self._stop))

    def _live(self, say: Callable[[str], None], undo: ExitStack) -> Tapped.Inner:
        from ftracepy.live.plan import Scope
        from ftracepy.live.room import wanted_kb
        from ftracepy.pipeline.live import Setting, find, open_live
        from ftracepy.pipeline.wishes import wished
        from ftracepy.probes import Cgroups, Tasks

        request = self.request
        where = find(request.tracefs_root, say)
        tools = (request.tool,) if request.tool else ()
        wishes = [*wished(request.events, tools, where), *(() if tools else (Tasks(), Cgroups()))]
        options = request.tool[1] if request.tool else None
        setting = Setting(
            header={"tool": request.tool[0].name if request.tool else ""},
            scope=Scope(options.pid, options.tid) if options else Scope(),
            buffer_kb=request.buffer_kb or (wanted_kb(request.tool[0].name) if request.tool else None),
            symbols=None,
            command=request.command,
            duration_s=options.duration if options else None,
        )
        self.live = open_live(where, wishes, setting, self._stop, say, undo)
        return self.live

    def leave_out_own(self) -> None:
        """Keep this process's threads out of a live trace: call it again when there are new ones."""
        if self.live:
            self.live.instance.leave_out_own()

    def run(self, seen: Callable[[Batch], object], sink: Sink | None) -> None:
        """Show every batch to `seen`, and give the tool's rows to `sink`, until the source ends or `stop` is asked."""

        def batches() -> Iterator[Batch]:
            for batch in self.stream:
                if self._stop.asked and self.live is None:
                    return
                seen(batch)
                yield batch
                if sink:
                    sink.flush()

        if self.request.tool is None or sink is None:
            for _batch in batches():
                pass
            return
        tool, options = self.request.tool
        feed = Feed(batches(), self.schema, notice=sink.notice, loss=sink.loss)
        for row in tool.run(feed, options):
            sink.row(row)
        sink.close()
