"""An engine's own counters, reduced to what the board's status needs."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Cumulative counts by upper bound (seconds), the last of them +Inf; `total` is the sum in seconds."""

    buckets: tuple[tuple[float, float], ...] = ()
    total: float = 0.0
    count: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineMetrics:
    """Counters since the engine's start. A series that the engine has not used yet is 0."""

    requests: int = 0
    failures: int = 0
    queue_length: int | None = None
    duration: Histogram = Histogram()
