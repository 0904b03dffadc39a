"""What was found by trying, kept until the next boot so that later starts need not try again.

One file per boot, kernel and version of ours, in $FTRACEPY_STATE or /run/ftracepy. Losing it costs a little time
at the next start, so a state folder that cannot be written is no fault.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from ftracepy import __version__

_DEFAULT = "/run/ftracepy"


def state_dir() -> Path:
    return Path(os.environ.get("FTRACEPY_STATE") or _DEFAULT)


def _identity() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = os.uname().release
    code = max((path.stat().st_mtime_ns for path in Path(__file__).parent.glob("*.py")), default=0)
    return f"{boot}-{__version__}-{code:x}"


class Verdicts:
    """A small persistent dictionary, read when it is first asked. `get` computes what is not known yet; `save` keeps it."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_dir()
        self._changed = False

    @cached_property
    def path(self) -> Path:
        return self._folder / f"verdicts-{_identity()}.json"

    @cached_property
    def _known(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text())
        except (OSError, ValueError):
            found = {}
        return found if isinstance(found, dict) else {}

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        """The JSON value kept under `key`, computed now if there is none."""
        if key not in self._known:
            self.keep(key, compute())
        return self._known[key]

    def knows(self, key: str) -> bool:
        return key in self._known

    def keep(self, key: str, value: Any) -> None:
        """Keep a JSON value under `key`."""
        self._known[key] = value
        self._changed = True

    def forget(self) -> None:
        """Try everything again."""
        self._known, self._changed = {}, True

    def save(self) -> None:
        if not self._changed:
            return
        try:
            self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            for stale in self.path.parent.glob("verdicts-*.json"):
                if stale != self.path:
                    stale.unlink(missing_ok=True)
            draft = self.path.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps(self._known))
            draft.replace(self.path)
        except OSError:
            return
        self._changed = False
