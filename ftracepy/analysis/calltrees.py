"""One tree of calls for each task, from the function_graph tracer's events, however CPUs interleave and tasks migrate.

A tree is whole when its top call returns; trees come in that order. One that grows too large, meets a loss, or is not
done at the end of the feed comes in pieces: a call whose return has not been seen yet is a `begin`, its return an `end`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from ftracepy.analysis.spans import ENTRY, EXIT, duration_ns, in_interrupt, signed, whose, words
from ftracepy.analysis.stacks import Names
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, number, to_ns
from ftracepy.schema import Schema
from ftracepy.values import dataclass, field, replace

if TYPE_CHECKING:
    from ftracepy._fastparse import Event

_LARGEST = 20_000  # calls of one tree that are held back


@dataclass(slots=True)
class Call:
    """One call, in the order in which calls began; `depth` is how deep in its tree, `took_ns` None where it is not known.

    `given` says that it has been put out before it returned.
    """

    tid: int
    pid: int
    comm: str
    cpu: int
    function: str
    depth: int
    start_ns: int
    took_ns: int | None = None
    ret: int | None = None
    args: tuple[int, ...] | None = None
    part: Literal["whole", "begin", "end"] = "whole"
    given: bool = False


@dataclass(slots=True)
class _Tree:
    """What is known of a thread's calls. `base` is the tracer's depth of a top call, `skip` that of an interrupt left out."""

    calls: list[Call] = field(default_factory=list)
    open: list[tuple[int, Call]] = field(default_factory=list)
    base: int | None = None
    skip: int | None = None


class CallTrees(Machine):
    """Puts calls into `out`, a tree's together.

    Trees whose top call took less than `least_ns` are left out; `irqs` False
    leaves out what interrupts called; `depth` is how many levels are shown (0: all). Goes before `tasks`.
    """

    def __init__(self, schema: Schema, tasks: Tasks, *, least_ns: int = 0, irqs: bool = True, depth: int = 0) -> None:
        self.out: deque[Call] = deque()
        self._tasks, self._least_ns, self._irqs, self._depth = tasks, least_ns, irqs, depth
        self._names, self._ns = Names(schema), to_ns(schema.time)
        self._trees: dict[int, _Tree] = {}

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        formats = schema.by_name()
        wanted: dict[tuple[str, str], Handler] = {ENTRY: self._entry, EXIT: self._exit}
        return {formats[key].id: handler for key, handler in wanted.items() if key in formats}

    def _entry(self, event: Event) -> None:
        tree, depth = self._trees.setdefault(whose(event), _Tree()), number(event, "depth")
        if tree.skip is not None and depth > tree.skip:
            return
        tree.skip = depth if not self._irqs and in_interrupt(event) else None
        if tree.skip is not None:
            return
        self._close_to(tree, depth)
        if not tree.open:
            tree.base = depth if tree.base is None else min(depth, tree.base)
            self._give(tree)
        task = self._tasks.get(event.pid)
        call = Call(
            event.pid, task.tgid, task.comm, event.cpu, self._names.name(number(event, "func")), depth - (tree.base or 0),
            self._ns(event.ts), args=words(event, "args"), part="begin",
        )  # fmt: skip
        tree.open.append((depth, call))
        tree.calls.append(call)
        if len(tree.calls) >= _LARGEST:
            self._give(tree)

    def _exit(self, event: Event) -> None:
        tree, depth = self._trees.setdefault(whose(event), _Tree()), number(event, "depth")
        if tree.skip is not None:
            tree.skip = tree.skip if depth > tree.skip else None
            return
        if not self._irqs and in_interrupt(event):
            return
        function, ret = self._names.name(number(event, "func")), event.get("retval")
        self._close_to(tree, depth + 1)
        value = signed(ret) if isinstance(ret, int) else None
        if tree.open and tree.open[-1][0] == depth and tree.open[-1][1].function == function:
            call = tree.open.pop()[1]
            if call.given:
                tree.calls.append(replace(call, took_ns=duration_ns(event), ret=value, part="end"))
            else:
                call.took_ns, call.ret, call.part = duration_ns(event), value, "whole"
        else:
            self._unknown(tree, event, function, depth, value)
        if not tree.open:
            self._give(tree)

    def _unknown(self, tree: _Tree, event: Event, function: str, depth: int, ret: int | None) -> None:
        """The return of a call whose beginning was lost."""
        task, took = self._tasks.get(event.pid), duration_ns(event)
        tree.calls.append(
            Call(event.pid, task.tgid, task.comm, event.cpu, function, max(depth - (tree.base or 0), 0),
                 self._ns(event.ts) - took, took, ret, part="end")
        )  # fmt: skip

    def _close_to(self, tree: _Tree, depth: int) -> None:
        """Calls at this depth or deeper are over, though nobody saw them return."""
        while tree.open and tree.open[-1][0] >= depth:
            tree.open.pop()

    def _give(self, tree: _Tree) -> None:
        calls, tree.calls = tree.calls, []
        top = calls[0] if calls else None
        if top is None or (self._least_ns and not self._is_slow(top)):
            return
        for call in calls:
            call.given = True
            if not self._depth or call.depth < self._depth:
                self.out.append(call)

    def _is_slow(self, top: Call) -> bool:
        return top.depth == 0 and top.took_ns is not None and top.took_ns >= self._least_ns

    def lost(self) -> None:
        """What is open may have returned unseen."""
        self.rest()
        for tree in self._trees.values():
            tree.open.clear()
            tree.skip = None

    def rest(self) -> None:
        """Put out what has not returned until now."""
        for tree in self._trees.values():
            self._give(tree)
