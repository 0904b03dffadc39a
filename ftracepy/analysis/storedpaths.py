"""Opens and the paths told of them (paths.py) in the C core, for as many as come; it asks here where it is not plain."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ftracepy.analysis.paths import Make, Paths
from ftracepy.analysis.shares import Told, settled

if TYPE_CHECKING:
    from ftracepy._fastparse import RowMaker

T = TypeVar("T")


class StoredPaths(Paths[T]):
    """`emit` gets what is made here and, by way of `lines`, the rows that the core made, in the order of the calls' ends.

    `tail` makes the cells about a path that is not plain, as RowMaker.asks says; `in_open` is as for PathFacts.
    """

    def __init__(
        self, emit: Callable[[T], None], in_open: Callable[[int], bool], maker: RowMaker, lines: Callable[[bytes], T],
        tail: Callable[[bytes | None, int], bytes],
    ) -> None:  # fmt: skip
        super().__init__(emit)
        self._maker, self._lines = maker, lines
        self._made: deque[T | None] = deque()
        self._makes: deque[Make[T]] = deque()
        maker.asks(in_open, _settle, tail)

    def waiting(self) -> bool:
        return self._maker.waiting()

    def passes(self, item: T) -> None:
        if not self._maker.waiting():
            self._emit(item)
        else:
            self._made.append(item)
            self._maker.hold()

    def _wait(self, tid: int, span: tuple[int, int], numbers: tuple[int, ...], passed: str | None, make: Make[T]) -> None:
        self._makes.append(make)
        self._maker.hold_open(tid, *span, numbers, None if passed is None else passed.encode("utf-8", "surrogatepass"))

    def _tell(self, tid: int, told: Told) -> None:
        self._maker.tell(tid, told.when, told.written, told.since, told.path.encode())

    def _caught_up(self, when: int, now: int) -> None:
        self._maker.caught_up(when, now)
        self.flush()

    def lost(self) -> None:
        self._maker.forget_paths()
        self.flush()

    def _give_up(self, before: int) -> None:
        self._maker.give_up(max(before, 0))
        self.flush()

    def flush(self) -> None:
        """Emit whatever waits for nothing any more."""
        while True:
            lines, head, more = self._maker.flush()
            if lines:
                self._emit(self._lines(lines))
            if head is not None:
                self._elsewhere(head)
            elif not more:
                return

    def _elsewhere(self, head: tuple[()] | tuple[bytes | None, int]) -> None:
        if head:
            path, sure = head
            made: T | None = self._makes.popleft()(None if path is None else path.decode(), bool(sure))
        else:
            made = self._made.popleft()
        if made is not None:
            self._emit(made)


def _settle(
    asked: list[tuple[int, int, tuple[int, ...], bytes | None]], told: list[tuple[bytes, int, int, int]]
) -> list[tuple[int, bool]]:
    """Which of the paths told, by place, is each open's."""
    paths = [Told(path.decode(), when, written, since) for path, when, written, since in told]
    texts = [None if passed is None else passed.decode("utf-8", "surrogatepass") for *_, passed in asked]
    opens = [((numbers, text), text) for (_start, _end, numbers, _passed), text in zip(asked, texts, strict=True)]
    places = {one.path: at for at, one in enumerate(paths)}
    shares = settled([(start, end) for start, end, *_ in asked], opens, paths)
    return [(-1 if path is None else places[path], sure) for path, sure in shares]
