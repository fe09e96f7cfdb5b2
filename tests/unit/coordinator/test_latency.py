"""Latency of the last minute out of cumulative histograms."""

from math import inf

import pytest

from boardroom.coordinator.backends.latency import (
    HitWindow,
    LatencyWindow,
    delta,
    mean_and_p95_ms,
    mean_ms,
    percent,
    quantile_ms,
    without,
)
from boardroom.engine.metrics import Histogram


def histogram(*durations: float) -> Histogram:
    bounds = (0.1, 0.5, 1.0, inf)
    return Histogram(
        buckets=tuple((b, float(sum(d <= b for d in durations))) for b in bounds),
        total=sum(durations),
        count=len(durations),
    )


def test_only_what_came_since_counts() -> None:
    assert mean_ms(delta(histogram(5, 5, 0.2, 0.4), histogram(5, 5))) == 300


def test_a_series_that_appears_later_counts_from_zero() -> None:
    assert mean_ms(delta(histogram(0.2), Histogram())) == 200


def test_probes_are_taken_out() -> None:
    found = without(histogram(0.05, 0.05, 0.4), [0.05, 0.05])
    assert (mean_ms(found), quantile_ms(found, 0.5)) == (400, 300)


@pytest.mark.parametrize(
    ("durations", "quantile", "expected"),
    [
        ((), 0.95, None),
        ((0.05,) * 100, 0.95, 95),
        ((0.05,) * 50 + (0.3,) * 50, 0.75, 300),
        ((0.05, 9.0), 0.95, 1000),
    ],
)
def test_a_quantile_is_interpolated_within_its_bucket(
    durations: tuple[float, ...], quantile: float, expected: int | None
) -> None:
    assert quantile_ms(histogram(*durations), quantile) == expected


def test_without_traffic_there_are_no_figures() -> None:
    window = LatencyWindow()
    window.add_sample(0, histogram(0.3))
    window.add_sample(5, histogram(0.3))
    assert mean_and_p95_ms([window.traffic()]) == (None, None)


def test_traffic_of_probes_alone_is_no_traffic() -> None:
    window = LatencyWindow()
    window.add_sample(0, Histogram())
    window.add_probe(2, 0.05)
    window.add_probe(3, 0.05)
    window.add_sample(5, histogram(0.05, 0.05))
    assert mean_and_p95_ms([window.traffic()]) == (None, None)


def test_what_is_older_than_a_minute_is_forgotten() -> None:
    window = LatencyWindow()
    for at, seen in ((0, ()), (10, (0.9,)), (70, (0.9,)), (75, (0.9, 0.2))):
        window.add_sample(at, histogram(*seen))
    assert mean_and_p95_ms([window.traffic()])[0] == 200


def test_a_histogram_that_went_back_starts_the_window_anew() -> None:
    window = LatencyWindow()
    window.add_sample(0, histogram(0.9, 0.9))
    window.add_sample(5, histogram(0.2))
    window.add_sample(10, histogram(0.2, 0.4))
    assert mean_and_p95_ms([window.traffic()])[0] == 400


def test_hits_are_the_share_of_answers_without_a_load() -> None:
    window = HitWindow()
    for cold in (True, False, False, False):
        window.add(1.0, warm=not cold)
    assert (percent([window.counts(2.0)]), percent([window.counts(100.0)])) == (75, None)
