"""The live source: plan probes for this kernel, own an instance, read each CPU, undo it all."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own costs each start some milliseconds
if TYPE_CHECKING:
    from ftracepy.live.source import LiveSource, open

__all__ = ["LiveSource", "open"]


def __getattr__(name: str) -> object:
    """Load the source when it is asked for: `doctor` and `reset` need none of it."""
    if name in __all__:
        from ftracepy.live import source

        return getattr(source, name)
    raise AttributeError(name)
