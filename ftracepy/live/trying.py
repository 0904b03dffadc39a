"""Trying each feature of this kernel once, in an instance of our own: what it lists and what it takes are not the same."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from ftracepy.errors import FtracepyError, KernelCannot
from ftracepy.live import config
from ftracepy.live.instance import Instance
from ftracepy.live.plan import EVERYBODY, ProbeDef
from ftracepy.live.undo import UndoStack
from ftracepy.live.ways import argv_kernel, argv_loader, libraries, path_eprobe, path_fanotify, path_field, path_kprobe, sites
from ftracepy.live.ways.candidate import Candidate
from ftracepy.live.ways.trials import Offer, Trials
from ftracepy.live.ways.verdicts import Verdicts
from ftracepy.probes import Tracepoint
from ftracepy.symbols import btf, elf
from ftracepy.tracefs import Tracefs, events, files, probes
from ftracepy.values import dataclass

_FUNCTIONS = ("do_sys_openat2", "vfs_read", "vfs_open")
_EVENT = Tracepoint("sched", "sched_process_exec")


@dataclass(frozen=True, slots=True)
class Tried:
    """`ok` and what was seen; `change` is what would make it work."""

    name: str
    ok: bool | None
    detail: str
    change: str = ""


def everything(tracefs: Tracefs) -> Iterator[Tried]:
    """Instances first; without them nothing else can be tried without touching what belongs to others."""
    built = config.read()
    with UndoStack() as stack:
        try:
            instance = stack.enter_context(Instance(tracefs, clock="local", buffer_kb=64))
        except FtracepyError as error:
            yield Tried("instances", False, _said(error), error.hint)
            return
        yield Tried("instances", True, "private buffers can be made and removed")
        yield _side_facts(instance)
        for name, attempt, change in _attempts(instance, built):
            yield _tried(name, attempt, change)
        yield from _buffers(instance)
    yield from _symbols(built)
    yield from _texts(tracefs)


Attempt = tuple[str, Callable[[], str], str]


def _attempts(instance: Instance, built: config.Config) -> Iterator[Attempt]:
    kprobes, uprobes = built.change("CONFIG_KPROBES", "CONFIG_KPROBE_EVENTS"), built.change("CONFIG_UPROBE_EVENTS")
    fprobes, eprobes = built.change("CONFIG_FPROBE", "CONFIG_FPROBE_EVENTS"), built.change("CONFIG_EPROBE_EVENTS")
    yield "kprobes", lambda: _kernel_probe(instance, "p", "kprobe_events"), kprobes
    yield "kretprobes", lambda: _kernel_probe(instance, "r", "kprobe_events"), kprobes
    yield "fprobes", lambda: _kernel_probe(instance, "f", "dynamic_events"), fprobes or "Linux 6.5 or newer"
    yield "tracepoint probes", lambda: _probe(instance, ProbeDef("t", "x_t", _EVENT.name, (), "dynamic_events")), fprobes
    yield "event probes", lambda: _event_probe(instance), eprobes or "Linux 5.15 or newer"
    yield "uprobes", lambda: _user_probe(instance, "p"), uprobes
    yield "uretprobes", lambda: _user_probe(instance, "r"), uprobes
    yield "synthetic events", lambda: _synthetic(instance), built.change("CONFIG_SYNTH_EVENTS")
    yield "hist triggers", lambda: _trigger(instance, "hist:keys=common_pid"), built.change("CONFIG_HIST_TRIGGERS")
    yield "stack traces", lambda: _trigger(instance, "stacktrace"), built.change("CONFIG_STACKTRACE")
    yield "event filters", lambda: _filter(instance, Tracepoint(_EVENT.system, _EVENT.name, "common_pid == 1")), ""
    yield "string filters", lambda: _filter(instance, Tracepoint("syscalls", "sys_enter_openat", 'filename.ustring == "x"')), ""
    yield "pid filter", lambda: _pid_filter(instance), ""
    for tracer in ("function", "function_graph"):
        change = built.change(f"CONFIG_{tracer.upper()}_TRACER") or "another kernel: this one refuses its use"
        yield f"{tracer} tracer", partial(_tracer, instance, tracer), change


def _tried(name: str, attempt: Callable[[], str], change: str) -> Tried:
    try:
        return Tried(name, True, attempt())
    except FtracepyError as error:
        return Tried(name, False, _said(error), change or error.hint)


def _said(error: FtracepyError) -> str:
    return "; ".join(part for part in (error.why, error.kernel.partition("\n")[0], error.wrote) if part) or error.what


def _side_facts(instance: Instance) -> Tried:
    if instance.can_mark:
        return Tried("side facts", True, "trace_marker_raw takes them")
    return Tried("side facts", False, "; ".join(instance.notices), "Linux 4.10 or newer")


def _probe(instance: Instance, probe: ProbeDef) -> str:
    instance.add_probe(probe)
    events.set_enabled(instance.path, instance.group, probe.event, True)
    events.set_enabled(instance.path, instance.group, probe.event, False)
    return f"enabled on {probe.place}"


def _kernel_probe(instance: Instance, kind: str, file: Literal["kprobe_events", "dynamic_events"]) -> str:
    """One of several functions, for any one may be inlined or forbidden."""
    if not probes.supported(instance.tracefs.root, file):
        raise KernelCannot("", why=f"tracefs has no {file}")
    for function in _FUNCTIONS:
        try:
            return _probe(instance, ProbeDef(kind, f"x_{kind}_{function}", function, (), file))
        except FtracepyError as error:
            last = error
    raise last


def _event_probe(instance: Instance) -> str:
    return _probe(instance, ProbeDef("e", "x_e", f"{_EVENT.system}.{_EVENT.name}", ("t=$pid:s32",), "dynamic_events"))


def _user_probe(instance: Instance, kind: str) -> str:
    """A place where a function starts: the loader's first instruction."""
    for library in libraries.found():
        try:
            code = elf.read(library.path)
            place = f"{library.path}:{code.file_offset(code.entry):#x}"
        except elf.ElfFault:
            continue
        return _probe(instance, ProbeDef(kind, f"x_u{kind}", place))
    raise KernelCannot("", why="no library was found to try it on")


