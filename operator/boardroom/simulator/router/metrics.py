"""LoRAX's metrics: names, labels, buckets and text of its Prometheus page. A series appears at its first use."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, repeat
from operator import mul
from typing import Final

_DURATION_BUCKETS: Final = tuple(accumulate(repeat(1.5, 35), mul, initial=0.0001))[1:]
"""Multiplied step by step as in LoRAX: a power rounds differently, and the page shows the bounds."""
_BATCH_BUCKETS: Final = tuple(float(size) for size in range(1, 1025))
_QUANTILES: Final = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
_SIZE_BUCKETS: Final = 100

REQUEST_COUNT: Final = "lorax_request_count"
REQUEST_SUCCESS: Final = "lorax_request_success"
REQUEST_FAILURE: Final = "lorax_request_failure"


class Metrics:
    """Counters, gauges and histograms of one server. Durations are in seconds."""

    def __init__(self, max_input_length: int, max_total_tokens: int) -> None:
        input_buckets = _evenly(max_input_length)
        token_buckets = _evenly(max_total_tokens)
        self._buckets: dict[str, tuple[float, ...]] = {
            "lorax_request_input_length": input_buckets,
            "lorax_request_generated_tokens": token_buckets,
            "lorax_request_max_new_tokens": token_buckets,
            "lorax_batch_next_size": _BATCH_BUCKETS,
        }
        self._counters: dict[str, dict[str, int]] = {}
        self._gauges: dict[str, float] = {}
        self._histograms: dict[str, dict[str, Histogram]] = {}
        self._skipped_tokens = 0

    def count(self, name: str, labels: str = "") -> None:
        """Add one to a counter; `labels` is the text between the braces."""
        series = self._counters.setdefault(name, {})
        series[labels] = series.get(labels, 0) + 1

    def failed(self, error: str) -> None:
        """Count a failed request by its cause."""
        self.count(REQUEST_FAILURE, f'err="{error}"')

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._gauges[name] = value

    def observe(self, name: str, value: float, labels: str = "") -> None:
        """Add a value to a histogram."""
        series = self._histograms.setdefault(name, {})
        histogram = series.get(labels)
        if histogram is None:
            histogram = series[labels] = Histogram(self._buckets.get(name, _DURATION_BUCKETS))
        histogram.observe(value)

    def emitted(self, tokens: int) -> None:
        """Count tokens for lorax_request_skipped_tokens, which are all 0: nothing is speculative here."""
        self._skipped_tokens += tokens

    def page(self) -> str:
        """Return the page as metrics-exporter-prometheus writes it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, counters in self._counters.items():
            yield f"# TYPE {name} counter"
            yield from (f"{_series(name, labels)} {value}" for labels, value in counters.items())
            yield ""
        for name, value in self._gauges.items():
            yield f"# TYPE {name} gauge"
            yield f"{name} {number(value)}"
            yield ""
        for name, histograms in self._histograms.items():
            yield f"# TYPE {name} histogram"
            for labels, histogram in histograms.items():
                yield from histogram.lines(name, labels)
            yield ""
        if self._skipped_tokens:
            yield "# TYPE lorax_request_skipped_tokens summary"
            yield from (f'lorax_request_skipped_tokens{{quantile="{number(q)}"}} 0' for q in _QUANTILES)
            yield "lorax_request_skipped_tokens_sum 0"
            yield f"lorax_request_skipped_tokens_count {self._skipped_tokens}"
            yield ""


class Histogram:
    """Counts of values per bucket."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Add a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """Yield the lines of cumulative buckets, sum and count."""
        prefix = f"{name}_bucket{{{labels},le=" if labels else f"{name}_bucket{{le="
        total = 0
        for bound, count in zip(self._bounds, self._counts, strict=False):
            total += count
            yield f'{prefix}"{number(bound)}"}} {total}'
        total += self._counts[-1]
        yield f'{prefix}"+Inf"}} {total}'
        yield f"{_series(f'{name}_sum', labels)} {number(self._sum)}"
        yield f"{_series(f'{name}_count', labels)} {total}"


def number(value: float) -> str:
    """Return a float as Rust prints it: shortest, without exponent, whole numbers without a point."""
    if value == int(value):
        return str(int(value))
    text = repr(value)
    return f"{value:.20f}".rstrip("0") if "e" in text else text


def _series(name: str, labels: str) -> str:
    return f"{name}{{{labels}}}" if labels else name


def _evenly(maximum: int) -> tuple[float, ...]:
    return tuple(maximum / _SIZE_BUCKETS * (step + 1) for step in range(_SIZE_BUCKETS))
