"""Other recorders in a mount namespace of their own, where an instance stands for tracefs' top level, which is not ours to use.

Some kernels refuse writes that trace-cmd insists on: plain files are bound over those.
"""

from __future__ import annotations

import shlex
from pathlib import Path

_REFUSED = ("set_ftrace_filter", "set_ftrace_notrace", "set_ftrace_pid", "set_ftrace_notrace_pid")


def shielded(root: Path, instance: Path, plain: Path, command: list[str]) -> list[str]:
    """The command line that runs `command` so; `plain` is a file to be made."""
    plain.write_text("")
    shared = [one.name for one in sorted(instance.iterdir()) if (root / one.name).exists() and one.name not in _REFUSED]
    binds = [f"mount --bind {instance / name} {root / name}" for name in shared]
    over = [*(root / name for name in _REFUSED), Path("/proc/sys/kernel/ftrace_enabled")]
    binds += [f"mount --bind {plain} {path} 2>/dev/null || true" for path in over]
    return ["unshare", "-m", "sh", "-c", f"set -e; {'; '.join(binds)}; exec {shlex.join(command)}"]
