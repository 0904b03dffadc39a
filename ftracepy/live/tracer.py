"""Starting a tracer of the kernel's own in an instance, or at the top level where only that can have it.

Filters come before the tracer, for one that starts without hooks every function of the kernel. The tracer comes before the
buffer is opened for reading, for then the kernel lets nobody change it (EBUSY); until all is ready it is kept to a thread
that there is not. Options of a tracer hold for all instances on most kernels, so they are borrowed like what stands at the
top level alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ftracepy.errors import FtracepyError, KernelCannot
from ftracepy.live.borrowed import in_use, put_back, value
from ftracepy.live.instance import Instance
from ftracepy.live.owner import FIRST_PID_NS, pid_namespace
from ftracepy.live.plan import Tracer
from ftracepy.tracefs import files, functions, options

_FORKS = "function-fork"


def prepare(instance: Instance, tracer: Tracer) -> None:
    """Set everything up; nothing is traced yet. Raises FtracepyError where the kernel or another user refuses."""
    if (tracer.globals_ or tracer.roots) and (others := functions.tracing(instance.tracefs.root, (tracer.name,))):
        raise in_use("current_tracer", f"{tracer.name} ({others[0] or 'top level'})")
    for name, text in tracer.globals_:
        instance.borrowed.idle(name, "0")
        instance.borrowed.setting(name, text)
    _add(instance, tracer, functions.ONLY, tracer.only)
    _add(instance, tracer, functions.WITHOUT, tracer.without)
    root = instance.tracefs.root
    roots = tracer.roots
    instance.borrowed.list(functions.ROOTS, roots, lambda: functions.add(root, functions.ROOTS, roots))
    _add(instance, tracer, functions.PIDS, (_nobody(),))
    # An instance's function tracer of 5.10 heeds its switches only when they are turned while it runs.
    steps = (_turn_all, _run) if tracer.name == "function_graph" else (_run, _turn_all)
    for step in steps:
        step(instance, tracer)


def _nobody() -> str:
    """The last number that a thread may have: the next to get it is far off."""
    return str(int(Path("/proc/sys/kernel/pid_max").read_text()) - 1)


def begin(instance: Instance, tracer: Tracer, tids: Sequence[int], *, follow_forks: bool) -> None:
    """Trace these threads from now on; without any, all but our own."""
    follow = bool(tids) and follow_forks and pid_namespace() == FIRST_PID_NS
    if options.get(instance.path, _FORKS) is (not follow):
        _switch(instance, tracer, _FORKS, follow)
    if tids and pid_namespace() == FIRST_PID_NS:
        functions.add_pids(instance.path, functions.PIDS, tids)
        return
    _leave_out_own(instance, tracer)
    functions.clear(instance.path, functions.PIDS)


def _add(instance: Instance, tracer: Tracer, file: str, patterns: Sequence[str]) -> None:
    def add() -> None:
        functions.add(instance.path, file, patterns)

    if tracer.top_level:
        instance.borrowed.list(file, patterns, add)
    else:
        add()


def _turn_all(instance: Instance, tracer: Tracer) -> None:
    for name, on in tracer.options:
        _switch(instance, tracer, name, on)


def _switch(instance: Instance, tracer: Tracer, name: str, on: bool) -> None:
    """What the option said at the top level is put back there, where an instance's switch turned that too."""
    root, file, text = instance.tracefs.root, f"options/{name}", str(int(on))
    if tracer.top_level:
        instance.borrowed.setting(file, text)
    elif options.get(instance.path, name) is (not on):
        was = value(root, file)
        instance.note_setting(file, was, text)
        instance.undo_by(lambda: was in (text, "") or put_back(root, file, was, text))
        options.set_option(instance.path, name, on)


def _leave_out_own(instance: Instance, tracer: Tracer) -> None:
    """Not our children, though, which function-fork would leave out too."""
    if pid_namespace() == FIRST_PID_NS and (instance.path / functions.NOT_PIDS).exists():
        _add(instance, tracer, functions.NOT_PIDS, sorted(os.listdir("/proc/self/task"), key=int))


def _run(instance: Instance, tracer: Tracer) -> None:
    try:
        if tracer.top_level:
            instance.borrowed.setting("current_tracer", tracer.name)
        else:
            instance.undo_by(lambda: functions.set_tracer(instance.path, functions.NO_TRACER))
            functions.set_tracer(instance.path, tracer.name)
    except FtracepyError as error:
        if "EINVAL" not in error.wrote:
            raise
        why = "this kernel does not offer it there"
        raise KernelCannot(error.what, kernel=error.kernel, wrote=error.wrote, why=why) from None


def try_in_instance(instance: Instance, name: str, function: str) -> None:
    """Use a tracer on one function for a moment. Raises FtracepyError where an instance cannot have it."""
    functions.add(instance.path, functions.ONLY, [function])
    try:
        functions.set_tracer(instance.path, name)
    finally:
        files.write(instance.path / "current_tracer", functions.NO_TRACER)