def _synthetic(instance: Instance) -> str:
    path = instance.tracefs.root / "synthetic_events"
    if not path.exists():
        raise KernelCannot("", why="tracefs has no synthetic_events")
    name = f"{instance.group}_s"
    files.append(path, f"{name} int value")
    files.append(path, f"!{name} int value")
    return "can be made and removed"


def _trigger(instance: Instance, text: str) -> str:
    path = instance.path / "events" / _EVENT.system / _EVENT.name / "trigger"
    if not path.exists():
        raise KernelCannot("", why="events have no trigger file")
    files.write(path, text)
    files.write(path, "!" + text)
    return "set and removed"


def _filter(instance: Instance, event: Tracepoint) -> str:
    instance.set_filter(event)
    instance.set_filter(Tracepoint(event.system, event.name))
    return event.filter


def _pid_filter(instance: Instance) -> str:
    instance.only([threading.get_native_id()])
    return "set_event_pid, new children followed"


def _tracer(instance: Instance, name: str) -> str:
    """With one function only: an empty filter would patch every function of the kernel."""
    listed = (
        files.try_read(instance.path / "available_tracers") or files.try_read(instance.tracefs.root / "available_tracers")
    ) or ""
    if name not in listed.split():
        raise KernelCannot("", why="not among available_tracers")
    kept = files.try_read(instance.path / "set_ftrace_filter")
    files.write(instance.path / "set_ftrace_filter", _FUNCTIONS[1])
    files.write(instance.path / "current_tracer", name)
    files.write(instance.path / "current_tracer", "nop")
    return "works in a private instance" if kept is not None else "works, but its filter cannot be read"


