"""What a probe comes to: each file and what is written into it, as a list or as a POSIX sh script that does it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from ftracepy.probespec import filters
from ftracepy.probespec.probes import Probe
from ftracepy.values import dataclass

_NAME = "ftracepy"


@dataclass(frozen=True, slots=True)
class Asked:
    """A run: its probes, and whose hits are wanted for how long; `user_stacks` follow every event of the instance."""

    probes: Sequence[Probe]
    filter: str = ""
    stacks: bool = False
    pid: int | None = None
    tid: int | None = None
    duration_s: float | None = None
    user_stacks: bool = False


def _file(probe: Probe) -> str:
    """Only a file's path begins with a slash."""
    if probe.place.startswith("/"):
        return "uprobe_events"
    return "dynamic_events" if probe.kind[0] in "ft" else "kprobe_events"


def _filter(probe: Probe, asked: Asked) -> str:
    """Several probes: a filter concerns those that have its fields."""
    if len(asked.probes) > 1 and not filters.concerns(asked.filter, probe.names()):
        return ""
    return filters.in_numbers(asked.filter, probe.fields)


def _stacktrace(filter_: str) -> str:
    """A trigger minds no filter but its own."""
    return f"stacktrace if {filter_}" if filter_ else "stacktrace"


def writes(asked: Asked) -> Iterator[tuple[str, str]]:
    """(file, text) in the order of a run; the group and the instance, here `ftracepy`, have a name of their own in each."""
    for probe in asked.probes:
        yield _file(probe), probe.line(_NAME)
    if asked.user_stacks:
        yield f"instances/{_NAME}/options/userstacktrace", "1"
    for probe in _first_of_each(asked.probes):
        event = f"instances/{_NAME}/events/{_NAME}/{probe.event}"
        if filter_ := _filter(probe, asked):
            yield f"{event}/filter", filter_
        if asked.stacks:
            yield f"{event}/trigger", _stacktrace(filter_)
        yield f"{event}/enable", "1"


def _first_of_each(probes: Sequence[Probe]) -> list[Probe]:
    """One probe for each event: several places may share it."""
    return list({one.event: one for one in probes}.values())


_HEAD = """\
#!/bin/sh
# Made by --script of ftracepy kprobe or uprobe: does what ftracepy would, in a trace instance and a probe group of its own, and
# leaves the kernel as it was. Offsets in it hold for the kernel that it was made for. As root; Ctrl-C ends it.
name=ftracepy_$$
root=/sys/kernel/tracing
[ -d "$root/events" ] || root=/sys/kernel/debug/tracing
[ -d "$root/events" ] || { root=/sys/kernel/tracing; mount -t tracefs nodev "$root"; }
here=$root/instances/$name
reader= timer=

fail() {
    echo "$1" >&2
    [ ! -r "$root/error_log" ] || tail -n 3 "$root/error_log" >&2
    exit 1
}

undo() {
    trap '' INT TERM
    trap - EXIT
    [ -z "$timer" ] || kill "$timer" 2>/dev/null
    [ -z "$reader" ] || { kill "$reader" 2>/dev/null; wait "$reader" 2>/dev/null; }
    [ ! -e "$here/events/$name/enable" ] || echo 0 >"$here/events/$name/enable"
    rmdir "$here" 2>/dev/null"""

_RUN = """\
trap undo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$here" || exit 1
"""


def lines(asked: Asked) -> Iterator[str]:
    """The script. Probes and events of names that are not taken are made, trace_pipe is read, all is removed at the end."""
    yield from _HEAD.split("\n")
    for probe in _first_of_each(asked.probes):
        yield f'    echo "-:$name/{probe.event}" >>"$root/{_file(probe)}" 2>/dev/null'
    yield from ("}", "")
    yield from _RUN.rstrip("\n").split("\n")
    for probe in asked.probes:
        yield from _defined(probe)
    yield from _restricted(asked)
    if asked.user_stacks:
        yield f'echo 1 >"$here/options/userstacktrace" || fail {quote("this kernel writes no user stacks")}'
    for probe in _first_of_each(asked.probes):
        yield from _enabled(probe, asked)
    yield from _read(asked)


def _defined(probe: Probe) -> Iterator[str]:
    """printf, for some shells' echo takes the backslash of an immediate for its own."""
    words = quote(" ".join((probe.place, *probe.words)))
    yield f'printf \'%s\\n\' "{probe.kind}:$name/{probe.event} "{words} >>"$root/{_file(probe)}" ||'
    yield f"    fail {quote(f'the kernel refuses to probe {probe.place}')}"


def _restricted(asked: Asked) -> Iterator[str]:
    if asked.tid is not None:
        yield f'echo {asked.tid} >"$here/set_event_pid" || exit 1'
    elif asked.pid is not None:
        yield 'echo 1 >"$here/options/event-fork"'
        yield f'for task in /proc/{asked.pid}/task/*; do echo "${{task##*/}}" >>"$here/set_event_pid" || exit 1; done'


def _enabled(probe: Probe, asked: Asked) -> Iterator[str]:
    event = f"$here/events/$name/{probe.event}"
    filter_ = _filter(probe, asked)
    if filter_:
        text = quote(filter_)
        yield f"printf '%s\\n' {text} >\"{event}/filter\" || fail {quote(f'cannot filter {probe.event}')}"
    if asked.stacks:
        yield f'printf "%s\\n" {quote(_stacktrace(filter_))} >"{event}/trigger" || fail {quote("this kernel writes no stacks")}'
    yield f'echo 1 >"{event}/enable" || fail {quote(f"cannot enable {probe.event}")}'


def _read(asked: Asked) -> Iterator[str]:
    """In the background, so that a signal ends the wait at once."""
    yield 'cat "$here/trace_pipe" &'
    yield "reader=$!"
    if asked.duration_s is None:
        yield 'wait "$reader"'
    else:
        yield f"sleep {asked.duration_s:g} &"
        yield "timer=$!"
        yield 'wait "$timer"'
