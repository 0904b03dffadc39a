"""Why a kernel refuses a probe: what it does not say itself is looked up."""

from __future__ import annotations

import os
from pathlib import Path

from ftracepy.errors import FtracepyError
from ftracepy.probespec.probes import Probe
from ftracepy.probespec.ready import kallsyms, near_symbols, symbols
from ftracepy.tracefs import Tracefs, files

_BLACKLIST = Path("/sys/kernel/debug/kprobes/blacklist")
_NEWER = {
    "Invalid $-variable": "arguments at a function's return: Linux 6.9 or newer",
    "Unknown type": "this kernel does not know this type (char: 5.19, symstr: 6.2, %pd: 6.9)",
}


def waits(probe: Probe) -> list[str]:
    """What is to be said of a probe in a module that is not there: kernels take it, and set it when the module comes."""
    module = probe.place.rpartition(":")[0]
    if not module or os.path.isdir(f"/sys/module/{module}"):
        return []
    return [f"the module {module} is not loaded: {probe.event} waits for it"]


def why(message: str, error: FtracepyError, probe: Probe, tracefs: Tracefs) -> tuple[str, str]:
    """(why, what to try) for the kernel's `message` about this probe; empty where nothing more is known."""
    symbol = probe.place.rpartition(":")[2].partition("+")[0].partition("%")[0]
    module = probe.place.rpartition(":")[0]
    if probe.kind[0] in "pr" and symbol and not symbol[0].isdigit() and kallsyms():
        found = symbols(symbol)
        if module and not os.path.isdir(f"/sys/module/{module}"):
            return f"the module {module} is not loaded", f"modprobe {module}"
        if not found:
            reason = (
                f"the kernel has no function '{symbol}': misspelt, inlined by the compiler, or of a module that is not loaded"
            )
            return reason, ", ".join(near_symbols(symbol))
        if len(found) > 1 and ("unique" in message or "EADDRNOTAVAIL" in error.wrote):
            return f"{len(found)} functions are called '{symbol}'", "MODULE:FUNCTION, or an address of /proc/kallsyms"
    if probe.kind[0] in "ft" and message == "Invalid argument":
        hint = f"p:{symbol}" if probe.kind[0] == "f" else ""
        return "the kernel does not say; function and tracepoint probes: Linux 6.5 or newer", hint
    if message.startswith("Failed to register"):
        return _forbidden(symbol), ""
    if message.startswith("Invalid $-variable") and probe.kind[0] != "r":
        return "", ""
    return next((text for start, text in _NEWER.items() if message.startswith(start)), ""), ""


def _forbidden(symbol: str) -> str:
    listed = files.try_read(_BLACKLIST) or ""
    named = any(line.split()[-1:] == [symbol] for line in listed.splitlines())
    if named:
        return f"{symbol} is on the kernel's list of functions that must not be probed"
    return f"the kernel forbids probes there: code that probes themselves need, or that runs before it can trace ({_BLACKLIST})"
