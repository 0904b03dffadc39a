"""Granting KernelCounts: hist triggers where this kernel has them, hits of kprobes, else the events are recorded.

Texts are never counted in the kernel: its tables are printed as lines of text, and a name can be spelled like one.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.live.aides.counts import Counter, CountsAide, EventCounter, FunctionCounter, none_taken
from ftracepy.live.plan import EVERYBODY, ProbeDef
from ftracepy.probes import KernelCounts, Tracepoint, Way
from ftracepy.schema import Field, FieldKind, parse_event_format
from ftracepy.tracefs import Tracefs, events, probes

if TYPE_CHECKING:
    from ftracepy.live.ways.grant import Granting

PROBE = "count_"  # own probe events where hits of functions are recorded: PROBE + the function's name
_TABLE_ENTRIES = 1 << 16
_CANARY = Tracepoint("task", "task_rename")
_CANARY_HITS = 7


def grant(granting: Granting, wish: KernelCounts) -> None:
    """Raises KernelCannot where neither the event nor any way to hook functions exists here, UsageFault where none is named."""
    if wish.event is None and not wish.functions:
        raise UsageFault("which event is to be counted, by which of its fields?", hint="ftracepy tpoint -l lists them")
    if wish.event is not None:
        _grant_event(granting, wish, wish.event)
    if wish.functions:
        _grant_functions(granting, wish)


def count(granting: Granting, wish: KernelCounts, counter: Counter, way: Way) -> None:
    """Have `counter`'s totals told as those of `wish`."""
    granting.plan.aides.append(CountsAide(wish.name, counter, granting.tracefs, interval_s=wish.interval_s, scope=granting.scope))
    granting.plan.ways.append(way)


def _grant_event(granting: Granting, wish: KernelCounts, event: Tracepoint) -> None:
    if not events.exists(granting.tracefs.root, event.system, event.name):
        raise events.no_such_event(event.system, event.name)
    what = f"counts of {event.system}:{event.name}"
    fields = _fields(granting.tracefs, event, wish.keys)
    texts = [one.name for one in fields if not _is_number(one)]
    why = f"{texts[0]} is no single number" if texts else hist_missing(granting)
    if why is None:
        counter = EventCounter(event, wish.keys, tuple(one.signed for one in fields), _TABLE_ENTRIES)
        way = Way(what, "counted in the kernel by a hist trigger", "kernel-copy", f"keys beyond the first {_TABLE_ENTRIES}")
        count(granting, wish, counter, way)
    else:
        granting.wish(event)
        how = f"every hit recorded and counted here: {why}"
        granting.plan.ways.append(Way(what, how, "kernel-copy", "what is lost on the way"))


def hist_missing(granting: Granting) -> str | None:
    """Why hist triggers cannot be used for this run; None where they can: tried once per boot."""
    why, filters_pids = granting.verdicts.get("hist", lambda: _try_hist(granting.tracefs))
    is_scoped = granting.scope.pid is not None or granting.scope.tid is not None
    return why or ("its hist triggers heed no pid filter" if is_scoped and not filters_pids else None)


def _try_hist(tracefs: Tracefs) -> tuple[str, bool]:
    """Rename a thread a few times, seen from an instance that records nothing, by itself and with another pid's filter."""
    if not (tracefs.root / "events" / _CANARY.system / _CANARY.name / "hist").exists():
        return "this kernel has no hist triggers", False
    try:
        all_, others = _renames(tracefs, None), _renames(tracefs, 1)
    except FtracepyError as error:
        return "; ".join((error.what, error.kernel)), False
    return ("" if all_ == _CANARY_HITS else f"its hist triggers count {all_} of {_CANARY_HITS}"), others == 0


def _renames(tracefs: Tracefs, only: int | None) -> int:
    from ftracepy.live.instance import Instance

    me = threading.get_native_id()
    with Instance(tracefs, clock="local", buffer_kb=4) as instance:
        instance.stop_recording()
        if only is not None:
            instance.only([only], follow_forks=False)
        counter = EventCounter(_CANARY, ("pid",), (True,), 128)
        counter.begin(instance)
        comm = Path(f"/proc/self/task/{me}/comm")
        name = comm.read_bytes().removesuffix(b"\n")  # the kernel would take it for a part of the name
        for _ in range(_CANARY_HITS):
            comm.write_bytes(name)
        return counter.totals()[0].get((me,), 0)


def _fields(tracefs: Tracefs, event: Tracepoint, keys: tuple[str, ...]) -> list[Field]:
    """The fields that `keys` name. Raises UsageFault where the event has no such field."""
    text = events.format_bytes(tracefs.root, event.system, event.name)
    known = parse_event_format(text, event.system)
    found = [known.field(key) for key in keys]
    for key, one in zip(keys, found, strict=True):
        if one is None:
            names = ", ".join(one.name for one in (*known.fields, *known.common))
            raise UsageFault(f"{event.system}:{event.name} has no field '{key}'", why=f"it has {names}")
    return [one for one in found if one is not None]


def _is_number(one: Field) -> bool:
    return one.kind is FieldKind.FIXED and one.count is None and one.size in (1, 2, 4, 8)


def _grant_functions(granting: Granting, wish: KernelCounts) -> None:
    if not probes.supported(granting.tracefs.root, "kprobe_events"):
        raise KernelCannot(
            "cannot count calls of kernel functions",
            why="tracefs has no kprobe_events",
            hint="a kernel with CONFIG_KPROBE_EVENTS=y",
        )
    what, missing = "counts of kernel functions", hist_missing(granting)
    if missing is None or granting.scope == EVERYBODY:
        counter = FunctionCounter(granting.tracefs, wish.functions, by_hist=missing is None)
        how = "hist triggers on kprobes" if missing is None else "hits of kprobes (kprobe_profile)"
        misses = "" if missing is None else "who called: the calls that ftracepy itself makes are counted, too"
        count(granting, wish, counter, Way(what, how, "kernel-copy", misses))
        return
    granting.plan.kprobes.extend(_taken(granting.tracefs, wish.functions))
    how = f"a kprobe on each, every hit recorded and counted here: {missing}"
    granting.plan.ways.append(Way(what, how, "kernel-copy", "what is lost on the way"))


def _taken(tracefs: Tracefs, functions: tuple[str, ...]) -> list[ProbeDef]:
    """A probe on each function that lets itself be probed, as a try shows. Raises KernelCannot where none does."""
    from ftracepy.live.instance import Instance

    taken, refused = [], []
    with Instance(tracefs, clock="local", buffer_kb=4) as instance:
        for one in functions:
            probe = ProbeDef("p", PROBE + re.sub(r"\W", "_", one), one, file="kprobe_events")
            try:
                instance.add_probe(probe)
            except FtracepyError as error:
                refused.append(error)
            else:
                taken.append(probe)
    if not taken:
        raise none_taken(refused)
    return taken
