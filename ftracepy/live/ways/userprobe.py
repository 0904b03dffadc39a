"""Grants a probe on user code: finds the places, checks them, and says in the user's words what the kernel refuses."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.live.aides.hold import Hold
from ftracepy.live.plan import ProbeDef
from ftracepy.probes import UserProbe, Way
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.symbols import definition, spots, usercode
from ftracepy.symbols.definition import Definition
from ftracepy.symbols.userprobes import Probe, Ready, ready
from ftracepy.tracefs import probes

if TYPE_CHECKING:
    from ftracepy.live.ways.grant import Granting

_SHOWN_MOST = 8
_STACKS = Way(
    "user stacks", "frame pointers, at most 8 frames", "user@enter",
    "callers of code built without frame pointers, as most libraries are; names of what a process loaded a moment before",
)  # fmt: skip


def grant(granting: Granting, wish: UserProbe) -> None:
    """Raises UsageFault for what cannot be meant or probed, KernelCannot without uprobes."""
    if not probes.supported(granting.tracefs.root, "uprobe_events"):
        what, hint = "this kernel has no user probes", "a kernel with CONFIG_UPROBE_EVENTS=y"
        raise KernelCannot(what, why="tracefs has no uprobe_events", hint=hint)
    found = ready(wish.definition, wish.filter, pid=granting.scope.pid, stacks=wish.stack, force=wish.force)
    plan = granting.plan
    plan.uprobes += [_defined(found, one) for one in found.probes]
    plan.facts += [_fact(found, event) for event in found.events]
    plan.aides.append(Hold([event.image.path for event in found.events]))
    plan.ways += _ways(found.asked, list(found.events))
    plan.notices += found.notes
    if wish.stack:
        _stacks(granting, found)


def _defined(found: Ready, one: Probe) -> ProbeDef:
    explain = _explainer(found.asked, one)
    return ProbeDef(found.asked.kind, one.event.name, one.place, one.words, filter=found.filter, explain=explain)


def _fact(found: Ready, event: spots.Event) -> SideFact:
    made = found.of(event)
    body = {
        "event": event.name,
        "typed": found.asked.text,
        "filter": found.filter,
        "kind": "u" if found.asked.place.form == "usdt" else found.asked.kind,
        "file": event.target.shown,
        "identity": usercode.identity(event.image.path),
        "spots": [[one.spot.offset, one.spot.label] for one in made],
        "code": [[one.offset, one.size] for one in event.image.elf.code],
        "texts": made[0].texts,
        "arguments": made[0].names,
    }
    return SideFact(Kind.USER_PROBE, 0, 0, json.dumps(body).encode())


def _ways(asked: Definition, found: list[spots.Event]) -> list[Way]:
    how = {"p": "uprobe", "r": "uretprobe"}[asked.kind] if asked.place.form != "usdt" else "uprobe at the USDT probe's nop"
    misses = "calls that were under way when tracing began" if asked.kind == "r" else ""
    if len(found) > _SHOWN_MOST:
        files = ", ".join(dict.fromkeys(one.target.shown for one in found))
        return [Way(f"{len(found)} functions", f"{how}s in {files}", "user@enter", misses)]
    return [Way(one.name, f"{how} at {_where(one)}", "user@enter", misses) for one in found]


def _where(event: spots.Event) -> str:
    """The offset in the file, as the kernel takes it, and the address, as nm and objdump show it."""
    shown = []
    for spot in event.spots[:_SHOWN_MOST]:
        address = f", address {spot.address:#x}" if spot.address not in (None, spot.offset) else ""
        shown.append(f"{spot.label} (file offset {spot.offset:#x}{address})")
    more = len(event.spots) - _SHOWN_MOST
    return f"{event.target.shown}: {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")


def _stacks(granting: Granting, found: Ready) -> None:
    from ftracepy.live.aides.maps import MapsAide

    places = [one.place.partition("(")[0] for one in found.probes]
    granting.plan.settings["options/userstacktrace"] = "1"
    granting.plan.aides.append(MapsAide(granting.tracefs, places, granting.scope))
    granting.plan.ways.append(_STACKS)


_REASONS = {
    "errno 524": "there is an instruction that the kernel cannot put a breakpoint on",
    "EIO": "the file system that the file lies on gives the kernel no page to put a breakpoint into",
}


def _explainer(asked: Definition, probe: Probe) -> Callable[[FtracepyError], FtracepyError]:
    """The kernel's words, its caret moved from the line that we wrote to what was typed."""

    def explain(error: FtracepyError) -> FtracepyError:
        if error.what.startswith("cannot filter"):
            hint = f"its fields: {', '.join(_fields(asked))}" if asked.arguments else error.hint
            return type(error)(error.what, kernel=error.kernel, wrote=error.wrote, why=error.why, hint=hint)
        message, *rest = error.kernel.replace("Unknown error 524", "Operation is not supported").split("\n")
        at = _column(asked, list(probe.columns), rest)
        reason = next((text for name, text in _REASONS.items() if f"({name})" in error.wrote), "")
        kind = UsageFault if rest else type(error)
        return kind(
            f"the kernel refuses the probe {probe.event.name} of {probe.event.target.shown}",
            kernel="\n".join([message, definition.pointed(asked.text, at)]),
            wrote=error.wrote, why=reason or error.why, hint=error.hint,
        )  # fmt: skip

    return explain


def _fields(asked: Definition) -> list[str]:
    """What the filter may name."""
    named = (text.partition("=")[0] if "=" in text else f"arg{at}" for at, (_, text) in enumerate(asked.arguments, 1))
    return [*named, "common_pid"]


def _column(asked: Definition, columns: list[int], lines: list[str]) -> int:
    """The kernel's lines are the command and the caret: word 0 is ours, word 1 the place, the others are arguments."""
    if len(lines) < 2 or "^" not in lines[1]:
        return asked.place.at
    caret = lines[1].index("^")
    starts = [match.start() for match in re.finditer(r"\S+", lines[0])]
    word = bisect_right(starts, caret) - 1
    if word < 2 or not columns:
        return asked.place.target_at if word == 1 and caret == starts[1] else asked.place.at
    column = columns[min(word - 2, len(columns) - 1)]
    typed = next((text for at, text in asked.arguments if at == column), "")
    written = lines[0][starts[word] :].split(" ", 1)[0]
    return column + (caret - starts[word] if written == typed else 0)
