"""Record: the same live source, its raw pages written to a trace.dat and never decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ftracepy.errors import DataLost, ExitCode, UsageFault
from ftracepy.probes import Tracepoint, Wish
from ftracepy.recording import Writer

if TYPE_CHECKING:
    from ftracepy.live.source import LiveSource
    from ftracepy.pipeline.requests import RecordRequest, Stop
    from ftracepy.tracefs import Tracefs

_PROGRESS_S = 0.5


def record(request: RecordRequest, stop: Stop, say: Callable[[str], None]) -> ExitCode:
    """Record until `stop` is asked, the command ends or the duration is over; the file is whole in each case.

    Raises FtracepyError where the kernel or the disk refuses (what was recorded until then is kept),
    DataLost where `request.strict` forbids losses.
    """
    if not request.events and not request.tools:
        raise UsageFault("nothing to record", hint="-e SYSTEM:EVENT (see ftracepy list events) or --tool TOOL")
    with ExitStack() as undo:
        source = undo.enter_context(_open(request, stop, say, undo))
        stop.on_ask(source.stop)
        writer = undo.enter_context(Writer(request.output, source.texts(), source.cpus, compression=request.compression))
        progress = _Progress(say if request.progress else None, source)
        for round_ in source.rounds():
            for pages in round_.pages:
                writer.write(pages)
            progress.tell(writer.size_bytes)
        writer.finish(source.health().stats)
    return _end(request, source, writer, say)
