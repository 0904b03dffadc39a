"""From what was typed to probes for this machine: its processor, its functions and its types."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from ftracepy.errors import KernelCannot
from ftracepy.probespec.definition import definitions
from ftracepy.probespec.probes import Probe, made
from ftracepy.symbols.btf import Kind
from ftracepy.symbols.btf_find import Kernel

_KALLSYMS = Path("/proc/kallsyms")


def ready(typed: str, btf: str | None = None, arguments_at_return: Callable[[], bool] = lambda: True) -> list[Probe]:
    """The probes that `typed` means here, with the types of the running kernel or of the file `btf`.

    `arguments_at_return` says whether the kernel keeps them, asked only if it matters.

    Raises UsageFault that points into what was typed, KernelCannot where types are needed and there are none.
    """
    kernel = Kernel(btf)
    return made(definitions(typed, _knows(kernel)), kernel.types, kernel.machine, symbols, arguments_at_return)


def _knows(kernel: Kernel) -> Callable[[str], bool]:
    def is_function(name: str) -> bool:
        try:
            if kernel.types().find(name, Kind.FUNC):
                return True
        except KernelCannot:
            pass
        return bool(symbols(name)) or not kallsyms()

    return is_function


@lru_cache(maxsize=1)
def kallsyms(path: Path = _KALLSYMS) -> bytes:
    """The kernel's symbols, read once; b"" where they are hidden."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def symbols(name: str) -> list[str]:
    """The module of each symbol of code of this name, "" for the kernel itself."""
    found = re.findall(rb"^\S+ [tTwW] %b(?:\t\[(\w+)\])?$" % re.escape(name.encode()), kallsyms(), re.MULTILINE)
    return [module.decode() for module in found]


def near_symbols(name: str, most: int = 4) -> list[str]:
    """Functions whose names are like `name`; those that the compiler split off it (name.isra.0, name.cold) first."""
    from difflib import get_close_matches

    names = {match.decode("utf-8", "replace") for match in re.findall(rb"^\S+ [tTwW] (\S+)", kallsyms(), re.MULTILINE)}
    parts = sorted(one for one in names if one.startswith(f"{name}."))
    return [*parts, *get_close_matches(name, names - set(parts), most)][:most]
