"""Histograms: every value in the one bucket that holds it, whatever the scale."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftracepy.analysis.histogram import Bounds, Histogram, Powers, Scale, Span, Steps
from ftracepy.tools.histograms import Bucket, bar, bucket_rows

SCALES: dict[str, Scale] = {
    "powers of 2": Powers(),
    "powers of 4": Powers(4),
    "powers of 4 to a million": Powers(4, 1 << 20),
    "powers of 10": Powers(10),
    "steps": Steps(7),
    "bounds": Bounds((1, 8, 64, 128)),
    "bounds from below 0": Bounds((-20, 0, 3)),
}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@given(value=st.integers(-(2**70), 2**70))
def test_a_value_lies_in_its_bucket(scale: Scale, value: int) -> None:
    span = scale.span(scale.place(value))
    assert span.low is None or span.low <= value
    assert span.high is None or value < span.high


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_buckets_follow_each_other_without_gaps(scale: Scale) -> None:
    spans = [scale.span(place) for place in range(-1, 30 if scale.size is None else scale.size)]
    assert spans[0].low is None
    assert all(one.high == other.low for one, other in pairwise(spans))


def listed(histogram: Histogram) -> list[tuple[int | None, int | None, int]]:
    return [(span.low, span.high, count) for span, count in histogram.buckets()]


def test_powers_of_two() -> None:
    histogram = Histogram(Powers())
    for value in (0, 1, 2, 3, 4, 16):
        histogram.add(value)
    assert listed(histogram) == [(0, 1, 1), (1, 2, 1), (2, 4, 2), (4, 8, 1), (8, 16, 0), (16, 32, 1)]
    assert len(histogram) == 6


def test_bounds_show_every_bucket_and_negative_values_only_where_there_are_any() -> None:
    histogram = Histogram(Bounds((1, 8, 64)))
    histogram.add(8, 3)
    assert listed(histogram) == [(0, 1, 0), (1, 8, 0), (8, 64, 3), (64, None, 0)]
    histogram.add(-5)
    assert listed(histogram)[0] == (None, 0, 1)


def test_the_last_power_has_no_end() -> None:
    histogram = Histogram(Powers(4, 64))
    for value in (0, 63, 64, 255, 256, 10**9):
        histogram.add(value)
    assert listed(histogram) == [(0, 1, 1), (1, 4, 0), (4, 16, 0), (16, 64, 1), (64, 256, 2), (256, None, 2)]


def test_an_outlier_does_not_make_a_thousand_lines() -> None:
    histogram = Histogram(Steps(10))
    histogram.add(3)
    histogram.add(25)
    histogram.add(10**6)
    assert listed(histogram) == [(0, 10, 1), (10, 20, 0), (20, 30, 1), (10**6, 10**6 + 10, 1)]


def test_merging_is_adding() -> None:
    one, other = Histogram(Powers()), Histogram(Powers())
    one.add(5)
    other.add(6, 4)
    other.add(0)
    one.merge(other)
    assert listed(one) == [(0, 1, 1), (1, 2, 0), (2, 4, 0), (4, 8, 5)]
    assert len(other) == 5


@pytest.mark.parametrize("bounds", [(), (3, 3), (5, 1)])
def test_bounds_have_to_grow(bounds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="grow"):
        Bounds(bounds)


def test_bars_are_as_long_as_counts_and_never_hide_one() -> None:
    histogram = Histogram(Bounds((10, 20)))
    histogram.add(5, 1000)
    histogram.add(15, 500)
    histogram.add(25)
    rows = list(bucket_rows(histogram, ts_ns=7, block=2, row=Bucket))
    assert [row.cells()[-1] for row in rows] == ["#" * 38, "#" * 19, "#"]
    assert [(row.low, row.high, row.count) for row in rows] == [(0, 10, 1000), (10, 20, 500), (20, None, 1)]
    assert {(row.ts_ns, row.block) for row in rows} == {(7, 2)}


def test_an_empty_histogram_has_no_bars() -> None:
    assert list(bucket_rows(Histogram(Powers()), ts_ns=0, row=Bucket)) == []
    assert [row.share for row in bucket_rows(Histogram(Bounds((1,))), ts_ns=0, row=Bucket)] == [0.0, 0.0]
    assert bar(0.0) == ""


def test_a_span_says_what_it_holds() -> None:
    assert Powers(4).span(2) == Span(4, 16)
    assert Steps(5).span(-1) == Span(None, 0)
