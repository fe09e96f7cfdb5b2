"""LoRAX's /metrics page, reduced to what the board's status needs."""

from dataclasses import dataclass
from math import inf

from prometheus_client.parser import text_string_to_metric_families

REQUESTS = "lorax_request_count"
FAILURES = "lorax_request_failure"
QUEUE = "lorax_queue_length"
DURATION = "lorax_request_duration"
_WANTED = tuple(
    separator.join((name, ""))
    for name in (REQUESTS, FAILURES, QUEUE, f"{DURATION}_bucket", f"{DURATION}_sum", f"{DURATION}_count")
    for separator in (" ", "{")
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Cumulative counts by upper bound (seconds), the last of them +Inf; sum in seconds."""

    buckets: tuple[tuple[float, float], ...] = ()
    total: float = 0.0
    count: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineMetrics:
    """Counters since the engine's start. A series that LoRAX has not used yet counts as 0."""

    requests: int = 0
    failures: int = 0
    queue_length: int | None = None
    duration: Histogram = Histogram()


def parse(page: str) -> EngineMetrics:
    """Read a /metrics page; raises ValueError where it is no Prometheus text.

    Only the wanted lines are parsed: LoRAX's page is about 78 kB, nearly all of it one histogram of 1,024 buckets.
    """
    lines = "\n".join(line for line in page.splitlines() if line.startswith(_WANTED)) + "\n"
    requests = failures = total = count = 0.0
    queue: float | None = None
    buckets: list[tuple[float, float]] = []
    for family in text_string_to_metric_families(lines):
        for sample in family.samples:
            match sample.name:
                case "lorax_request_count":
                    requests += sample.value
                case "lorax_request_failure":
                    failures += sample.value
                case "lorax_queue_length":
                    queue = sample.value
                case "lorax_request_duration_sum":
                    total += sample.value
                case "lorax_request_duration_count":
                    count += sample.value
                case "lorax_request_duration_bucket":
                    buckets.append((_bound(sample.labels.get("le", "")), sample.value))
    return EngineMetrics(
        requests=int(requests),
        failures=int(failures),
        queue_length=None if queue is None else max(0, int(queue)),
        duration=Histogram(buckets=tuple(sorted(buckets)), total=total, count=count),
    )


def _bound(text: str) -> float:
    return inf if text == "+Inf" else float(text)
