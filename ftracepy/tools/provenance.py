"""How surely the text of a row is known: the mark before texts that are not the kernel's own copy, and the note about it."""

from __future__ import annotations

from ftracepy.tools.kit import Feed

MARK = "~"


def mark(provenance: str) -> str:
    """What stands before a text in a table; one that nobody could read is `?` and needs none."""
    return "" if provenance in {"kernel-copy", "none"} else MARK


class Note:
    """Says once what the mark means, with the first row that carries it."""

    def __init__(self, feed: Feed, text: str) -> None:
        self._feed, self._text, self._told = feed, text, False

    def of(self, provenance: str) -> str:
        """The provenance as it is; marked ones are explained the first time."""
        if not self._told and mark(provenance):
            self._told = True
            self._feed.notice(f"{MARK} stands before {self._text}")
        return provenance
