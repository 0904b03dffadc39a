"""Stacks folded: how often each call path was seen, as a tree to walk down or a flame graph of the screen's width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftracepy.sinks.escape import escape
from ftracepy.tui.model.page import Page, Spare
from ftracepy.tui.model.spans import Line, cell
from ftracepy.tui.model.store import EventStore, Loss

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.schema import Schema

_PIECE = 500
_MOST_NODES = 50_000


@dataclass(slots=True)
class Node:
    """A function as called from its parent: `count` stacks go through it."""

    name: str
    count: int = 0
    children: dict[str, Node] = field(default_factory=dict)


class Flames(Page):
    """A line for each function of the call tree, the most frequent first, with a bar for its share of the chosen root."""

    title = "stacks"

    def __init__(self, store: EventStore, schema: Schema, frames: Callable[[Event], Sequence[str]]) -> None:
        self._store, self._frames = store, frames
        kinds = (schema.event("ftrace", "kernel_stack"), schema.event("ftrace", "user_stack"))
        self._ids = {one.id for one in kinds if one}
        self._at = store.first
        self._nodes = 0
        self.root = self._whole = Node("all")
        self._path: list[Node] = []
        self._lines: list[tuple[int, Node]] = []

    @property
    def end(self) -> int:
        return len(self._lines) if self._whole.count else 1

    def heading(self, width: int) -> list[Line]:
        where = " > ".join(escape(one.name) for one in [*self._path, self.root])
        return [[(cell(f"{'COUNT':>10} {'SHARE':>6} {where}", width, False), "head")]]

    def tick(self, spare: Spare, width: int) -> bool:
        before, self._at = self._at, max(self._at, self._store.first)
        while self._at < self._store.end and spare():
            items = self._store.items(self._at, _PIECE)
            for one in items:
                if not isinstance(one, Loss) and one.id in self._ids:
                    self.add(self._frames(one))
            self._at += len(items)
        if before != self._at:
            self._lines = list(_walk(self.root))
        return before != self._at

    def add(self, frames: Sequence[str]) -> None:
        """One more stack, the innermost function first."""
        node = self._whole
        node.count += 1
        for name in reversed(frames):
            child = node.children.get(name)
            if child is None:
                if self._nodes >= _MOST_NODES:
                    return
                self._nodes += 1
                child = node.children[name] = Node(name)
            child.count += 1
            node = child

    def enter(self, place: int) -> None:
        """Take the function on a line for the root."""
        if self._lines and self._lines[place][1] is not self.root:
            self._path.append(self.root)
            self.root = self._lines[place][1]
            self._lines = list(_walk(self.root))

    def leave(self) -> bool:
        """Back to the root before; False at the whole."""
        if not self._path:
            return False
        self.root = self._path.pop()
        self._lines = list(_walk(self.root))
        return True

    def line(self, place: int, width: int) -> Line:
        if not self._whole.count:
            return [("no stacks yet: a tool's -s, or -e with stacks, brings them", "dim")]
        depth, node = self._lines[place]
        share = node.count / max(self.root.count, 1)
        room = max(width - 18, 10)
        name = cell(f"{' ' * depth}{escape(node.name)}", room, False)
        filled = round(room * share)
        return [(f"{node.count:>10,} ", "number"), (f"{share:6.1%} ", "dim"), (name[:filled], "bar"), (name[filled:], "")]

    def hints(self) -> str:
        return "Enter zooms in  Esc out"


def _walk(root: Node) -> list[tuple[int, Node]]:
    """Depth first, the most frequent first."""
    found: list[tuple[int, Node]] = []
    stack = [(0, root)]
    while stack:
        depth, node = stack.pop()
        found.append((depth, node))
        stack += [(depth + 1, one) for one in sorted(node.children.values(), key=lambda one: (one.count, one.name))]
    return found
