"""Why tracefs says no: not root, a user namespace, a missing capability, lockdown, or none of these."""

from __future__ import annotations

import os
import re
from pathlib import Path

CAP_SYS_ADMIN = 21
REPLAY_HINT = "a recording can be replayed without any of this: ftracepy TOOL --replay FILE"


def why_denied(proc: Path = Path("/proc"), security: Path = Path("/sys/kernel/security")) -> str:
    """One clause naming the likeliest cause, "" where nothing stands out."""
    if os.geteuid() != 0:
        return "you are not root"
    if in_user_namespace(proc):
        return "root of a user namespace (a rootless container) is not root of the kernel that is to be traced"
    if not has_capability(CAP_SYS_ADMIN, proc):
        return "this container or service lacks CAP_SYS_ADMIN"
    if locked_down(security):
        return "kernel lockdown (confidentiality) forbids tracefs"
    return ""


def in_user_namespace(proc: Path = Path("/proc")) -> bool:
    """Whether uids are mapped: only the first user namespace maps the whole range to itself."""
    words = _read(proc / "self/uid_map").split()
    return bool(words) and words[:3] != ["0", "0", "4294967295"]


def has_capability(number: int, proc: Path = Path("/proc")) -> bool:
    """Whether this process has the capability in effect; True where /proc cannot tell."""
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", _read(proc / "self/status"), re.MULTILINE)
    return not match or bool(int(match[1], 16) >> number & 1)


def locked_down(security: Path = Path("/sys/kernel/security")) -> bool:
    """Whether lockdown is at its confidentiality level, the one that closes tracefs (kernel: security.h, LOCKDOWN_TRACEFS)."""
    return "[confidentiality]" in _read(security / "lockdown")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
