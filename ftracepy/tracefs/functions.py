"""The function tracer's files: current_tracer, the lists of functions and of threads, and which functions can be hooked.

A name written without white space behind it is only looked at when the file is closed, and a refusal then goes nowhere:
so every write ends in a newline, and takes one name, for the kernel takes one at a time.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from ftracepy.tracefs import files, instances
from ftracepy.values import dataclass

ONLY, WITHOUT, ROOTS, NOT_ROOTS = "set_ftrace_filter", "set_ftrace_notrace", "set_graph_function", "set_graph_notrace"
PIDS, NOT_PIDS = "set_ftrace_pid", "set_ftrace_notrace_pid"
NO_TRACER = "nop"
_INVALID = "__ftrace_invalid_address__"  # a function that was there when the kernel was linked and is no more


@dataclass(frozen=True, slots=True, order=True)
class Function:
    """A function that can be hooked; `module` is "" for the kernel's own."""

    name: str
    module: str = ""


def available(root: Path) -> list[Function]:
    """Every function that can be hooked, in the order of their addresses. Raises FtracepyError where none may be read."""
    text = files.read_text(root / "available_filter_functions", "cannot list the functions that can be traced")
    rows = (line.partition(" [") for line in text.splitlines())
    return [Function(name.strip(), rest.rstrip("]")) for name, _, rest in rows if name and not name.startswith(_INVALID)]


def parted(pattern: str) -> tuple[str, str | None]:
    """Function and module of a pattern: `MODULE:GLOB` as we take it, `GLOB:mod:MODULE` as the kernel does; None: any."""
    parts = pattern.split(":")
    if len(parts) == 3 and parts[1] == "mod":
        return parts[0] or "*", parts[2] or "*"
    if len(parts) == 2:
        return parts[1] or "*", parts[0] or "*"
    return pattern, None


def kernel_pattern(pattern: str) -> str:
    """A pattern as set_ftrace_filter and its like take it."""
    name, module = parted(pattern)
    return name if module is None else f"{name}:mod:{module}"


def matching(functions: Iterable[Function], patterns: Iterable[str]) -> list[Function]:
    """Those that any of the patterns names."""
    pairs = [parted(pattern) for pattern in patterns]
    exact = {name for name, module in pairs if module is None and not is_glob(name)}
    globs = [(name, module) for name, module in pairs if module is not None or is_glob(name)]
    return [one for one in functions if one.name in exact or any(_takes(name, module, one) for name, module in globs)]


def is_glob(name: str) -> bool:
    return any(mark in name for mark in "*?[")


def _takes(name: str, module: str | None, one: Function) -> bool:
    return fnmatchcase(one.name, name) and (module is None or fnmatchcase(one.module, module))


def tracer(root: Path) -> str:
    """current_tracer; "" where it may not be read."""
    return (files.try_read(root / "current_tracer") or "").strip()


def set_tracer(root: Path, name: str) -> None:
    files.write(root / "current_tracer", name, f"cannot use the {name} tracer")


def add(root: Path, file: str, patterns: Iterable[str]) -> None:
    """Put functions on a list, each in the kernel's own pattern syntax. Raises FtracepyError (EINVAL: there is none such)."""
    for pattern in patterns:
        files.append(root / file, pattern + "\n", f"cannot trace the function {pattern!r}")


def listed(root: Path, file: str) -> list[str]:
    """The names on a list of functions or threads; [] where it is empty, missing or may not be read."""
    lines = (files.try_read(root / file) or "").splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith(("#", "no pid"))]


def add_pids(root: Path, file: str, tids: Iterable[int]) -> bool:
    """Put threads on a list of threads; False where this kernel has no such list (set_ftrace_notrace_pid: before 5.8)."""
    if not (root / file).exists():
        return False
    for tid in tids:
        files.append(root / file, f"{tid}\n", "cannot choose the threads whose functions are traced")
    return True


def clear(root: Path, file: str) -> None:
    """Empty a list of functions or threads."""
    files.truncate(root / file)


def holders(root: Path, proc: Path = Path("/proc")) -> list[str]:
    """`COMM (PID)` of every other process that has the top-level buffer open for reading."""
    names = {str(root / name) for name in ("trace_pipe", "trace", "snapshot")}
    prefix, found = str(root / "per_cpu") + "/", []
    for pid in (name for name in os.listdir(proc) if name.isdigit() and name != str(os.getpid())):
        try:
            targets = [os.readlink(proc / pid / "fd" / fd) for fd in os.listdir(proc / pid / "fd")]
        except OSError:
            continue
        if any(target in names or target.startswith(prefix) for target in targets):
            found.append(f"{(files.try_read(proc / pid / 'comm') or '?').strip()} ({pid})")
    return found


def tracing(root: Path, tracers: Collection[str]) -> list[str]:
    """Instances ("" = top level) that use one of these tracers."""
    places = {name: root / "instances" / name for name in instances.names(root)} | {"": root}
    return [name for name, path in places.items() if tracer(path) in tracers]
