"""A tree of calls on the screen: as a flame graph, its root on top, or as a call tree with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftracepy.sinks.escape import escape
from ftracepy.tui.model.page import Pace, Page, Spare
from ftracepy.tui.model.spans import Line, Style, cell

if TYPE_CHECKING:
    from ftracepy.tui.model.folds import Fold, Node

_FLAMES: tuple[Style, ...] = ("flame0", "flame1", "flame2", "flame3")
Frame = tuple[int, int, "Node"]  # from this column up to that one


class Flames(Page):
    """What the first of `folds` that finds anything has folded: a graph whose frames are chosen, or a line for each function."""

    title = "flames"

    def __init__(self, folds: Sequence[Fold]) -> None:
        self._folds = list(folds)
        self._fold = self._folds[0]
        self._pace, self._news = Pace(), True
        self.root = self.chosen = self._fold.root
        self.is_graph = True
        self._wanted = ""
        self._width = 0
        self._rows: list[list[Frame]] = []
        self._lines: list[tuple[int, Node]] = []

    @property
    def is_empty(self) -> bool:
        return not self._fold.root.weight

    @property
    def end(self) -> int:
        if self.is_empty:
            return 1
        return len(self._rows) if self.is_graph else len(self._lines)

    def tick(self, spare: Spare, width: int) -> bool:
        for fold in self._folds:
            self._news |= fold.tick(spare)
            if self.is_empty and fold.root.weight:
                self._fold = fold
                self.root = self.chosen = fold.root
        self.behind = any(fold.behind for fold in self._folds)
        self._news |= width != self._width
        self._width = width
        if self._news and self._pace.run(self._lay_out):
            self._news = False
            return True
        return False

    def _lay_out(self) -> None:
        if self.is_graph:
            self._rows = _rows(self.root, max(self._width, 10))
        else:
            self._lines = list(self.root.walk())

    def heading(self, width: int) -> list[Line]:
        if self.is_empty:
            return []
        where = " > ".join(escape(one.name) for one in self.root.path())
        head = self._about(self.chosen) if self.is_graph else f"{'TOTAL':>10} {'OWN':>10} {'CALLS':>9} {'SHARE':>6} {where}"
        return [[(cell(head, width, False), "head")]]

    def _about(self, node: Node) -> str:
        """The chosen frame in numbers, and how much of all is under frames that are searched for."""
        whole = self._fold.root
        found = f"  {self._share_found():.1%} holds {self._wanted!r}" if self._wanted else ""
        calls = f" in {node.calls:,} calls" if self._unit == "ns" else ""
        share = f"{node.weight / max(whole.weight, 1):.1%} of all, "
        return f"{share}{self._amount(node.weight)}{calls}, own {self._amount(node.own)}{found}  {escape(node.name)}"

    @property
    def _unit(self) -> str:
        return self._fold.unit

    def _amount(self, weight: int) -> str:
        return f"{weight / 1000:,.1f} µs" if self._unit == "ns" else f"{weight:,} stacks"

    def _share_found(self) -> float:
        """Of what is on the screen; a frame inside one that was found counts once."""
        total, stack = 0, [self.root]
        while stack:
            node = stack.pop()
            if self._wanted in node.name.casefold():
                total += node.weight
            else:
                stack += node.children.values()
        return total / max(self.root.weight, 1)

    def mark(self, text: str) -> None:
        self._wanted = text.casefold()

    def arrived(self, place: int) -> None:
        """The cursor came to another line by itself: the frame that is searched for there, or the one below the chosen."""
        if not self.is_graph or not 0 <= place < len(self._rows):
            return
        row = self._rows[place]
        if any(node is self.chosen for _low, _high, node in row):
            return
        found = [node for _low, _high, node in row if self._wanted and self._wanted in node.name.casefold()]
        self.chosen = found[0] if found else row[0][2]

    def steer(self, right: int, down: int) -> int | None:
        """Choose a frame beside, above or below the chosen one; the line that it is on."""
        if not self.is_graph or self.is_empty:
            return None
        at = self._at()
        if at is None:
            self.chosen = self.root
            return 0
        depth, place = at
        row = self._rows[depth]
        if right:
            self.chosen = row[max(0, min(place + right, len(row) - 1))][2]
        elif down:
            middle = (row[place][0] + row[place][1]) // 2
            depth = max(0, min(depth + down, len(self._rows) - 1))
            parent, node = self.chosen, self.chosen
            if down > 0:
                below = [frame for frame in self._rows[depth] if frame[2].parent is parent]
                node = below[0][2] if below else parent
            else:
                node = next((frame[2] for frame in self._rows[depth] if frame[0] <= middle < frame[1]), parent)
            self.chosen = node
        found = self._at()
        return found[0] if found else 0

    def _at(self) -> tuple[int, int] | None:
        """Line and place of the chosen frame; None where it is not on the screen."""
        for depth, row in enumerate(self._rows):
            for place, frame in enumerate(row):
                if frame[2] is self.chosen:
                    return depth, place
        return None

    def toggle(self) -> None:
        """The graph, or the tree with numbers."""
        self.is_graph = not self.is_graph
        self._lay_out()

    def enter(self, place: int) -> None:
        """Take the chosen function for the root."""
        if self.is_empty or (not self.is_graph and place >= len(self._lines)):
            return
        self.root = self.chosen = self.chosen if self.is_graph else self._lines[place][1]
        self._lay_out()

    def leave(self) -> bool:
        """Back to the caller that was the root before; False at the whole."""
        if self.root.parent is None:
            return False
        self.root = self.root.parent
        self._lay_out()
        return True

    def holds(self, place: int, wanted: str) -> bool:
        if not self.is_graph or self.is_empty:
            return super().holds(place, wanted)
        return any(wanted in node.name.casefold() for _low, _high, node in self._rows[place])

    def line(self, place: int, width: int) -> Line:
        if self.is_empty:
            return [("no stacks and no calls yet: a tool's -s brings stacks, funcgraph calls", "dim")]
        return self._frames(self._rows[place]) if self.is_graph else self._row(place, width)

    def _frames(self, row: list[Frame]) -> Line:
        line: Line = []
        at = 0
        for number, (low, high, node) in enumerate(row):
            if low > at:
                line.append((" " * (low - at), ""))
            wanted = self._wanted and self._wanted in node.name.casefold()
            style = "chosen_frame" if node is self.chosen else "found" if wanted else _FLAMES[_colour(node.name, number)]
            line.append((cell(escape(node.name), high - low - 1, False) + "│" if high - low > 1 else "│", style))
            at = high
        return line

    def _row(self, place: int, width: int) -> Line:
        depth, node = self._lines[place]
        share = node.weight / max(self.root.weight, 1)
        per = 1000 if self._unit == "ns" else 1
        room = max(width - 39, 10)
        name = cell(f"{' ' * depth}{escape(node.name)}", room, False)
        filled = round(room * share)
        return [
            (f"{node.weight // per:>10,} ", "number"), (f"{node.own // per:>10,} ", "number"), (f"{node.calls:>9,} ", "dim"),
            (f"{share:6.1%} ", "dim"), (name[:filled], "bar"), (name[filled:], ""),
        ]  # fmt: skip

    def folded(self) -> str:
        """A line for each call path and its own weight, as flame graph programs read them."""
        lines = []
        for _depth, node in self.root.walk():
            if (own := node.own) and node.parent is not None:
                lines.append(f"{';'.join(escape(one.name).replace(';', ':') for one in node.path()[1:])} {own}\n")
        return "".join(lines)

    def hints(self) -> str:
        return f"arrows choose  Enter zooms in  Esc out  t {'numbers' if self.is_graph else 'graph'}  / search"


def _colour(name: str, place: int) -> int:
    """Always the same for a name, but for neighbours that would look alike."""
    return (sum(map(ord, name)) + place % 2) % len(_FLAMES)


def _rows(root: Node, width: int) -> list[list[Frame]]:
    """The frames of each depth in columns of the screen; what is narrower than one is left out."""
    rows: list[list[Frame]] = [[(0, width, root)]]
    while True:
        below: list[Frame] = []
        for low, high, node in rows[-1]:
            at, scale = float(low), (high - low) / max(node.weight, 1)
            for child in node.ordered():
                end = min(at + child.weight * scale, float(high))
                if round(end) > round(at):
                    below.append((round(at), round(end), child))
                at = end
        if not below:
            return rows
        rows.append(below)
