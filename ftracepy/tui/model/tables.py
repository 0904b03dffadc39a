"""The latest table of a tool that makes one each interval: a list whose lines are all replaced when the next one is there."""

from __future__ import annotations

from ftracepy.tools.rows import Row
from ftracepy.tui.model.listing import Listing
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.looks import RowLook
from ftracepy.tui.model.names import Names
from ftracepy.tui.model.page import Spare
from ftracepy.tui.model.rowstore import RowStore


class Latest:
    """The rows of the latest table, as a store: a new table's numbers begin where the one before ended."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._rows: list[Row] = []
        self.first = 0

    @property
    def end(self) -> int:
        return self.first + len(self._rows)

    def items(self, start: int, count: int) -> list[Row]:
        return self._rows[max(start - self.first, 0) : max(start - self.first + count, 0)]

    def renew(self) -> bool:
        """Take the next table if there is one."""
        latest = self._store.latest
        if latest is self._rows:
            return False
        self.first, self._rows = self.end, latest
        return True


class Tables(ListPage):
    """Sorted, filtered and counted as other lists are, and again with each table."""

    replaces = True

    def __init__(self, title: str, store: RowStore, row: type[Row], names: Names | None = None) -> None:
        self._latest = Latest(store)
        super().__init__(f"{title} table", Listing(self._latest, RowLook(row, names)))

    @property
    def grows(self) -> bool:  # type: ignore[override]
        return False

    def tick(self, spare: Spare, width: int) -> bool:
        renewed = self._latest.renew()
        if renewed:
            self.listing.resort()
        return super().tick(spare, width) or renewed
