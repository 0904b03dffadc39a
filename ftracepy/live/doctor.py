"""What this kernel and this user can do, found by trying, and what a tool would use here.

Leaves the kernel as found: everything is tried in a private instance and a probe group that are removed again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.live import config
from ftracepy.probes import Way, Wish
from ftracepy.tracefs import Tracefs, clock, events, files, options, permission
from ftracepy.values import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `ok` None: a fact, neither good nor bad; `change` names the setting that would change it."""

    name: str
    ok: bool | None
    detail: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class ToolReport:
    """What one tool would use here, or (`reason`) why it cannot run."""

    tool: str
    ways: tuple[Way, ...] = ()
    reason: str = ""
    hint: str = ""


def examine(root: str | None = None, *, proc: Path = Path("/proc")) -> Iterator[Finding]:
    """Findings in the order in which they matter, as they are found; ends early where there is no tracefs to look at."""
    from ftracepy import tracefs as tracefs_package

    yield from surroundings(proc)
    try:
        found = tracefs_package.find(root)
    except FtracepyError as error:
        yield Finding("tracefs", False, _sentence(error), error.hint)
        return
    yield Finding("tracefs", True, str(found.root))
    yield from _top_level(found)
    yield from _tried(found)


def tool(name: str, wishes: Sequence[Wish], tracefs: Tracefs) -> ToolReport:
    """The ways that `name` would use now."""
    from ftracepy.live.plan import plan

    try:
        made = plan(wishes, tracefs)
    except UsageFault:  # it can, once it is told what to watch
        return ToolReport(name)
    except FtracepyError as error:
        return ToolReport(name, (), _sentence(error), error.hint)
    return ToolReport(name, tuple(made.ways))


def _sentence(error: FtracepyError) -> str:
    return "; ".join(part for part in (error.what, error.why, error.kernel.partition("\n")[0]) if part)


def surroundings(proc: Path = Path("/proc")) -> Iterator[Finding]:
    """Kernel, user, container, lockdown and decoder: what needs no tracefs."""
    from ftracepy._fastparse import IMPLEMENTATION

    name = os.uname()
    yield Finding("kernel", None, f"{name.sysname} {name.release} {name.machine}")
    yield _user(proc)
    yield _namespaces(proc)
    yield _lockdown()
    compiled = IMPLEMENTATION == "c"
    detail = "compiled C" if compiled else "the Python twin: right, but slow; events may be lost at high rates"
    yield Finding("decoder", compiled, detail, "" if compiled else "install a C compiler and Python headers, then reinstall")


def _user(proc: Path) -> Finding:
    if os.geteuid() != 0:
        return Finding("user", False, f"uid {os.geteuid()}, not root", "sudo")
    if permission.in_user_namespace(proc):
        return Finding("user", False, "root of a user namespace only (a rootless container)", "run on the host as root")
    if not permission.has_capability(permission.CAP_SYS_ADMIN, proc):
        return Finding("user", False, "root without CAP_SYS_ADMIN", "--cap-add SYS_ADMIN, or run on the host")
    return Finding("user", True, "root with CAP_SYS_ADMIN")


def _namespaces(proc: Path) -> Finding:
    from ftracepy.live.owner import FIRST_PID_NS, pid_namespace

    if pid_namespace() == FIRST_PID_NS:
        return Finding("container", True, "none: this is the first pid namespace")
    detail = "in a pid namespace: pids in events are the host's, and names from /proc do not match them"
    return Finding("container", False, detail, "run on the host, or in a container that shares its pid namespace (--pid=host)")


def _lockdown() -> Finding:
    text = files.try_read(Path("/sys/kernel/security/lockdown"))
    if text is None:
        return Finding("lockdown", True, "not in force (or securityfs is not mounted)")
    level = text.partition("[")[2].partition("]")[0]
    denied = level == "confidentiality"
    return Finding("lockdown", not denied, f"level {level}", "boot with lockdown=integrity, or Secure Boot off" if denied else "")


def _top_level(tracefs: Tracefs) -> Iterator[Finding]:
    """Settings that others made; ours are in an instance, which they do not reach."""
    on = options.is_tracing(tracefs.root)
    detail = {True: "1", False: "0, set by somebody else; no matter to ftracepy's own instances", None: "cannot be read"}[on]
    yield Finding("tracing_on", None, detail, "echo 1 > tracing_on, for other tools" if on is False else "")
    tracer = (files.try_read(tracefs.root / "current_tracer") or "?").strip()
    yield Finding("current tracer", None, tracer if tracer == "nop" else f"{tracer}, used by somebody else")
    yield _all_events(tracefs)
    known = clock.available(tracefs.root)
    chosen = next((name for name in clock.IN_ORDER if name in known), "")
    yield Finding("clocks", "mono" in known, " ".join(sorted(known)), "" if chosen == "mono" else "Linux 4.2 or newer for mono")


def _all_events(tracefs: Tracefs) -> Finding:
    """Most of them are system calls; without those the snoopers have nothing to watch."""
    try:
        known = events.names(tracefs.root)
    except FtracepyError as error:
        return Finding("events", False, _sentence(error), error.hint)
    calls = sum(system == "syscalls" and name.startswith("sys_enter_") for system, name in known)
    change = "" if calls else config.read().change("CONFIG_FTRACE_SYSCALLS")
    return Finding("events", bool(calls), f"{len(known)}, among them the entries of {calls} system calls", change)


def _tried(tracefs: Tracefs) -> Iterator[Finding]:
    from ftracepy.live import trying

    for one in trying.everything(tracefs):
        yield Finding(one.name, one.ok, one.detail, one.change)
