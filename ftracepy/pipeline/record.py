"""Record: the same live source, its raw pages written to a trace.dat and never decoded."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ftracepy.errors import DataLost, ExitCode
from ftracepy.live.plan import Scope
from ftracepy.pipeline.live import Setting, find, open_live
from ftracepy.pipeline.wishes import wished
from ftracepy.recording import Writer
from ftracepy.recording.outputs import STDOUT

if TYPE_CHECKING:
    from ftracepy.live import LiveSource
    from ftracepy.pipeline.requests import RecordRequest, Stop

_PROGRESS_S = 0.5
_PROMISE_S = 0.05  # a follower looks less often, and a round of a flood comes each millisecond


def record(request: RecordRequest, stop: Stop, say: Callable[[str], None]) -> ExitCode:
    """Record until `stop` is asked, the command ends or the duration is over; the file is whole in each case.

    Raises FtracepyError where the kernel or the disk refuses (what was recorded until then is kept),
    DataLost where `request.strict` forbids losses.
    """
    with ExitStack() as undo:
        where = find(request.tracefs_root, say)
        wishes = list(wished(request.events, request.tools, where))
        source = open_live(where, wishes, _setting(request), stop, say, undo)
        writer = Writer(request.output, source.texts(), source.cpus, compression=request.compression)
        undo.enter_context(writer)
        progress = _Progress(source, writer, say if request.progress else None)
        promised_s = 0.0
        for round_ in source.rounds():
            writer.write_round(round_.pages)
            if not round_.last and time.monotonic() >= promised_s + _PROMISE_S:
                promised_s = time.monotonic()
                writer.promise(round_.until_ns)
            progress.tell()
        writer.finish(source.health().stats, source.texts(fresh=True))
    return _end(request, source, writer, say)


def _setting(request: RecordRequest) -> Setting:
    names = [tool.name for tool, _options in request.tools]
    return Setting(
        header={"tool": names[0] if len(names) == 1 else "", "tools": names},
        scope=Scope(pid=request.pid),
        clock=request.clock,
        buffer_kb=request.buffer_kb,
        symbols=None,
        command=request.command,
        only_command=request.only_command,
        command_to_stderr=request.output == STDOUT,
        duration_s=request.duration_s,
        facts=bool(request.tools),
    )


class _Progress:
    """Events, MB and losses so far, twice a second, on one line of a terminal."""

    def __init__(self, source: LiveSource, writer: Writer, say: Callable[[str], None] | None) -> None:
        self._source, self._writer, self._say = source, writer, say
        self._next = time.monotonic() + _PROGRESS_S

    def tell(self) -> None:
        if self._say and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_S
            self._say(f"\r{_summary(self._source, self._writer)}")


def _summary(source: LiveSource, writer: Writer) -> str:
    stats = source.health().stats
    events = sum(one.read for one in stats)
    lost = ", ".join(f"{one.lost} lost on CPU {one.cpu}" for one in stats if one.lost) or "0 lost"
    return f"{events} events, {writer.size_bytes / 1e6:.1f} MB, {lost}"


def _end(request: RecordRequest, source: LiveSource, writer: Writer, say: Callable[[str], None]) -> ExitCode:
    lost = source.health().lost
    say(f"{writer.path}: {_summary(source, writer)}")
    if lost and request.strict:
        raise DataLost(f"{lost} events were lost", hint="a larger buffer (-b KB), fewer events, or a filter")
    return ExitCode.DONE
