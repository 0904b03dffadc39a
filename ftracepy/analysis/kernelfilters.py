"""What of a filter the kernel can be told about one event: as much as drops nothing that passes here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftracepy.analysis.filtering import Comparison, Joined, Tree
from ftracepy.values import dataclass

NOTHING = "common_pid < 0"  # no thread has such a number


@dataclass(frozen=True, slots=True)
class Named:
    """What is compared is the kernel's field of this name."""

    field: str


@dataclass(frozen=True, slots=True)
class Constant:
    """What is compared has one value for all hits of the event; None: they have nothing of that name."""

    value: Any


# None: what is compared is known here alone.
Meaning = Callable[[Comparison], Named | Constant | None]


@dataclass(frozen=True, slots=True)
class Told:
    """A filter for the kernel ("": none is needed). Where names are `unknown` to it, it lets more pass than it should."""

    text: str
    unknown: frozenset[str] = frozenset()


def told(tree: Tree, meaning: Meaning) -> Told:
    """The strongest filter in the kernel's language that all pass that pass `tree`."""
    reduced = _Reduction(meaning)
    found = reduced.of(tree, passes=True)
    text = found if isinstance(found, str) else "" if found else NOTHING
    return Told(text, frozenset(reduced.unknown))


class _Reduction:
    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self.unknown: set[str] = set()

    def of(self, tree: Tree, *, passes: bool) -> str | bool:
        """The kernel's text, or what it comes to for every hit. `passes` is what a comparison that nobody can make must say."""
        if isinstance(tree, Comparison):
            return self._comparison(tree, passes)
        if tree.sign == "!":
            inner = self.of(tree.parts[0], passes=not passes)
            return f"!({inner})" if isinstance(inner, str) else not inner
        return _joined(tree, [self.of(one, passes=passes) for one in tree.parts])

    def _comparison(self, one: Comparison, passes: bool) -> str | bool:
        found = self._meaning(one)
        if found is None:
            self.unknown.add(one.name)
            return passes
        if isinstance(found, Constant):
            return one.test(lambda _name: found.value)
        return f"{found.field} {one.sign} {one.typed}"


def _joined(tree: Joined, parts: list[str | bool]) -> str | bool:
    """One part may settle it; parts that settle nothing are left out."""
    settles = tree.sign == "||"
    if settles in parts:
        return settles
    texts = [one for one in parts if isinstance(one, str)]
    if len(texts) < 2:
        return texts[0] if texts else not settles
    return f" {tree.sign} ".join(f"({text})" if "&&" in text or "||" in text else text for text in texts)
