"""The last rows of a tool, with losses and notices in their place; a sink like those of the commands."""

from __future__ import annotations

from collections import deque
from itertools import islice
from threading import Lock

from ftracepy.tools.rows import Row
from ftracepy.tui.model.store import Aside, Loss, Said

_FEW = 16


class RowStore:
    """The newest `limit` rows and asides, each with a number that it keeps. One thread appends, others look.

    Of rows in blocks (an interval each), `latest` are those of the newest block that is complete, or of the only one.
    """

    def __init__(self, limit: int = 200_000) -> None:
        self._lock = Lock()
        self._items: deque[Row | Aside] = deque(maxlen=limit)
        self._end = 0
        self._block: int | None = None
        self._building: list[Row] = []
        self.latest: list[Row] = []
        self.notices: list[str] = []

    @property
    def first(self) -> int:
        return self._end - len(self._items)

    @property
    def end(self) -> int:
        return self._end

    def layout(self) -> None:
        """Rows are kept as they are: none may come as lines."""

    def row(self, row: Row) -> None:
        with self._lock:
            self._keep(row)
            if row.block is None:
                return
            if row.block != self._block:
                self._block = row.block
                self.latest, self._building = self._building or self.latest, []
            self._building.append(row)

    def loss(self, cpu: int, events: int | None) -> None:
        with self._lock:
            self._keep(Loss(cpu, events))

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def say(self, text: str) -> None:
        """A word that stands among the rows, where it was said."""
        with self._lock:
            self._keep(Said(text))

    def flush(self) -> None:
        """A block is whole once its tool waits for events again: all its rows are made at its end."""
        with self._lock:
            if self._building:
                self.latest, self._building = self._building, []
                self._block = None

    def close(self) -> None:
        self.flush()

    def clear(self) -> None:
        """Forget what is here; numbers go on."""
        with self._lock:
            self._items.clear()

    def item(self, number: int) -> Row | Aside | None:
        with self._lock:
            place = number - self._end + len(self._items)
            return self._items[place] if 0 <= place < len(self._items) else None

    def items(self, start: int, count: int) -> list[Row | Aside]:
        """Up to `count` of them from number `start` on, which must not be older than `first`."""
        with self._lock:
            place = max(start - self._end + len(self._items), 0)
            if count <= _FEW:  # a line of the screen: islice would walk over all rows before it
                return [self._items[at] for at in range(place, min(place + count, len(self._items)))]
            return list(islice(self._items, place, place + count))

    def _keep(self, item: Row | Aside) -> None:
        self._items.append(item)
        self._end += 1
