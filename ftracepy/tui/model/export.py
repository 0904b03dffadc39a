"""What a page shows, as text, JSON or CSV: the same forms as the commands write."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from ftracepy.sinks.json import plain as plain_value
from ftracepy.tui.model.listing import Listing
from ftracepy.tui.model.page import Page
from ftracepy.tui.model.spans import plain
from ftracepy.tui.model.store import Aside, Loss

_WIDTH = 200


def as_text(page: Page) -> str:
    """Heading and all lines."""
    lines = [*page.heading(_WIDTH), *(page.line(place, _WIDTH) for place in range(page.first, page.end))]
    return "".join(f"{plain(line).rstrip()}\n" for line in lines)


def as_data(listing: Listing, form: str) -> str:
    """The listing's columns as JSON, an object a line, or CSV; losses are objects among them, in CSV they are left out."""
    names = [one.name for one in listing.columns]
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    if form == "csv":
        table.writerow(names)
    for place in range(listing.first, listing.end):
        item = listing.item(place)
        if isinstance(item, Aside):
            if form == "json":
                out.write(json.dumps(_aside(item)) + "\n")
        elif item is not None:
            values = _values(listing, item, names)
            if form == "csv":
                table.writerow(values.values())
            else:
                out.write(json.dumps(values, default=plain_value) + "\n")
    return out.getvalue()


def _aside(one: Aside) -> dict[str, Any]:
    return {"loss": {"cpu": one.cpu, "events": one.events}} if isinstance(one, Loss) else {"notice": str(one)}


def _values(listing: Listing, item: Any, names: list[str]) -> dict[str, Any]:
    """Numbers as numbers where the item has them, else the text of the cell."""
    cells = dict(zip((one.name for one in listing.look.columns), listing.look.cells(item), strict=True))
    found = {name: listing.look.value(item, name) for name in names}
    return {name: cells[name] if value is None else value for name, value in found.items()}
