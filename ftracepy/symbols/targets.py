"""Which file `bash`, `libc` or `./a.out` means: as the shell and the dynamic loader look it up, or as a process has it mapped."""

from __future__ import annotations

import os
import shutil

from ftracepy.errors import NotPermitted, UsageFault
from ftracepy.symbols import ldcache
from ftracepy.values import dataclass, replace

_MACHINES = {"x86_64": "x86_64", "aarch64": "aarch64", "riscv64": "riscv64", "s390x": "s390x", "ppc64le": "powerpc64"}


@dataclass(frozen=True, slots=True)
class Target:
    """`path` is where this process and the kernel reach the file, `shown` its name for people, `root` that of its file tree."""

    path: str
    shown: str
    root: str = "/"
    notes: tuple[str, ...] = ()


def resolve(name: str, pid: int | None = None) -> Target:
    """Raises UsageFault where nothing, or more than one thing, is meant."""
    if pid is not None:
        try:
            return _of_process(name, pid)
        except NotPermitted as error:
            return _as_here(name, pid, error)
    if "/" in name:
        return _path(os.path.abspath(name), "/")
    if found := shutil.which(name):
        return Target(os.path.realpath(found), os.path.realpath(found))
    return _library(name, "/")


def _as_here(name: str, pid: int, error: NotPermitted) -> Target:
    """Of a process that may not be looked into: a probe lies on a file, whoever runs it."""
    found = resolve(name)
    why = f"process {pid} cannot be looked into ({error.why}): {found.shown} is probed, as it is called here"
    return replace(found, notes=(*found.notes, f"{why}; where that process has another file, nothing shows"))


def _path(path: str, root: str) -> Target:
    reached = os.path.join(root, path.lstrip("/")) if root != "/" else path
    if not os.path.isfile(reached):
        kind = "a folder" if os.path.isdir(reached) else "no file" if not os.path.exists(reached) else "no plain file"
        raise UsageFault(f"{path} is {kind}", hint="a program, a library, or its path")
    return Target(reached if root != "/" else os.path.realpath(reached), path, root)


def _library(name: str, root: str) -> Target:
    found = ldcache.matching(name, root)
    native = [one for one in found if one.arch in ("", _MACHINES.get(os.uname().machine, ""))] or found
    if len(native) > 1:
        raise UsageFault(f"several libraries are called {name}", hint=" or ".join(one.path for one in native))
    if not native:
        near = _near(name, root)
        hint = f"did you mean {near}?" if near else "a name in $PATH, a library's as in libc, or a path"
        raise UsageFault(f"there is no program and no library called '{name}'", hint=hint)
    others = tuple(f"{one.path} ({one.arch}) has the same name and is not probed" for one in found if one not in native)
    path = os.path.join(root, native[0].path.lstrip("/"))
    return Target(os.path.realpath(path) if root == "/" else path, native[0].path, root, others)


def _near(name: str, root: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, {ldcache.stem(one.name) for one in ldcache.libraries(root)}, n=1)
    return near[0] if near else ""


def _of_process(name: str, pid: int) -> Target:
    """In the file tree that the process sees, which may be another than ours; what it has mapped goes first."""
    root = root_of(pid)
    mapped = dict(mappings(pid))
    if "/" in name:
        path = os.path.abspath(name)
        if path in mapped and not os.path.exists(_below(root, path)):
            return Target(mapped[path], path, root)
        return _path(path, root)
    known = [path for path in mapped if name in (os.path.basename(path), ldcache.stem(os.path.basename(path)))]
    if len(known) > 1:
        raise UsageFault(f"process {pid} has several files called {name}", hint=" or ".join(known))
    if known:
        path = known[0]
        reached = _below(root, path)
        return Target(reached if os.path.exists(reached) else mapped[path], path, root)
    raise UsageFault(f"process {pid} has no '{name}' mapped", hint=_mapped_hint(mapped))


def _mapped_hint(mapped: dict[str, str]) -> str:
    names = sorted({ldcache.stem(os.path.basename(path)) for path in mapped})
    return f"it has {', '.join(names[:12])}" if names else "it has no file mapped to run"


def root_of(pid: int) -> str:
    """`/` where the process sees our file tree, else the way to its own. Raises UsageFault (no such process), NotPermitted."""
    link = f"/proc/{pid}/root"
    try:
        own = os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt") and os.path.samefile(link, "/")
    except OSError as error:
        if os.path.exists(f"/proc/{pid}"):
            what, hint = f"cannot look into process {pid}", "say which file: TARGET:PLACE is found without looking there"
            raise NotPermitted(what, kernel=error.strerror or "", why=_why_not(pid), hint=hint) from None
        raise UsageFault(f"there is no process {pid}", hint="ps -eo pid,comm lists them") from None
    return "/" if own else link


def _why_not(pid: int) -> str:
    """ptrace(2), "Ptrace access mode checking": what one may look into has no capability that one lacks oneself."""
    if _capabilities(pid) & ~_capabilities(os.getpid()):
        return "it has capabilities that we lack"
    return "it is somebody else's, of another user namespace, or shielded by a security module"


def _capabilities(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
            return next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:"))
    except (OSError, ValueError, StopIteration):
        return 0


def _below(root: str, path: str) -> str:
    return path if root == "/" else root + path


def chroot_of(pid: int) -> str:
    """What /proc puts in front of a process's paths where its root is a folder of the file tree; "" where it is not."""
    try:
        return os.readlink(f"/proc/{pid}/root").rstrip("/")
    except OSError:
        return ""


def within(path: str, prefix: str) -> str:
    """A path of /proc/PID/maps as the process itself has it."""
    path = path.removesuffix(" (deleted)")
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path


def mappings(pid: int) -> list[tuple[str, str]]:
    """(path, the link that reaches the file even if it is deleted) of each file that the process may run code of."""
    found: dict[str, str] = {}
    prefix = chroot_of(pid)
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields = line.rstrip("\n").split(None, 5)
                if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
                    start, _, end = fields[0].partition("-")
                    link = f"/proc/{pid}/map_files/{int(start, 16):x}-{int(end, 16):x}"
                    found.setdefault(within(fields[5], prefix), link)
    except OSError:
        return []
    return list(found.items())