def _buffers(instance: Instance) -> Iterator[Tried]:
    has_order = (instance.path / "buffer_subbuf_size_kb").exists()
    yield Tried(
        "sub-buffer size", has_order, "can be set" if has_order else "one page", "" if has_order else "Linux 6.8 or newer"
    )
    works = _can_map(instance.path / "per_cpu" / "cpu0" / "trace_pipe_raw")
    yield Tried(
        "mapped buffers", works, "mmap of trace_pipe_raw" if works else "not offered", "" if works else "Linux 6.10 or newer"
    )


def _can_map(path: Path) -> bool:
    """Python's mmap refuses a file of size 0, hence libc's."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        address = libc.mmap(None, page, 1, 1, fd, 0)
        if address in (None, ctypes.c_void_p(-1).value):
            return False
        libc.munmap(address, page)
        return True
    finally:
        os.close(fd)


def _symbols(built: config.Config) -> Iterator[Tried]:
    there = os.path.exists(btf.VMLINUX)
    yield Tried(
        "BTF", there, btf.VMLINUX if there else "no type information", "" if there else built.change("CONFIG_DEBUG_INFO_BTF")
    )
    first = (files.try_read(Path("/proc/kallsyms")) or "")[:16]
    shown = bool(first.strip("0 \n"))
    change = "" if shown else "sysctl kernel.kptr_restrict=1, and root"
    yield Tried("kernel symbols", shown, "addresses are shown" if shown else "addresses are hidden", change)


def _texts(tracefs: Tracefs) -> Iterator[Tried]:
    """Each way to each text, against a known call, whatever was found earlier."""
    verdicts = Verdicts()
    verdicts.forget()
    offers: list[tuple[str, Offer, str]] = [
        ("paths: kernel's copy", lambda: path_kprobe.candidates(tracefs), "CONFIG_KPROBE_EVENTS=y"),
        ("paths: in the event", lambda: path_field.candidate(tracefs), "Linux 7.0 or newer"),
        (
            "paths: event probe",
            lambda: path_eprobe.candidate(tracefs, ("openat",)),
            "CONFIG_EPROBE_EVENTS=y, Linux 6.7",
        ),
        ("paths: fanotify", lambda: path_fanotify.candidate(EVERYBODY), "CONFIG_FANOTIFY=y"),
        ("paths: uprobes in libc", lambda: sites.opens(tracefs, verdicts), "CONFIG_UPROBE_EVENTS=y"),
        ("argv: tracepoint probe", lambda: argv_kernel.by_tracepoint(tracefs), "CONFIG_FPROBE_EVENTS=y, Linux 6.12"),
        (
            "argv: kprobe and BTF",
            lambda: argv_kernel.by_kprobe(tracefs, verdicts),
            "CONFIG_KPROBE_EVENTS=y, BTF",
        ),
        ("argv: kprobe on its stack", lambda: argv_kernel.at_start(tracefs), "CONFIG_KPROBE_EVENTS=y"),
        ("argv: uprobe on loader", lambda: argv_loader.candidate(tracefs, verdicts), "CONFIG_UPROBE_EVENTS=y"),
        ("argv: uprobes in libc", lambda: sites.execs(tracefs, verdicts), "CONFIG_UPROBE_EVENTS=y"),
    ]
    for name, offer, change in offers:
        trials = Trials(tracefs, verdicts)
        yield _text(name, trials.first(offer), trials, change)
    verdicts.save()


def _text(name: str, found: Candidate | None, trials: Trials, change: str) -> Tried:
    if found is not None:
        seen = "proved by a known call" if found.proof else "permitted"
        return Tried(name, True, f"{seen}; misses {found.way.misses}")
    last = trials.refused[-1]
    return Tried(name, False, last.why or last.what, change)
