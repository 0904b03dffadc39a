"""reset --everything: put a whole tracefs back to how it is after boot, whoever set what; each setting shown before and after."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ftracepy.errors import FtracepyError
from ftracepy.live.owner import is_alive, owner_of, start_ticks
from ftracepy.tracefs import Tracefs, files, instances, probes
from ftracepy.values import dataclass

_DEBUGFS = Path("/sys/kernel/debug/tracing")
LOCK = Path("/var/tmp/.ftrace-lock")  # perf-tools' scripts leave their pid here
# Kernel: trace.h, TRACE_DEFAULT_FLAGS, and the defaults of trace_functions.c and trace_functions_graph.c.
_ON = frozenset(
    {
        "annotate", "context-info", "copy_trace_marker", "funcgraph-cpu", "funcgraph-duration", "funcgraph-irqs",
        "funcgraph-overhead", "function-trace", "graph-time", "hash-ptr", "irq-info", "markers", "overwrite",
        "print-parent", "record-cmd", "sleep-time", "trace_printk", "trace_printk_dest",
    }
)  # fmt: skip
_OFF = frozenset(
    {
        "bin", "block", "disable_on_free", "display-graph", "event-fork", "fields", "func-no-repeats",
        "func_stack_trace", "funcgraph-abstime", "funcgraph-args", "funcgraph-overrun", "funcgraph-proc", "funcgraph-retaddr",
        "funcgraph-retval", "funcgraph-retval-hex", "funcgraph-tail", "function-fork", "hex", "latency-format",
        "pause-on-trace", "printk-msg-only", "raw", "record-tgid", "stacktrace", "sym-addr", "sym-offset", "sym-userobj",
        "userstacktrace", "verbose",
    }
)  # fmt: skip
# In this order: what records first, then what it was restricted to. The kernel takes "0" for none where a number is wanted.
_TEXTS = (("current_tracer", "nop"), ("events/enable", "0"), ("tracing_thresh", "0"), ("tracing_max_latency", "0"),
          ("trace_clock", "local"), ("buffer_percent", "50"), ("tracing_on", "1"))  # fmt: skip
_LISTS = ("set_ftrace_filter", "set_ftrace_notrace", "set_graph_function", "set_graph_notrace", "set_ftrace_pid",
          "set_ftrace_notrace_pid", "set_event_pid", "set_event_notrace_pid")  # fmt: skip
_BOOT_KB = ("1408", "1410")  # kernel: trace.c, TRACE_BUF_SIZE_DEFAULT; newer ones count whole sub-buffers
_TIMES = re.compile(r":(?:unlimited|count=\d+)$")  # a command that counts is taken back with the count 0
_NO_SETTING = ("", "none", "no pid")


@dataclass(frozen=True, slots=True)
class Change:
    """One setting: its file below the tracefs root, what it was and is (or would be); `fault` says why it would not change."""

    file: str
    before: str
    after: str
    fault: FtracepyError | None = None


def busy(tracefs: Tracefs, lock: Path = LOCK) -> list[str]:
    """Who is visibly tracing now: processes with files of tracefs open, living runs of ftracepy, a living lock of perf-tools."""
    found = {who for root in _names_of(tracefs.root) for who in instances.holding(root)}
    for name in instances.names(tracefs.root):
        if (owner := owner_of(name)) is not None and is_alive(owner):
            found.add(f"ftracepy ({owner.pid})")
    pid = (files.try_read(lock) or "").strip()
    if pid.isdigit() and start_ticks(int(pid)) is not None:
        found.add(f"perf-tools ({pid})")
    return sorted(found)


def _names_of(root: Path) -> Iterator[Path]:
    """The folder, and debugfs's name for it where that is the same: perf-tools' scripts open files by that one."""
    yield root
    with suppress(OSError):
        if _DEBUGFS.stat().st_dev == root.stat().st_dev:
            yield _DEBUGFS


def everything(tracefs: Tracefs, *, others: bool = False, dry_run: bool = False, lock: Path = LOCK) -> Iterator[Change]:
    """Put back each setting that is not as after boot, and tell of it; a refusal is told and the rest still done.

    `others` removes the instances there are as well, which are somebody's private buffers. `dry_run` only tells.
    """
    for step in _steps(tracefs, others, lock):
        fault = None if dry_run else _tried(step.do)
        after = step.wanted if dry_run or step.read is None else step.read()
        yield Change(step.file, step.before, after, fault)


@dataclass(frozen=True, slots=True)
class _Step:
    file: str
    before: str
    wanted: str
    do: Callable[[], object]
    read: Callable[[], str] | None = None


def _tried(do: Callable[[], object]) -> FtracepyError | None:
    try:
        do()
    except FtracepyError as error:
        return error
    return None


def _steps(tracefs: Tracefs, others: bool, lock: Path) -> Iterator[_Step]:
    root = tracefs.root
    if lock.exists():
        yield _Step(str(lock), (files.try_read(lock) or "").strip(), "", lambda: lock.unlink(missing_ok=True))
    for name in instances.names(root) if others else ():
        yield _Step(f"instances/{name}", "there", "", lambda name=name: instances.remove(root, name))  # type: ignore[misc]
    yield from _texts(root, _TEXTS[:2])
    yield from _triggers_and_filters(root)
    yield from _definitions(root)
    yield from _lists(root)
    yield from _texts(root, [(f"options/{name}", "1") for name in sorted(_ON)])
    yield from _texts(root, [(f"options/{name}", "0") for name in sorted(_OFF)])
    yield from _texts(root, _TEXTS[2:])
    yield from _size(root)


def _texts(root: Path, wanted: Iterable[tuple[str, str]]) -> Iterator[_Step]:
    for name, text in wanted:
        path = root / name
        if (now := _value(path)) is not None and now != text:
            yield _Step(name, now, text, _writer(path, text), _reader(path))


def _value(path: Path) -> str | None:
    """What a setting is now: of a clock the chosen one; None where there is none here."""
    text = files.try_read(path)
    if text is None:
        return None
    chosen = [word[1:-1] for word in text.split() if word.startswith("[") and word.endswith("]")]
    return chosen[0] if chosen else text.strip()


def _writer(path: Path, text: str) -> Callable[[], None]:
    return lambda: files.write(path, text)


def _reader(path: Path) -> Callable[[], str]:
    return lambda: _value(path) or ""


def _triggers_and_filters(root: Path) -> Iterator[_Step]:
    """A trigger that uses another's variables ($) goes before it."""
    folders = list(_event_folders(root))
    found = [(folder / "trigger", line) for folder in folders for line in _lines(folder / "trigger")]
    for path, line in sorted(found, key=lambda one: "$" not in one[1]):
        yield _Step(files.shown(path), line, "", _writer(path, "!" + line.replace(" [active]", "")))
    for path in (folder / "filter" for folder in folders):
        if (text := files.try_read(path)) and text.strip() != "none":
            yield _Step(files.shown(path), text.strip(), "none", _writer(path, "0"), _reader(path))


