"""Latency of the last minute out of a cumulative histogram, without our own probes. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from math import inf
from typing import Final

from boardroom.engine.metrics import Histogram

WINDOW_SECONDS: Final = 60.0
_P95: Final = 0.95


def delta(new: Histogram, old: Histogram) -> Histogram:
    """The counts of `new` minus those of `old`. `old` may have fewer bounds (a series appears at its first use)."""
    before = dict(old.buckets)
    return Histogram(
        buckets=tuple((bound, count - before.get(bound, 0.0)) for bound, count in new.buckets),
        total=new.total - old.total,
        count=new.count - old.count,
    )


def without(histogram: Histogram, durations: Iterable[float]) -> Histogram:
    """The histogram as if these requests (seconds) had not been made."""
    probes = list(durations)
    return Histogram(
        buckets=tuple((b, max(0.0, count - sum(d <= b for d in probes))) for b, count in histogram.buckets),
        total=max(0.0, histogram.total - sum(probes)),
        count=max(0.0, histogram.count - len(probes)),
    )


def mean_ms(histogram: Histogram) -> int | None:
    """The mean in milliseconds; None without requests."""
    return round(1000 * histogram.total / histogram.count) if histogram.count > 0 else None


def quantile_ms(histogram: Histogram, quantile: float) -> int | None:
    """The quantile in milliseconds, interpolated within its bucket as Prometheus does; None without requests."""
    if histogram.count <= 0:
        return None
    rank = quantile * histogram.count
    lower_bound = lower_count = 0.0
    for bound, count in histogram.buckets:
        if count >= rank:
            if bound == inf:
                return round(1000 * lower_bound)
            share = (rank - lower_count) / (count - lower_count) if count > lower_count else 1.0
            return round(1000 * (lower_bound + (bound - lower_bound) * share))
        lower_bound, lower_count = bound, count
    return round(1000 * lower_bound)


def mean_and_p95_ms(traffic: Sequence[Histogram]) -> tuple[int | None, int | None]:
    """Mean and 95th percentile in milliseconds over the requests of several servers; None without traffic."""
    whole = merged(traffic)
    return mean_ms(whole), quantile_ms(whole, _P95)


def merged(histograms: Sequence[Histogram]) -> Histogram:
    """The sum of the histograms. If a histogram lacks a bound, its next lower bound counts."""
    bounds = sorted({bound for h in histograms for bound, _ in h.buckets})
    return Histogram(
        buckets=tuple(
            (b, sum(max((n for at, n in h.buckets if at <= b), default=0.0) for h in histograms)) for b in bounds
        ),
        total=sum(h.total for h in histograms),
        count=sum(h.count for h in histograms),
    )


class LatencyWindow:
    """Samples of the histogram over the last minute. Times are seconds on any one clock."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Histogram]] = deque()
        self._probes: deque[tuple[float, float]] = deque()

    def add_sample(self, at: float, histogram: Histogram) -> None:
        """Add a scrape. A histogram with lower counts means that LoRAX has restarted."""
        if self._samples and histogram.count < self._samples[-1][1].count:
            self.clear()
        self._samples.append((at, histogram))
        while len(self._samples) > 1 and self._samples[1][0] <= at - WINDOW_SECONDS:
            self._samples.popleft()
        while self._probes and self._probes[0][0] < self._samples[0][0]:
            self._probes.popleft()

    def add_probe(self, at: float, seconds: float) -> None:
        """Add the seconds that a probe of ours took in LoRAX."""
        self._probes.append((at, seconds))

    def clear(self) -> None:
        """Forget everything."""
        self._samples.clear()
        self._probes.clear()

    def traffic(self) -> Histogram:
        """The histogram of the last minute's requests, without our probes."""
        if not self._samples:
            return Histogram()
        (first, old), (last, new) = self._samples[0], self._samples[-1]
        return without(delta(new, old), [seconds for at, seconds in self._probes if first < at <= last])


def percent(counts: Iterable[tuple[int, int]]) -> int | None:
    """The share of (part, whole) pairs together, 0 to 100; None of nothing."""
    pairs = list(counts)
    whole = sum(pair[1] for pair in pairs)
    return round(100 * sum(pair[0] for pair in pairs) / whole) if whole else None


class HitWindow:
    """Answers that needed no adapter load, over the last minute; one counter per second."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()

    def add(self, at: float, *, warm: int, answers: int = 1) -> None:
        """Count answers through adapters; `warm` of them needed no load."""
        second = int(at)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += warm
        self._seconds[-1][2] += answers
        self._forget(at)

    def clear(self) -> None:
        """Forget everything."""
        self._seconds.clear()

    def counts(self, at: float) -> tuple[int, int]:
        """Answers that needed no load, and all answers."""
        self._forget(at)
        return sum(second[1] for second in self._seconds), sum(second[2] for second in self._seconds)

    def _forget(self, at: float) -> None:
        while self._seconds and self._seconds[0][0] < at - WINDOW_SECONDS:
            self._seconds.popleft()
