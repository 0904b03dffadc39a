"""Rows that show a histogram: a bucket each, with a bar as long as its count beside the fullest bucket's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from ftracepy.analysis.histogram import Histogram
from ftracepy.tools.rows import Row, col

_BAR_CHARS = 38
B = TypeVar("B", bound="Bucket")


def bar(share: float) -> str:
    """A bar for a share of the largest; what is there at all has one mark at least."""
    marks = min(int(share * _BAR_CHARS), _BAR_CHARS)
    return "#" * (marks if marks or not share else 1)


class Bucket(Row):
    """The values low <= value < high, in the unit that the tool's title says. A tool's own row may set title and width anew."""

    low: int | None = col(width=12, title=">=", help="the bucket's smallest value; - means no bound")
    high: int | None = col(width=12, title="<", help="the first value beyond it; - means no bound")
    count: int = col(width=9, help="how many values fell into it")
    share: float = col(align="left", title="DISTRIBUTION", show=bar, help="count beside the fullest bucket's, from 0 to 1")


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