def _event_folders(root: Path) -> Iterator[Path]:
    for system in (one.path for one in os.scandir(root / "events") if one.is_dir()):
        yield from (Path(event.path) for event in os.scandir(system) if event.is_dir())


def _lines(path: Path) -> list[str]:
    text = files.try_read(path) or ""
    return [line for line in text.splitlines() if line and not line.startswith("#") and line not in _NO_SETTING]


def _definitions(root: Path) -> Iterator[_Step]:
    """Probes and synthetic events, whoever's; one that an instance still uses will not go, and says so."""
    seen: set[tuple[str, str]] = set()
    for file in probes.FILES:
        for probe in probes.listed(root, file):
            if (probe.group, probe.name) not in seen:
                seen.add((probe.group, probe.name))
                line = f"{probe.kind}:{probe.group}/{probe.name} {probe.rest}"
                yield _Step(file, line, "", lambda probe=probe, file=file: probes.remove(root, file, probe.group, probe.name))  # type: ignore[misc]
    path = root / "synthetic_events"
    for line in _lines(path):
        yield _Step(path.name, line, "", lambda line=line: files.append(path, "!" + line))  # type: ignore[misc]


def _lists(root: Path) -> Iterator[_Step]:
    """Lists of functions and pids. A command on a function (`name:traceoff:unlimited`) has to be named to be taken back."""
    for name in _LISTS:
        path = root / name
        lines = _lines(path)
        for line in (one for one in lines if ":" in one):
            yield _Step(name, line, "", _writer(path, "!" + _TIMES.sub(":0" if ":count=" in line else "", line)))
        if plain := [line for line in lines if ":" not in line]:
            yield _Step(name, _short(plain), "", lambda path=path: files.truncate(path), lambda path=path: _short(_lines(path)))  # type: ignore[misc]


def _short(lines: list[str]) -> str:
    more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
    return " ".join(lines[:5]) + more


def _size(root: Path) -> Iterator[_Step]:
    """A buffer never used shows the size it would have in brackets; "X": the CPUs' sizes differ."""
    path = root / "buffer_size_kb"
    if (now := _value(path)) is not None and "expanded" not in now and now not in _BOOT_KB:
        yield _Step(path.name, now, _BOOT_KB[0], _writer(path, _BOOT_KB[0]), _reader(path))
