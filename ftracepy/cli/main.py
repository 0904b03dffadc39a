"""The entry point: it lets the kernel begin what takes time, and only then loads the command line."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED = 130
_OBJECTS_BETWEEN_COLLECTIONS = 20_000  # loading makes so many that stay; looking through them each 700 is 5 % of a start


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code (docs/exit-codes.md)."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    from ftracepy.cli.early import Begun

    early = Begun(sys.argv[1:] if argv is None else ())
    try:
        with early:
            from ftracepy.cli.command import run

            code = run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    return 128 + early.signum if early.signum else code
