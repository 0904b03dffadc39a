"""Why a kernel function cannot be traced, and which it might have been instead."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.tracefs import cmdlines, files, functions
from ftracepy.tracefs.functions import Function

_NEAR = 4
_LEAST_LIKE = 0.3  # share of common groups of three letters
_BLACKLIST = Path("/sys/kernel/debug/kprobes/blacklist")  # what no probe may touch: NOKPROBE_SYMBOL, noinstr, entry code
_CODE = "tTwW"
# How compilers and the kernel rename what the source calls by a simpler name.
_SUFFIXES, _PREFIXES = (".isra.", ".constprop.", ".part.", ".cold"), ("__x64_", "__arm64_", "__se_", "__do_", "__", "do_")


def no_such_function(pattern: str, known: Sequence[Function]) -> FtracepyError:
    """The fault for a pattern that names none of the functions that can be hooked here (`known`)."""
    name, module = functions.parted(pattern)
    what = f"cannot trace the kernel function '{pattern}'"
    if module is not None and not functions.is_glob(module) and not any(one.module == module for one in known):
        why = _no_module(module)
        return UsageFault(what, why=why, hint=f"modprobe {module}" if why.endswith("not loaded") else "")
    names = {one.name for one in known}
    hint = " or ".join(f"'{one}'" for one in near(name, names))
    return UsageFault(what, why=_why(name, names), hint=hint or f"ftracepy list functions '*{name.strip('*')}*'")


def _no_module(module: str) -> str:
    if (Path("/sys/module") / module / "initstate").exists():
        return f"the module {module} is loaded, but no function of that name in it can be traced"
    if (Path("/sys/module") / module).exists():
        return f"{module} is built into this kernel: its functions belong to no module"
    known = files.try_read(Path("/lib/modules") / os.uname().release / "modules.dep") or ""
    is_there = any(f"/{name}.ko" in known for name in (module, module.replace("_", "-")))
    return f"the module {module} is not loaded" if is_there else f"there is no module {module} here"


def _why(name: str, names: Collection[str]) -> str:
    if functions.is_glob(name):
        return "no function that can be traced matches it"
    made = next((one for one in sorted(names) if one != name and _plain(one) == name), None)
    if made is not None:
        return f"the compiler made {made} of it; where it was inlined instead, nothing can be traced"
    kind = _kind_of(name)
    if kind is None:
        return "this kernel has no function of that name: inlined by the compiler, in a module that is not loaded, or misspelt"
    if kind not in _CODE:
        return "that is a variable, no function"
    if _is_blacklisted(name):
        return "the kernel forbids it (its blacklist: code that probes and tracers themselves run through)"
    return "it is marked notrace, or belongs to a part of the kernel that is built without tracing"


def _plain(name: str) -> str:
    for suffix in _SUFFIXES:
        name = name.partition(suffix)[0]
    return name


def _kind_of(name: str) -> str | None:
    """The letter that kallsyms has for a symbol."""
    wanted = f" {name}".encode()
    lines = cmdlines.kallsyms().split(b"\n")
    found = next((line for line in lines if line.partition(b"\t")[0].endswith(wanted)), b"").split()
    return found[1].decode("ascii", "replace") if len(found) > 2 else None


def _is_blacklisted(name: str) -> bool:
    return any(line.split()[-1:] == [name] for line in (files.try_read(_BLACKLIST) or "").splitlines())


def near(name: str, names: Iterable[str]) -> list[str]:
    """The few names most like it: the same under another prefix or suffix first, then by groups of three letters they share."""
    bare = name.strip("*?")
    mine = _threes(bare)
    others = {one: other for one in names if mine & (other := _threes(one))}
    same = sorted(one for one in others if one != bare and bare in _known_as(one))
    shares = Counter({one: len(mine & other) / len(mine | other) for one, other in others.items()})
    liked = sorted((-share, one) for one, share in shares.items() if share >= _LEAST_LIKE)
    return list(dict.fromkeys([*same, *(one for _share, one in liked)]))[:_NEAR]


def _known_as(name: str) -> set[str]:
    """The names that this one may be known by: `sys_open` for `__x64_sys_open`."""
    plain = _plain(name)
    return {plain, *(plain.removeprefix(prefix) for prefix in _PREFIXES)}


def _threes(name: str) -> set[str]:
    return {name[at : at + 3] for at in range(len(name) - 2)}
