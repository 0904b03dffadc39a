"""Grants a probe on kernel functions: arguments by name resolved here, so that every kernel takes them; refusals explained."""

from __future__ import annotations

import json
import os
import re
from bisect import bisect_right
from functools import partial
from typing import TYPE_CHECKING, Literal

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.live.instance import Instance
from ftracepy.live.plan import ProbeDef
from ftracepy.live.ways import refusals
from ftracepy.probes import KernelProbe
from ftracepy.probespec import filters
from ftracepy.probespec.pointing import caret, same_token
from ftracepy.probespec.probes import Probe
from ftracepy.probespec.ready import ready
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.tracefs import Tracefs, probes

if TYPE_CHECKING:
    from ftracepy.live.ways.grant import Granting

_TRIED = "vfs_read"
_CONFIG = {"kprobe_events": "CONFIG_KPROBE_EVENTS=y", "dynamic_events": "CONFIG_FPROBE_EVENTS=y, Linux 6.5"}


def grant(granting: Granting, wish: KernelProbe) -> None:
    """Raises UsageFault for what cannot be meant, KernelCannot without kprobes or where types are needed and there are none."""
    if not wish.definition:
        _require(granting.tracefs, "kprobe_events")
        raise UsageFault("which kernel function?", hint="ftracepy kprobe vfs_read; ftracepy kprobe -l 'vfs_*' lists some")
    found = ready(wish.definition, wish.btf, partial(_arguments_at_return, granting))
    concerned = _concerned(found, wish.filter)
    if left := [one.event for one in found if one not in concerned and not one.entry_of and not _entry_of(one, found)]:
        granting.plan.notices.append(f"the filter does not concern {', '.join(left)}: no such fields there")
    for probe in found:
        typed = wish.filter if probe in concerned else ""
        file: Literal["kprobe_events", "dynamic_events"] = "dynamic_events" if probe.kind[0] in "ft" else "kprobe_events"
        _require(granting.tracefs, file)
        filter_ = filters.in_numbers(typed, probe.fields)
        explain = partial(_explained, probe, typed, granting.tracefs)
        stack = wish.stack and not probe.entry_of
        granting.plan.kprobes.append(ProbeDef(probe.kind, probe.event, probe.place, probe.words, file, filter_, stack, explain))
        granting.plan.facts.append(_fact(probe, typed if _entry_of(probe, found) else wish.filter))
        granting.plan.notices += refusals.waits(probe)
    granting.plan.symbols = True


def _entry_of(probe: Probe, found: list[Probe]) -> Probe | None:
    """The probe that tells the arguments to this one."""
    return next((one for one in found if one.entry_of == probe.event), None)


def _concerned(found: list[Probe], filter_: str) -> list[Probe]:
    """Whose hits the kernel can filter: those with all the fields; of two that are one, none that lacks what the other has."""
    concerned = [one for one in found if not one.entry_of and filters.concerns(filter_, one.names())]
    return concerned or [one for one in found if not one.entry_of and not _entry_of(one, found)]


def _arguments_at_return(granting: Granting) -> bool:
    """Whether the kernel keeps a function's arguments until it returns (6.9 and newer): asked by trying, once a boot."""
    key = f"{granting.tracefs.root}/arguments at return"
    return bool(granting.verdicts.get(key, partial(_keeps_arguments, granting.tracefs)))


def _keeps_arguments(tracefs: Tracefs) -> bool:
    probe = ProbeDef("r", "kept", _TRIED, ("first=$arg1:x64",), "kprobe_events")
    with Instance(tracefs, clock="local", buffer_kb=64) as instance:
        try:
            instance.add_probe(probe)
        except FtracepyError:
            return False
        return True


def _require(tracefs: Tracefs, file: Literal["kprobe_events", "dynamic_events"]) -> None:
    if not probes.supported(tracefs.root, file):
        raise KernelCannot(
            "this kernel has no kernel probes", why=f"tracefs has no {file}", hint=f"a kernel with {_CONFIG[file]}"
        )


def _fact(probe: Probe, filter_: str) -> SideFact:
    body = {"event": probe.event, "typed": probe.typed, "place": probe.place, "filter": filter_, "fields": probe.fields}
    return SideFact(Kind.KERNEL_PROBE, os.getpid(), 0, json.dumps(body).encode())


def _explained(probe: Probe, filter_: str, tracefs: Tracefs, error: FtracepyError) -> FtracepyError:
    """The kernel's words, its caret moved to what was typed, and why it may have refused."""
    message, command, pointer = (*error.kernel.split("\n"), "", "", "")[:3]
    if error.what.startswith("cannot filter"):
        at = pointer.find("^") - 2
        typed = caret(message, filter_, same_token(command[2:], filter_, at)) if at >= 0 else error.kernel
        hint = f"its fields: {', '.join([*probe.names(), 'common_pid'])}"
        return UsageFault(f"cannot filter {probe.event} by {filter_!r}", kernel=typed, wrote=error.wrote, hint=hint)
    at = _typed_at(probe, command, pointer.find("^"))
    why, hint = refusals.why(message, error, probe, tracefs)
    return type(error)(
        f"the kernel refuses to probe {probe.place}", kernel=caret(message, probe.typed, at),
        wrote=error.wrote if " to " in error.wrote else f"{probe.line('ftracepy')!r} to {error.wrote}",
        why=why or error.why, hint=hint or error.hint,
    )  # fmt: skip


def _typed_at(probe: Probe, command: str, pointer: int) -> int:
    """Word 0 of the command is ours, word 1 the place, the others are arguments; within a word only if it was typed so."""
    if pointer < 0:
        return probe.starts[0]
    starts = [match.start() for match in re.finditer(r"\S+", command)]
    word = bisect_right(starts, pointer) - 1
    at = probe.starts[min(max(word - 1, 0), len(probe.starts) - 1)]
    written = command[starts[word] :].split(" ", 1)[0]
    return at + (pointer - starts[word] if probe.typed[at:].startswith(written) else 0)
