"""How surely the text of a row is known: the mark before texts that are not the kernel's own copy, and the note about it."""

from __future__ import annotations

from ftracepy.tools.kit import Feed

MARK = "~"


def mark(provenance: str) -> str:
    """What stands before a text in a table; one that nobody could read is `?` and needs none."""
    return "" if provenance in {"kernel-copy", "none"} else MARK


def explain(feed: Feed, texts: str) -> None:
    """Say what the mark means, of a run whose rows may carry it."""
    feed.notice(f"{MARK} stands before {texts}")
