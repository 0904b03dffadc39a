"""Stacks and calls folded into one tree: of each call path how often it was seen, or how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ftracepy.analysis.calltrees import Call, CallTrees
from ftracepy.analysis.walk import drain
from ftracepy.tui.model.store import Aside, Loss

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.analysis.tasks import Tasks
    from ftracepy.schema import Schema
    from ftracepy.tui.model.matches import Numbered
    from ftracepy.tui.model.page import Spare

_PIECE = 500
_MOST_NODES = 50_000
_MORE = "(more)"


@dataclass(slots=True, eq=False)
class Node:
    """A function as called from its parent: `weight` is what went through it (stacks, or nanoseconds), `calls` how often."""

    name: str
    parent: Node | None = None
    weight: int = 0
    calls: int = 0
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def own(self) -> int:
        """What is the function's own: not its callees'."""
        return max(self.weight - sum(one.weight for one in self.children.values()), 0)

    def path(self) -> list[Node]:
        """From the root to here."""
        found: list[Node] = []
        node: Node | None = self
        while node is not None:
            found.append(node)
            node = node.parent
        return found[::-1]

    def walk(self) -> Iterator[tuple[int, Node]]:
        """Depth first with the depth, the heaviest first."""
        stack = [(0, self)]
        while stack:
            depth, node = stack.pop()
            yield depth, node
            stack += [(depth + 1, one) for one in node.ordered()[::-1]]

    def ordered(self) -> list[Node]:
        """Its children, the heaviest first."""
        return sorted(self.children.values(), key=lambda one: (-one.weight, one.name))


class Fold:
    """Goes through a store and folds what it finds; `unit` is what weights are."""

    unit: Literal["stacks", "ns"] = "stacks"

    def __init__(self, store: Numbered) -> None:
        self._store = store
        self._at = store.first
        self._nodes = 0
        self.root = Node("all")

    def tick(self, spare: Spare) -> bool:
        """Take in what is new while there is time to `spare`; whether there was anything."""
        before, self._at = self._at, max(self._at, self._store.first)
        while self._at < self._store.end:
            items = self._store.items(self._at, _PIECE)
            for one in items:
                self.take(one)
            self._at += len(items)
            if not items or not spare():
                break
        return self._at != before

    @property
    def behind(self) -> bool:
        """Whether there is more to take in."""
        return self._at < self._store.end

    def take(self, item: Any) -> None:
        """One event, row or loss."""

    def child(self, node: Node, name: str) -> Node:
        """The callee of that name; of a tree that has grown too large one for all further names."""
        found = node.children.get(name)
        if found is None:
            name = name if self._nodes < _MOST_NODES else _MORE
            found = node.children.get(name)
        if found is None:
            self._nodes += 1
            found = node.children[name] = Node(name, node)
        return found

    def add(self, frames: Sequence[str]) -> None:
        """One more stack, the innermost function first."""
        node = self.root
        node.weight += 1
        node.calls += 1
        for name in reversed(frames):
            node = self.child(node, name)
            node.weight += 1
            node.calls += 1


class RowStacks(Fold):
    """The stacks that a tool's rows have."""

    def take(self, item: Any) -> None:
        if stack := getattr(item, "stack", None):
            self.add([str(one) for one in stack])


class EventStacks(Fold):
    """The stacks that the kernel wrote behind events."""

    def __init__(self, store: Numbered, schema: Schema, frames: Callable[[Event], Sequence[str]]) -> None:
        super().__init__(store)
        self._frames = frames
        kinds = (schema.event("ftrace", "kernel_stack"), schema.event("ftrace", "user_stack"))
        self._ids = {one.id for one in kinds if one}

    def take(self, item: Any) -> None:
        if not isinstance(item, Aside) and item.id in self._ids:
            self.add(self._frames(item))


class Calls(Fold):
    """The function_graph tracer's calls, by the time that they took."""

    unit = "ns"

    def __init__(self, store: Numbered, schema: Schema, tasks: Tasks) -> None:
        super().__init__(store)
        self._trees = CallTrees(schema, tasks)
        self._handlers = self._trees.handlers(schema)
        self._paths: dict[int, list[Node]] = {}

    def take(self, item: Any) -> None:
        if isinstance(item, Loss):
            self._trees.lost()
        elif not isinstance(item, Aside) and (handler := self._handlers.get(item.id)):
            handler(item)
        for call in drain(self._trees.out):
            self._call(call)

    def _call(self, call: Call) -> None:
        """Calls come in the order in which they began, so their callers are known."""
        path = self._paths.setdefault(call.tid, [self.root])
        if call.part == "end":
            if call.depth + 1 < len(path) and path[call.depth + 1].name == call.function:
                self._took(path[call.depth + 1], call)
            return
        del path[call.depth + 1 :]
        node = self.child(path[-1], call.function)
        path.append(node)
        node.calls += 1
        self._took(node, call)

    def _took(self, node: Node, call: Call) -> None:
        node.weight += call.took_ns or 0
        if node.parent is self.root:
            self.root.weight += call.took_ns or 0
            self.root.calls += 1
