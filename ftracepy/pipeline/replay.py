"""Which instance of a recording a tool replays: the one that holds what it watches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from ftracepy import recording
from ftracepy.probes import (
    Blocks,
    Cgroups,
    Execs,
    Functions,
    KernelCounts,
    KernelProbe,
    LossProbes,
    PageCache,
    Syscalls,
    Tasks,
    Tracepoint,
    Tracepoints,
    UserProbe,
)
from ftracepy.stream import Stream

if TYPE_CHECKING:
    from ftracepy.pipeline.requests import Stop
    from ftracepy.probes import Wish
    from ftracepy.recording import Recording
    from ftracepy.schema import EventFormat

_OF_FUNCTIONS = ("function", "funcgraph_entry", "funcgraph_exit", "raw_data")
_LOOK_BATCHES = 64  # a few MB of each instance: enough to see what it is about


def open_replay(path: str, wishes: Sequence[Wish], stop: Stop) -> Recording:
    """The recording at `path`: of several instances the one that begins with the most events of these wishes.

    The top-level buffer is taken where none holds any. Raises RecordingFault where it cannot be read.
    """
    found = recording.open(path, stopped=lambda: stop.asked)
    filled = [buffer.name for buffer in found.buffers if not buffer.is_empty]
    if len(filled) < 2:
        return found
    matches = {name: _matches(found.of_instance(name), wishes) for name in filled}
    best = max(matches, key=lambda name: matches[name])
    chosen = found.of_instance(best) if matches[best] and best != found.instance else found.again()
    others = " and ".join(_called(name) for name in filled if name != chosen.instance)
    chosen.notice(f"replayed is {_called(chosen.instance)}; this recording also holds {others}")
    return chosen


def _called(name: str) -> str:
    return f"the instance '{name}'" if name else "the top-level buffer"


def _matches(one: Recording, wishes: Sequence[Wish]) -> int:
    """How many of the first events are wished for."""
    seen = Counter[int]()
    for batch in islice(Stream(one), _LOOK_BATCHES):
        seen.update(batch.id.tolist())
    formats = one.schema.formats
    return sum(
        count for ident, count in seen.items() if ident in formats and any(_wants(wish, formats[ident]) for wish in wishes)
    )


def _wants(wish: Wish, event: EventFormat) -> bool:
    match wish:
        case Tracepoint():
            return (event.system, event.name) == (wish.system, wish.name)
        case Tracepoints():
            return wish.takes(event.system, event.name)
        case KernelProbe() | UserProbe():
            return event.system.startswith("ftracepy_")
        case Blocks():
            return event.system == "block"
        case PageCache():
            return event.system == "filemap"
        case Syscalls():
            name = event.name.removeprefix("sys_enter_").removeprefix("sys_exit_")
            return event.system == "raw_syscalls" or (event.system == "syscalls" and (not wish.names or name in wish.names))
        case Execs():
            return event.name == "sched_process_exec" or event.name.startswith("sys_enter_execve")
        case KernelCounts(event=one):
            is_recorded = one is not None and (event.system, event.name) == (one.system, one.name)
            return is_recorded or (event.system, event.name) == ("ftrace", "raw_data")
        case Functions():
            own = event.system.startswith("ftracepy_") and event.name in ("call", "call_end")
            return own or (event.system == "ftrace" and event.name in _OF_FUNCTIONS)
        case Cgroups():
            return event.system == "cgroup"
        case LossProbes():
            return event.system == "tcp"
        case Tasks():
            return event.name in ("task_newtask", "sched_process_fork")
