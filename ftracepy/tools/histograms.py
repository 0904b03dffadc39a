"""Rows that show a histogram: a bucket each, with a bar as long as its count beside the fullest bucket's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast

from ftracepy.analysis.histogram import Histogram
from ftracepy.tools.rows import Row, col

_BAR_CHARS = 38
_COUNT_WIDTH = 9
B = TypeVar("B", bound="Bucket")


def bar(share: float) -> str:
    """A bar for a share of the largest; what is there at all has one mark at least."""
    marks = min(int(share * _BAR_CHARS), _BAR_CHARS)
    return "#" * (marks if marks or not share else 1)


class Bucket(Row):
    """The values low <= value < high, in the unit that the tool's title says. A tool's own row may set title and width anew."""

    low: int | None = col(width=12, title=">=", help="the bucket's smallest value; - means no bound")
    high: int | None = col(width=12, title="<", help="the first value beyond it; - means no bound")
    count: int = col(width=_COUNT_WIDTH, help="how many values fell into it")
    share: float = col(align="left", title="DISTRIBUTION", show=bar, help="count beside the fullest bucket's, from 0 to 1")


@lru_cache
def bucket_type(unit: str, show: Callable[[int], str] = str, front: tuple[str, ...] = (), *, width: int = 10) -> type[Bucket]:
    """A Bucket whose bounds are shown as `show` has them, under heads that name the `unit`, behind columns out of `FRONT`."""
    columns: dict[str, Any] = {name: _front(name) for name in front}
    hints: dict[str, Any] = {name: FRONT[name][0] for name in front}
    bounds = {"low": (">=", "smallest value"), "high": ("<", "first value beyond")}
    for name, (sign, what) in bounds.items():
        columns[name] = col(width=width, title=f"{sign}{unit}", show=show, help=f"the bucket's {what}; - means no bound")
        hints[name] = int | None
    rest = {one.name: one for one in Bucket.columns() if one.name not in columns}
    columns |= {
        name: col(width=one.width, align=one.align, title=one.title, show=one.show, help=one.help) for name, one in rest.items()
    }
    hints |= {"count": int, "share": float}
    return cast(type[Bucket], type("Bucket", (Row,), {"__annotations__": hints, "__module__": __name__, **columns}))


# Columns that a tool may put in front of the bounds: type, width, help.
FRONT: Mapping[str, tuple[Any, int, str]] = {
    "time": (str | None, 8, "time of day at the end of the interval"),
    "function": (str, 24, "the kernel function"),
    "dev": (str, 9, "the disk"),
    "type": (str, 4, "what the requests do, in the kernel's letters"),
    "comm": (str, 15, "name of the tasks that made the requests, then"),
}


def _front(name: str) -> Any:
    return col(width=FRONT[name][1], help=FRONT[name][2])


def bucket_rows(
    histogram: Histogram, *, ts_ns: int, block: int | None = None, row: type[B], largest: int | None = None, **values: Any
) -> Iterator[B]:
    """A row for each bucket; `values` are those of columns that `row` has beside a Bucket's.

    `largest` is the count that a full bar stands for: the fullest bucket's, unless several histograms are to be compared.
    """
    full = largest or histogram.largest
    for span, count in histogram.buckets():
        share = round(count / full, 4) if full else 0.0
        yield row(ts_ns=ts_ns, block=block, low=span.low, high=span.high, count=count, share=share, **values)
