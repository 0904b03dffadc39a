"""What the live view's lists cost over a recording, without a screen: `python -m bench.lists FILE` prints JSON."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable

from ftracepy.pipeline.watch import WatchRequest
from ftracepy.tui.model.engine import Engine
from ftracepy.tui.model.listing import Listing
from ftracepy.tui.model.run import Run
from ftracepy.tui.model.search import Search
from ftracepy.tui.model.vitals import memory_bytes

_JUMPS = 1009
_SEARCHED = 100_000


def cpu_s(step: Callable[[], bool]) -> tuple[float, float]:
    """Seconds of CPU until `step` says False, and of the longest step."""
    longest, begin = 0.0, time.process_time()
    more = True
    while more:
        before = time.process_time()
        more = step()
        longest = max(longest, time.process_time() - before)
    return time.process_time() - begin, longest


def filtered(listing: Listing, text: str) -> tuple[float, float]:
    listing.set_filter(text)
    return cpu_s(lambda: not listing.tick(lambda: False))


def ordered(listing: Listing, column: str) -> tuple[float, float]:
    listing.set_filter("")
    listing.sort(column)
    found = cpu_s(lambda: not listing.tick(lambda: False))
    listing.sort(None)
    return found


def searched(run: Run) -> tuple[float, float]:
    """Through the last events, for what is in none."""
    search = Search(run.events, "no line holds this", max(run.events.end - _SEARCHED, run.events.first), 1)
    return cpu_s(lambda: not (search.tick(lambda: False) or search.round))


def jumped(listing: Listing) -> tuple[float, float]:
    """To lines anywhere, each with what it takes to show it."""
    places = iter(random.Random(7).choices(range(listing.first, listing.end), k=_JUMPS))
    return cpu_s(lambda: (place := next(places, None)) is not None and bool(listing.line(place)))


def main(path: str) -> None:
    engine = Engine(WatchRequest(replay=path))
    engine.start()
    engine.join()
    run = Run(engine)
    listing = run.events.listing
    found = {
        "filter": filtered(listing, "id == 39"),
        "filter by name": filtered(listing, 'comm == "flood"'),
        "sort by CPU": ordered(listing, "cpu"),
        "sort by task": ordered(listing, "comm"),
        f"search through {_SEARCHED:,}": searched(run),
        f"{_JUMPS:,} jumps": jumped(listing),
    }
    print(json.dumps({"events": engine.events.end, "bytes": memory_bytes(), "costs": found}))


if __name__ == "__main__":
    main(sys.argv[1])
