"""What the running kernel was built with: /proc/config.gz, else the config file its package installed."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path


class Config:
    """CONFIG_ options by name. Empty where no config can be read."""

    def __init__(self, text: str) -> None:
        self.known = dict(re.findall(r"^(CONFIG_\w+)=(\S+)", text, re.MULTILINE))
        self.readable = bool(self.known)

    def change(self, *names: str) -> str:
        """What to change so that all of `names` are built in: those that are not, as far as is known."""
        missing = [name for name in names if self.known.get(name) not in ("y", "m")]
        if not self.readable:
            return "a kernel with " + ", ".join(f"{name}=y" for name in names)
        return "a kernel with " + ", ".join(f"{name}=y (not set here)" for name in missing) if missing else ""


def read(proc: Path = Path("/proc"), root: Path = Path("/")) -> Config:
    release = os.uname().release
    for path in (
        root / f"boot/config-{release}",
        root / f"lib/modules/{release}/config",
        root / f"usr/lib/modules/{release}/config",
    ):
        try:
            return Config(path.read_text(errors="replace"))
        except OSError:
            continue
    try:
        return Config(gzip.decompress((proc / "config.gz").read_bytes()).decode(errors="replace"))
    except (OSError, EOFError, gzip.BadGzipFile):
        return Config("")
